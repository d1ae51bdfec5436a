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


def text(value: Any) -> str | None:
    """NFC text, trimmed, without control characters; None when nothing is left."""
    cleaned = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", str(value)))
    return re.sub(r" {2,}", " ", cleaned).strip() or None


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


def local(zone: str) -> Callable[[Any], datetime]:
    """A converter for naive times of `zone`; an offset in the text wins over it.

    A doubled hour takes the earlier instant, a missing one the instant an hour later (canonical-model, Time).
    """
    info = ZoneInfo(zone)

    def convert(value: Any) -> datetime:
        moment = datetime.fromisoformat(str(value).strip())
        return (moment.replace(tzinfo=info, fold=0) if moment.tzinfo is None else moment).astimezone(UTC)

    return convert


def phone(value: Any, region: str = "KZ") -> str | None:
    """E.164, or None where the text is no possible number: a bad phone must not cost the record."""
    raw = str(value).strip()
    digits = re.sub(r"\D", "", raw)
    if not digits or "*" in raw:
        return None
    if len(digits) == 11 and digits[0] == "8" and not raw.startswith("+"):
        raw = "+7" + digits[1:]
    elif len(digits) == 10 and digits[0] == "7":
        raw = "+7" + digits
    elif len(digits) == 11 and digits[0] == "7":
        raw = "+" + digits
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


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
