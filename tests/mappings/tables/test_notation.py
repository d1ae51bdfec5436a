"""Numbers and moments as files write them: one reading each, or none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.tables import Unusable
from mappings.tables.notation import Moments, Numbers, identifier, pattern, rendered

COMMA = Numbers(",", " ", "KZT")
walls = st.datetimes(datetime.fromisoformat("2001-01-01"), datetime.fromisoformat("2037-12-31"))


@pytest.mark.parametrize(("written", "number"), [
    ("1 250,00", "1250.00"), ("1\u00a0250,00", "1250.00"), ("1\u202f250", "1250"), ("-0,5", "-0.5"), ("−3", "-3"),
    ("+7", "7"), (",5", "0.5"), ("5,", "5"), ("1250", "1250"), ("1 250 000,25 ₸", "1250000.25"), ("12 тг.", "12"),
    ("KZT 12", "12"), ("1,4E-05", "0.000014"),
])  # fmt: skip
def test_a_number_is_read_as_the_settings_write_it(written: str, number: str):
    assert COMMA(written) == Decimal(number)


@pytest.mark.parametrize(
    "written", ["1.250", "12 50", "1 25", "1250.00", "many", "", ",", "1,2,3", "0x1F", "12 шт", "--1"]
)
def test_what_is_no_such_number_is_refused(written: str):
    with pytest.raises(Unusable) as refused:
        COMMA(written)
    assert refused.value.rule == "not_a_number"


def test_an_amount_in_another_currency_is_refused():
    with pytest.raises(Unusable, match="is in USD") as refused:
        COMMA("$12")
    assert refused.value.rule == "other_currency"


@given(
    st.decimals(-(10**9), 10**9, places=2),
    st.sampled_from([(".", ","), (",", " "), (",", "."), (".", "'"), (".", None)]),
)
def test_what_is_written_is_what_is_read(number: Decimal, signs: tuple[str, str | None]):
    decimal, thousands = signs
    written = f"{number:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands or "")
    assert Numbers(decimal, thousands)(written) == number


def test_amounts_are_to_the_cent_and_quantities_to_three_decimals():
    assert Numbers().amount("0.005") == Decimal("0.01")
    assert Numbers().amount("2.220446e-16") == 0
    assert Numbers().quantity("1.5304") == Decimal("1.530")


# ── moments ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("date_format", "written"), [
    (None, "2026-03-02 09:05:00"), (None, "2026-03-02T09:05"), (None, "2026-03-02T04:05:00Z"), (None,
    "2026-03-02T09:05:00+05:00"),
    ("dd.MM.yyyy", "02.03.2026 9:05"), ("dd.MM.yyyy", "02.03.2026  09:05:00"), ("%d.%m.%Y", "02.03.2026 09:05"),
    ("dd.MM.yyyy HH:mm:ss", "02.03.2026 09:05:00"), ("yyyyMMddHHmm", "202603020905"), ("dd.MM.yy", "02.03.26 09:05"),
    ("d/M/yyyy", "2/3/2026 9:05"), ("MM/dd/yyyy hh:mm a", "03/02/2026 09:05 AM"), ("%Y-%m-%d %H:%M",
    "2026-03-02 09:05"),
])  # fmt: skip
def test_a_moment_is_read_as_the_settings_write_it(date_format: str | None, written: str):
    assert Moments(date_format, "Asia/Almaty")(written) == datetime(2026, 3, 2, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("date_format", "written"), [
    (None, "02.03.2026"), (None, "20260302"), (None, "2026-13-02"), (None, "2026-02-30"), ("dd.MM.yyyy", "2026-03-02"),
    ("dd.MM.yyyy", "31.02.2026"), ("dd.MM.yyyy", "02.03.2026 25:00"), ("dd.MM.yyyy", "soon"), ("dd.MM.yyyy HH:mm",
    "02.03.2026"),
])  # fmt: skip
def test_what_is_no_such_moment_is_refused(date_format: str | None, written: str):
    with pytest.raises(Unusable) as refused:
        Moments(date_format, "Asia/Almaty")(written)
    assert refused.value.rule == "not_a_moment"


def test_a_local_time_without_a_zone_is_refused():
    with pytest.raises(Unusable) as refused:
        Moments()("2026-03-02 09:05")
    assert refused.value.rule == "no_time_zone"


@pytest.mark.parametrize(("zone", "written", "utc"), [
    ("Europe/Berlin", "2025-10-26 02:30", "2025-10-26 00:30"),  # comes twice: the earlier
    ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),  # never comes: an hour later, 03:30
    ("Asia/Almaty", "2024-02-29 23:30", "2024-02-29 17:30"),  # the day Kazakhstan became one zone
])  # fmt: skip
def test_an_hour_that_comes_twice_or_never_is_taken_and_flagged(zone: str, written: str, utc: str):
    found = Moments(timezone=zone).local(written)
    assert found.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert found.clock_change
    assert not Moments(timezone=zone).local(f"{written[:11]}12:00").clock_change


@given(
    walls,
    st.sampled_from(["Asia/Almaty", "Europe/Berlin", "America/Santiago", "UTC"]),
)
def test_the_quick_way_of_quiet_days_says_what_the_zone_says(wall: datetime, zone: str):
    found = Moments(timezone=zone).local(wall.isoformat(sep=" "))
    early, late = wall.replace(tzinfo=ZoneInfo(zone)), wall.replace(tzinfo=ZoneInfo(zone), fold=1)
    assert found == (early.astimezone(UTC), wall.date(), early.utcoffset() != late.utcoffset())


@given(
    walls,
    st.sampled_from([None, "dd.MM.yyyy", "%m/%d/%y", "yyyyMMdd", "d.M.yyyy H:mm:ss"]),
)
def test_a_typed_cell_is_rendered_as_it_is_read(moment: datetime, date_format: str | None):
    moment = moment.replace(microsecond=0)
    assert Moments(date_format).written(rendered(moment, date_format)) == moment


@pytest.mark.parametrize("wrong", ["dd.MM", "yyyy", "%Q", "dd.MM.yyyy dd", ""])
def test_a_date_format_must_give_a_whole_date(wrong: str):
    with pytest.raises(ValueError, match="not a date format"):
        pattern(wrong)


def test_an_offset_in_the_text_wins_and_the_day_is_the_shop_s():
    found = Moments(timezone="Asia/Almaty").local("2026-03-02T23:30:00Z")
    assert (found.at, found.day.day) == (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), 3)
    assert Moments().local("2026-03-02T23:30:00-03:00").day.day == 2


def test_ids_keep_their_zeros_and_lose_nothing_silently():
    assert identifier(" 00123 ") == "00123"
    assert identifier("№\u00a05") == "№ 5"
    assert identifier("12E5") == "12E5"
    with pytest.raises(Unusable, match="lost its digits"):
        identifier("4,87E+12")


def test_a_second_is_no_rounding_error():
    assert Moments(timezone="UTC")("2026-03-02 10:15:44.500") - datetime(
        2026, 3, 2, 10, 15, 44, tzinfo=UTC
    ) == timedelta(seconds=0.5)
