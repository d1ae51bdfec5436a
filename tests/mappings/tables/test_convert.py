"""Converters: what can be read is read exactly, what cannot is refused, nothing is invented."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.tables import convert


@pytest.mark.parametrize(
    ("raw", "phone"),
    [
        ("+7 700 000 00 01", "+77000000001"),
        ("8 (700) 000-00-01", "+77000000001"),
        ("87000000001", "+77000000001"),
        (77000000001, "+77000000001"),
        ("7000000001", "+77000000001"),
        ("+7 (700) 000-00-01 доб. 12", "+77000000001"),
        ("+998 90 000 00 01", "+998900000001"),
        ("+7 700 000 00 0", None),
        ("+7 700 *** ** 01", None),
        ("нет", None),
        ("12345", None),
        ("77001234567.0", "+77001234567"),
        (87001234567.0, "+77001234567"),
        ("7712345678.0", "+77712345678"),
        ("\u202a+7 700\u00ad123 45 67\u202c", "+77001234567"),
        ("+8 700 000 00 01", None),
        ("87001234567 8901", None),
        ("870012345678901", None),
        ("8700123456", None),
        ("7001234", None),
        ("8121234567", "+78121234567"),
    ],
)
def test_phones_in_every_common_spelling(raw, phone):
    assert convert.phone(raw) == phone


ONE, OTHER = "+77001234567", "+77012223344"


@pytest.mark.parametrize(
    ("raw", "phones"),
    [
        ("87001234567 87012223344", (ONE, OTHER)),
        ("8 (700) 123-45-67\n+7 701 222-33-44", (ONE, OTHER)),
        ("7001234567 8 701 222 33 44", (ONE, OTHER)),
        ("87001234567, 87012223344/87001234567", (ONE, OTHER)),
        ("8 700 123 45 67 мама", (ONE,)),
        ("мама 8 700 123–45–67, папа: 8 701 222 33 44", (ONE, OTHER)),
        ("+998 90 000 00 01 мама +77012223344", ("+998900000001", OTHER)),
        ("+7 (700) 123-45-67 доб. 12", (ONE,)),
        ("77001234567.0", (ONE,)),
        ("7712345678.0", ("+77712345678",)),
        ("+7 700 123 45 67 8", ()),
        ("8700123456 87012223344", ()),
        ("+7 700 *** ** 01", ()),
        ("нет", ()),
        ("", ()),
    ],
)
def test_every_number_of_a_cell_is_found_and_none_is_made_of_the_digits_of_two(raw, phones):
    assert convert.phones(raw) == phones


SPELLINGS = r"(\+7|8|7)[ (-]{0,2}[1-9][0-9]{2}[ )-]{0,2}[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{2}"


@given(st.from_regex(SPELLINGS, fullmatch=True))
def test_the_quick_way_says_what_the_library_says_of_the_full_number(raw):
    national = "".join(filter(str.isdigit, raw))[-10:]
    number = phonenumbers.parse(f"+7{national}")
    assert convert.phone(raw) == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@given(st.text())
def test_a_phone_is_none_or_e164(raw):
    assert (convert.phone(raw) or "+70000000000")[0] == "+"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  Кесе \u0000 ыдыс\t\n", "Кесе ыдыс"),
        ("и\u0306", "й"),
        ("әіңғүұқөһ", "әіңғүұқөһ"),
        ("two  blanks", "two blanks"),
        ("\u200b", None),
        ("   ", None),
        (12, "12"),
    ],
)
def test_text_is_composed_trimmed_and_printable(raw, text):
    assert convert.text(raw) == text


@given(st.text())
def test_text_is_the_same_when_cleaned_again(raw):
    once = convert.text(raw)
    assert once is None or (convert.text(once) == once and once.isprintable())


def test_a_naive_time_is_refused_unless_its_zone_is_a_setting():
    with pytest.raises(ValueError, match="no time zone"):
        convert.aware("2026-03-02T10:00:00")
    assert convert.local("Asia/Almaty")("2026-03-02T10:00:00") == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert convert.local("Asia/Almaty")("2026-03-02T10:00:00+03:00") == datetime(2026, 3, 2, 7, tzinfo=UTC)


def test_almaty_moved_to_utc_plus_5_on_1_march_2024():
    almaty = convert.local("Asia/Almaty")
    assert almaty("2024-02-29T12:00:00") == datetime(2024, 2, 29, 6, tzinfo=UTC)
    assert almaty("2024-03-01T12:00:00") == datetime(2024, 3, 1, 7, tzinfo=UTC)


def test_a_doubled_hour_takes_the_earlier_instant_and_a_missing_one_the_instant_an_hour_later():
    warsaw = convert.local("Europe/Warsaw")
    assert warsaw("2025-10-26T02:30:00") == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    missing = warsaw("2025-03-30T02:30:00")
    assert missing.astimezone(ZoneInfo("Europe/Warsaw")).hour == 3


@pytest.mark.parametrize(
    ("zone", "written", "doubtful"),
    [
        ("Europe/Warsaw", "2025-10-26T02:30:00", True),
        ("Europe/Warsaw", "2025-03-30T02:30:00", True),
        ("Asia/Almaty", "2024-02-29T23:30:00", True),
        ("Europe/Warsaw", "2025-10-26T02:30:00+01:00", False),
        ("Europe/Warsaw", "2025-10-26T12:00:00", False),
        ("Asia/Almaty", "2024-03-01T12:00:00", False),
    ],
)
def test_a_time_that_clocks_make_doubtful_is_known_by_its_type(zone, written, doubtful):
    assert (type(convert.local(zone)(written)) is convert.ClockChange) is doubtful


def test_epoch_milliseconds():
    assert convert.epoch_ms("1772427600000") == datetime(2026, 3, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "valid"),
    [("4006381333931", True), ("4006381333932", False), ("96385074", True), ("123", False), ("40063813339ab", False)],
)
def test_a_barcode_has_a_check_digit_that_holds(code, valid):
    assert convert.barcode(code) == (code if valid else None)


@given(st.integers(0, 10**12 - 1))
def test_of_ten_last_digits_one_makes_a_barcode(number):
    valid = [digit for digit in range(10) if convert.barcode(f"{number:012d}{digit}")]
    assert len(valid) == 1


@pytest.mark.parametrize(
    ("raw", "address"), [(" A@Example.com ", "a@example.com"), ("no", None), ("a@b", None), ("a b@c.kz", None)]
)
def test_an_email_has_the_shape_of_one(raw, address):
    assert convert.email(raw) == address


@pytest.mark.parametrize(
    "raw",
    ["Иван <a@b.kz>", "<A@B.kz>", '"Ким, Иван" <a@b.kz>.', "mailto:a@b.kz", "<mailto:a@b.kz?subject=1>", "a@b.kz.",
     "a@b.kz\u200b", "\ufeffa@b.kz"],
)  # fmt: skip
def test_an_address_is_the_same_whatever_stands_around_it(raw):
    assert convert.email(raw) == "a@b.kz"


@pytest.mark.parametrize(
    "raw", ["a@b..kz", "a..b@c.kz", "a@b_c.kz", "a@-b.kz", "c@d.kz <a@b.kz>", "<a@b.kz", f"a@{'b' * 64}.kz"]
)
def test_what_is_no_address_by_its_syntax_is_none(raw):
    assert convert.email(raw) is None


ADDRESSES = r"[a-z0-9_+-]{1,9}(\.[a-z0-9_+-]{1,9})?@([a-z0-9]{1,9}(-[a-z0-9]{1,5})?\.){1,2}[a-z]{2,9}"


@given(st.from_regex(ADDRESSES, fullmatch=True))
def test_the_quick_way_says_what_the_library_says_of_an_address(raw):
    assume(raw.rpartition(".")[2] not in SPECIAL_USE_DOMAIN_NAMES)
    assert convert.email(raw) == validate_email(raw, check_deliverability=False).normalized


@pytest.mark.parametrize(
    ("raw", "addresses"),
    [
        ("Иван <a@b.kz>, c@d.kz", ("a@b.kz", "c@d.kz")),
        ("a@b.kz\nC@d.kz A@B.kz", ("a@b.kz", "c@d.kz")),
        ("почта: a@b.kz (рабочая)", ("a@b.kz",)),
        ("ivan petrov@mail.kz", ()),
        ("a@b..kz; c@d.kz", ("c@d.kz",)),
        ("a@b.kz/c/d@mail.kz", ("a@b.kz", "c/d@mail.kz")),
    ],
)
def test_every_address_of_a_cell_is_found_and_none_is_made_of_half_of_one(raw, addresses):
    assert convert.emails(raw) == addresses


@pytest.mark.parametrize("bad", [True, None, "many", "nan", "inf"])
def test_what_is_no_number_is_no_quantity(bad):
    with pytest.raises(ValueError, match="not an amount"):
        convert.quantity(bad)


def test_a_quantity_has_three_decimals():
    assert convert.quantity(0.1) == Decimal("0.100")
