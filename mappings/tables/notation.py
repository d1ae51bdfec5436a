"""How numbers and moments are written in a file, as settings of its connection: one reading, and never a guess."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mappings.canonical.money import currency_code, exact, rounded
from mappings.tables import convert
from mappings.tables.fields import Unusable

BLANKS = " \u00a0\u202f\u2009"
ISO = "yyyy-MM-dd"
TOKENS = {
    "yyyy": r"(?P<year>\d{4})", "yy": r"(?P<short>\d{2})", "MM": r"(?P<month>\d{2})", "M": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{2})", "d": r"(?P<day>\d{1,2})", "HH": r"(?P<hour>\d{1,2})", "H": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<half>\d{1,2})", "mm": r"(?P<minute>\d{2})", "ss": r"(?P<second>\d{2})", "a": r"(?P<am>[AaPp])[Mm]",
}  # fmt: skip
TOKEN = re.compile(r"yyyy|yy|MM?|dd?|HH?|hh|mm|ss|a|.")
STRFTIME = {"%Y": "yyyy", "%y": "yy", "%m": "MM", "%d": "dd", "%H": "HH", "%I": "hh", "%M": "mm", "%S": "ss", "%p": "a"}
TIME_OF_DAY = r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
FRACTION_AND_OFFSET = r"(?:[.,](?P<fraction>\d{1,9}))? ?(?P<offset>Z|[+-]\d{2}:?\d{2})?"
PLAIN_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?")
SCIENTIFIC = re.compile(r"\d[.,]?\d*[eE]\+\d+")
NO_ID = frozenset({"нет", "жоқ", "no", "none", "null", "n/a", "нет данных", "без карты"})
"""What exports write, beside 0 and dashes, where there is no id."""


@dataclass(frozen=True)
class Numbers:
    """`decimal`: the decimal sign. `thousands`: what groups digits by three; a blank stands for every kind of blank.

    A currency written beside an amount must be `currency`; none is needed.
    """

    decimal: str = "."
    thousands: str | None = None
    currency: str | None = None

    @cached_property
    def _shape(self) -> re.Pattern[str]:
        group = f"[{BLANKS}]" if self.thousands and self.thousands in BLANKS else re.escape(self.thousands or "")
        whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+" if group else r"\d+"
        return re.compile(
            rf"(?P<sign>[-+−]?)(?P<whole>{whole})?(?:{re.escape(self.decimal)}(?P<part>\d*))?(?P<power>[eE][-+]?\d+)?"
        )

    def __call__(self, text: str) -> Decimal:
        bare = text.strip()
        if not bare[-1:].isdigit() or bare[:1].isalpha() or bare[:1] in "₸$€₽":
            bare = self._without_currency(bare)
        match = self._shape.fullmatch(bare)
        if not match or not (match["whole"] or match["part"]):
            raise Unusable(f"{text!r} is not a number with decimal sign {self.decimal!r}", "not_a_number")
        whole = re.sub(r"\D", "", match["whole"] or "0")
        sign = "-" if match["sign"] in {"-", "−"} else ""
        return exact(f"{sign}{whole}.{match['part'] or '0'}{match['power'] or ''}")

    def _without_currency(self, text: str) -> str:
        match = re.fullmatch(r"([^\d\-+−.,]*)([-+−]?[\d.,].*?)([^\d.,]*)\.?", text)
        unit = (match[1] + match[3]).strip() if match else ""
        if not match or not unit:
            return text
        try:
            code = currency_code(unit)
        except ValueError:
            return text
        if self.currency and code != self.currency:
            raise Unusable(f"{text!r} is in {code}, the connection's currency is {self.currency}", "other_currency")
        return match[2].strip(BLANKS)

    def amount(self, text: str) -> Decimal:
        """To the cent."""
        return rounded(self(text))

    def quantity(self, text: str) -> Decimal:
        """To three decimals."""
        return convert.quantity(self(text))


class Local(NamedTuple):
    """A moment as a till wrote it. `day` is the local date; `clock_change`: its hour is doubled or missing that day."""

    at: datetime
    day: date
    clock_change: bool


@dataclass(frozen=True)
class Moments:
    """`date_format` in letters (`dd.MM.yyyy HH:mm`) or strftime's (`%d.%m.%Y`); None is ISO 8601.

    A format without a time of day lets one follow (`9:05`, `09:05:44`). An offset in the text wins over `timezone`.
    """

    date_format: str | None = None
    timezone: str | None = None
    _seen: dict[str, Local] = field(default_factory=dict, compare=False, repr=False)
    _offsets: dict[date, timedelta | None] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.timezone) if self.timezone else None

    @cached_property
    def _shape(self) -> re.Pattern[str]:
        return re.compile(pattern(self.date_format or ISO) + FRACTION_AND_OFFSET)

    def written(self, text: str) -> datetime:
        """As it stands there: naive, or aware where it carries an offset."""
        plain = self.date_format is None and PLAIN_ISO.fullmatch(text)  # most files; ten times as fast
        match = None if plain else self._shape.fullmatch(" ".join(text.split()))
        try:
            if plain:
                return datetime.fromisoformat(text)
            if match:
                return _moment({name: value for name, value in match.groupdict().items() if value is not None})
        except ValueError as error:
            raise Unusable(f"{text!r} is no moment: {error}", "not_a_moment") from None
        raise Unusable(f"{text!r} is not a moment written as {self.date_format or 'ISO 8601'}", "not_a_moment")

    def local(self, text: str) -> Local:
        """A doubled hour takes the earlier instant, a missing one the instant an hour later (canonical-model, Time)."""
        if text not in self._seen:  # instant, day and flag of a cell are asked for one after the other
            self._seen[text] = self._local(text)
        return self._seen[text]

    def _local(self, text: str) -> Local:
        wall = self.written(text)
        if wall.tzinfo is not None:
            at = wall.astimezone(UTC)
            return Local(at, (at.astimezone(self._zone) if self._zone else wall).date(), False)
        day = wall.date()
        if (offset := self._steady(day)) is not None:
            return Local(wall.replace(tzinfo=UTC) - offset, day, False)
        if self._zone is None:
            raise Unusable(f"{text!r} is a local time and the connection states no time zone", "no_time_zone")
        early, late = wall.replace(tzinfo=self._zone), wall.replace(tzinfo=self._zone, fold=1)
        return Local(early.astimezone(UTC), day, early.utcoffset() != late.utcoffset())

    def _steady(self, day: date) -> timedelta | None:
        """The zone's offset on a day that begins and ends with it; None where clocks change, or no zone is stated."""
        if day not in self._offsets and self._zone:
            midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
            begins, ends = midnight.utcoffset(), (midnight + timedelta(days=1)).replace(fold=1).utcoffset()
            self._offsets[day] = begins if begins == ends == midnight.replace(fold=1).utcoffset() else None
        return self._offsets.get(day)

    def __call__(self, text: str) -> datetime:
        return self.local(text).at

    def date(self, text: str) -> date:
        return self.written(text).date()


