"""Named converters for mapping tables. Each raises ValueError, with the reason, on what it cannot read."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from mappings.canonical.money import exact

SPACES = re.compile(r" {2,}")
NOT_DIGITS = re.compile(r"\D")
PLAIN_NUMBER = re.compile(r"\+?[\d\s().-]+")


def text(value: Any) -> str | None:
    """NFC text, trimmed, without control characters; None when nothing is left."""
    cleaned = unicodedata.normalize("NFC", str(value))
    if not cleaned.isprintable():
        cleaned = "".join(c if c.isprintable() else " " for c in cleaned)
    return SPACES.sub(" ", cleaned).strip() or None


def quantity(value: Any) -> Decimal:
    """A count or weight in the base unit, to three decimals."""
    return exact(value).quantize(Decimal("0.001"))


def epoch_ms(value: Any) -> datetime:
    """Milliseconds since 1970, UTC."""
    return datetime.fromtimestamp(int(value) / 1000, UTC)


def aware(value: Any) -> datetime:
    """ISO 8601 with an offset. A naive time is refused: its zone is a setting of the connection, see `local`."""
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment.astimezone(UTC)


class ClockChange(datetime):
    """An instant written as a local time that is doubled, or missing, when clocks change: it may be an hour off."""


def local(zone: str) -> Callable[[Any], datetime]:
    """A converter for naive times of `zone`; an offset in the text wins over it.

    A doubled hour takes the earlier instant, a missing one the instant an hour later; both come as a `ClockChange`,
    and the record that holds one is flagged (canonical-model, Time).
    """
    info = ZoneInfo(zone)

    def convert(value: Any) -> datetime:
        moment = datetime.fromisoformat(str(value).strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        early, late = moment.replace(tzinfo=info, fold=0), moment.replace(tzinfo=info, fold=1)
        at = early.astimezone(UTC)
        return at if early.utcoffset() == late.utcoffset() else ClockChange.combine(at.date(), at.timetz())

    return convert


def phone(value: Any, region: str = "KZ") -> str | None:
    """E.164, or None where the text is no possible number: a bad phone must not cost the record."""
    raw = str(value).strip()
    if "*" in raw:
        return None
    if national := _national(raw):
        return "+7" + national
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _national(raw: str) -> str | None:
    """The ten digits of a Kazakh or Russian number written as `+7 …`, `7…`, `8 …` or, in Kazakhstan, without a prefix.

    The library knows neither the prefix 8 outside its region nor the bare ten digits, and takes forty times as long.
    """
    if not PLAIN_NUMBER.fullmatch(raw):
        return None
    digits = NOT_DIGITS.sub("", raw)
    if len(digits) == 11 and (digits[0] == "7" or (digits[0] == "8" and raw[0] != "+")):
        digits = digits[1:]
    elif len(digits) != 10 or digits[0] != "7" or raw[0] == "+":
        return None
    return None if digits[0] == "0" else digits


def email(value: Any) -> str | None:
    """Trimmed and lower-cased; None where it has no shape of an address."""
    address = str(value).strip().lower()
    return address if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address) else None


def barcode(value: Any) -> str | None:
    """Digits of an EAN-8, UPC, EAN-13 or GTIN-14 whose check digit holds; None otherwise."""
    code = str(value).strip()
    if not code.isdigit() or len(code) not in {8, 12, 13, 14}:
        return None
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code)))
    return code if weighted % 10 == 0 else None
