"""Named converters for mapping tables. Each raises ValueError, with the reason, on what it cannot read."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from mappings.canonical.money import exact

SPACES = re.compile(r" {2,}")
NOT_DIGITS = re.compile(r"\D")
PLAIN_NUMBER = re.compile(r"\+?[\d\s().-]+")
READ_AS_FLOAT = re.compile(r"\+?\d{10,15}\.0")
_BETWEEN = r"[\s().\u2010-\u2015-]"
DIALLED = re.compile(rf"\+?(?:\d|{_BETWEEN})+")
NUMBER = re.compile(
    r"(?<![\d+])(?:(?:\+?7|8){0}(?=[1-9])|(?=7))\d{{3}}{0}\d{{3}}{0}\d{{2}}{0}\d{{2}}(?!\d)".format(_BETWEEN + "{0,3}")
)
"""A Kazakh or Russian number among others: its digits stand in the usual groups, so that one ends where the next
begins."""
PLAIN_ADDRESS = re.compile(
    r"(?=.{6,254}$)(?!.*--)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
APART = re.compile(r"[\s,;]+|(?<=\.\w\w)/|(?<=\.\w\w\w)/")
NAMED_ADDRESS = re.compile(r"[^<>@]*<([^<>]*)>")
TORN_ADDRESS = re.compile(r"(?<![^\s,;])[a-z0-9][a-z0-9._%+-]*\s+[^\s,;<>@]+@[^\s,;]+")
"""An address with a blank in it, `ivan petrov@…`: what stands behind the blank is somebody else's."""


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
    raw = _whole(_seen(str(value)).strip())
    if "*" in raw:
        return None
    if national := _national(raw):
        return "+7" + national
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    return _called(number)


def _called(number: phonenumbers.PhoneNumber) -> str | None:
    """Under +7 the library holds 14 digits, or the seven of a town, for possible: there a number has to be valid."""
    usable = phonenumbers.is_valid_number if number.country_code == 7 else phonenumbers.is_possible_number
    if not usable(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(value: Any, region: str = "KZ") -> tuple[str, ...]:
    """Every number, as `phone` gives it, of a text that may hold several, or words beside one; each once, in order."""
    parts = map(str.strip, re.split(r"[,;/]", _seen(str(value))))
    return tuple(dict.fromkeys(found for part in parts if part for found in _numbers(_whole(part), region)))


def _numbers(part: str, region: str) -> list[str]:
    """Quick ways first: the library takes 30 µs to find nothing."""
    if national := _national(part):
        return ["+7" + national]
    dialled = [run for run in DIALLED.findall(part) if len(NOT_DIGITS.sub("", run)) >= 10]
    return [one for run in dialled or [part] for one in _in_a_row(run) or filter(None, [phone(run, region)])]


def _in_a_row(run: str) -> list[str]:
    """The numbers of which the digits consist; none where a digit is left over: it may be any one's."""
    if any(map(str.isdigit, NUMBER.sub("", run))):
        return []
    return ["+7" + national for one in NUMBER.findall(run) if (national := _national(one))]


def _whole(raw: str) -> str:
    """A number that a spreadsheet has read as one: its `.0` is no digit of it."""
    return raw[:-2] if raw.endswith(".0") and READ_AS_FLOAT.fullmatch(raw) else raw


def _seen(written: str) -> str:
    """Without the signs that nobody sees: joiners, marks of direction, soft hyphens."""
    if written.isascii():
        return written
    return "".join(sign for sign in written if unicodedata.category(sign) != "Cf")


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
    """In small letters, without what stands around it (a name, `<>`, `mailto:`, a full stop, signs that nobody sees);
    None where it is no address by its syntax."""
    address = str(value).strip().lower()
    if PLAIN_ADDRESS.fullmatch(address):
        return address
    return _address(address) if "@" in address else None


def _address(written: str) -> str | None:
    bare = _seen(written).strip().rstrip(".")
    if named := NAMED_ADDRESS.fullmatch(bare):
        bare = named[1].strip()
    if bare.startswith("mailto:"):
        bare = bare.removeprefix("mailto:").partition("?")[0]
    bare = bare.rstrip(".")
    if PLAIN_ADDRESS.fullmatch(bare):
        return bare
    try:
        return validate_email(bare, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def emails(value: Any) -> tuple[str, ...]:
    """Every address, as `email` gives it, of a text that may hold several, or words beside one; each once, in order."""
    whole = TORN_ADDRESS.sub(" ", _seen(str(value)).strip())
    return tuple(dict.fromkeys(found for part in APART.split(whole) if (found := email(part))))


def barcode(value: Any) -> str | None:
    """Digits of an EAN-8, UPC, EAN-13 or GTIN-14 whose check digit holds; None otherwise."""
    code = str(value).strip()
    if not code.isdigit() or len(code) not in {8, 12, 13, 14}:
        return None
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code)))
    return code if weighted % 10 == 0 else None