def _moment(part: dict[str, str]) -> datetime:
    year = int(part["year"]) if "year" in part else 2000 + int(part["short"])
    hour = int(part.get("hour", part.get("half", 0)))
    if "am" in part:
        hour = hour % 12 + (12 if part["am"] in "Pp" else 0)
    naive = datetime(  # noqa: DTZ001 the offset or the zone comes after
        year, int(part["month"]), int(part["day"]), hour, int(part.get("minute", 0)), int(part.get("second", 0))
    )
    exact = naive.replace(microsecond=int(part.get("fraction", "0")[:6].ljust(6, "0")))
    return datetime.fromisoformat(exact.isoformat() + part["offset"]) if "offset" in part else exact


def pattern(date_format: str) -> str:
    """A regular expression of a date format. Raises ValueError when it does not give a whole date."""
    letters = _letters(date_format)
    made = "".join(TOKENS.get(part) or re.escape(part) for part in TOKEN.findall(letters))
    parts = re.findall(r"\?P<(\w+)>", made)
    if (
        "%" in letters
        or not {"month", "day"} <= set(parts)
        or not {"year", "short"} & set(parts)
        or len(set(parts)) < len(parts)
    ):
        raise ValueError(f"{date_format!r} is not a date format; write it like dd.MM.yyyy or dd.MM.yyyy HH:mm:ss")
    return made if {"hour", "half"} & set(parts) else made + TIME_OF_DAY


def _letters(date_format: str) -> str:
    return re.sub(r"%.", lambda found: STRFTIME.get(found[0], found[0]), date_format)


def rendered(moment: datetime, date_format: str | None) -> str:
    """A typed moment as a text cell of the same file would have it: the date as `date_format`, then the time of day."""
    letters = _letters(date_format or ISO)
    values = {
        "yyyy": f"{moment:%Y}", "yy": f"{moment:%y}", "MM": f"{moment:%m}", "M": str(moment.month),
        "dd": f"{moment:%d}",
        "d": str(moment.day), "HH": f"{moment:%H}", "H": str(moment.hour), "hh": f"{moment:%I}", "mm": f"{moment:%M}",
        "ss": f"{moment:%S}", "a": f"{moment:%p}",
    }  # fmt: skip
    text = "".join(values.get(part, part) for part in TOKEN.findall(letters))
    return text if re.search("[Hh]", letters) else f"{text} {moment:%H:%M:%S}"


def identifier(text: str) -> str | None:
    """An id as it is written. One that a spreadsheet turned into 4.87E+12 has lost its digits and is refused."""
    if text.isalnum() and text.isascii():
        return text  # nearly always
    if SCIENTIFIC.fullmatch(text.strip()):
        raise Unusable(f"{text!r} has lost its digits in a spreadsheet: export this column as text", "lost_digits")
    return convert.text(text)


def somebodys(text: str) -> str | None:
    """The id of a customer, card or account, None where something only fills the cell: all who have no card are not
    one buyer with the card 0."""
    known = text.strip().lower() not in NO_ID and any(one.isalnum() and one != "0" for one in text)
    return identifier(text) if known else None


def excel_serial(days: float) -> datetime:
    """Days since 1899-12-30, as spreadsheets keep moments, to the second."""
    return datetime(1899, 12, 30) + timedelta(seconds=round(days * 86400))  # noqa: DTZ001 as the cell has it
