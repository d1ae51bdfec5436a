"""Money: exact, in one currency, rounded as tills round."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.canonical import Money
from mappings.canonical.money import currency_code, exact, from_minor, parse_money, rounded

amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=2)


@pytest.mark.parametrize(
    ("text", "currency", "money"),
    [
        ("1 950 ₸", None, Money(Decimal(1950), "KZT")),
        ("1\u00a0950,50 тг.", None, Money(Decimal("1950.50"), "KZT")),
        ("201,25", "KZT", Money(Decimal("201.25"), "KZT")),
        ("$ 12.30", None, Money(Decimal("12.30"), "USD")),
        ("12 USD", "KZT", Money(Decimal(12), "USD")),
        (398, "KZT", Money(Decimal(398), "KZT")),
        ("-5", "KZT", Money(Decimal(-5), "KZT")),
    ],
)
def test_amounts_as_people_and_vendors_write_them(text, currency, money):
    assert parse_money(text, currency) == money


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1950", None), (5, None), ("1.234.567", "KZT"), ("free", "KZT"), ("5 bananas", "KZT"), ("", "KZT")],
)
def test_what_is_unclear_is_refused(text, currency):
    with pytest.raises(ValueError, match=r"amount|currency|decimal|known"):
        parse_money(text, currency)


@pytest.mark.parametrize("spelling", ["тг", "тнг", "₸", "398", "KZT", "kzt", " тг. ", "тенге"])
def test_the_tenge_has_many_names(spelling):
    assert currency_code(spelling) == "KZT"


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="cannot add USD to KZT"):
        Money(Decimal(1), "KZT") + Money(Decimal(1), "USD")


@given(amounts)
def test_an_amount_survives_being_written(amount):
    assert parse_money(f"{amount:,}".replace(",", " "), "KZT").amount == amount


@given(amounts)
def test_minor_units_are_hundredths(amount):
    assert from_minor(int(amount * 100)) == amount


@given(amounts, st.sampled_from([Decimal(value) for value in ("0.01", "0.05", "1", "10", "100")]))
def test_rounding_gives_a_near_multiple(amount, to):
    result = rounded(amount, to)
    assert result % to == 0
    assert abs(result - amount) <= to / 2


@pytest.mark.parametrize(
    ("amount", "becomes"), [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("1.004", "1.00")]
)
def test_halves_go_away_from_zero(amount, becomes):
    assert rounded(Decimal(amount)) == Decimal(becomes)


@pytest.mark.parametrize("bad", [True, None, "", "1,5", "nan", float("inf"), [], {}])
def test_only_numbers_are_exact(bad):
    with pytest.raises(ValueError, match="not an amount"):
        exact(bad)
