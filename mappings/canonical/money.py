"""Money is exact and carries its currency; rounding lives here only."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

CENT = Decimal("0.01")
TENGE_SPELLINGS = frozenset({"тг", "тнг", "₸", "398", "kzt", "тенге"})
SPELLINGS = {"₽": "RUB", "руб": "RUB", "р": "RUB", "грн": "UAH", "₴": "UAH", "$": "USD", "€": "EUR", "сум": "UZS"}


@dataclass(frozen=True)
class Money:
    """An amount in major units. Arithmetic between currencies is an error, never a conversion."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)


def rounded(amount: Decimal, to: Decimal = CENT) -> Decimal:
    """`amount` to the nearest multiple of `to`, halves away from zero, as shop tills do."""
    return (amount / to).quantize(Decimal(1), ROUND_HALF_UP) * to


def from_minor(value: object) -> Decimal:
    """Minor units (hundredths, possibly fractional, as text or number) to major units, to the cent."""
    return rounded(exact(value) / 100)


def exact(value: object) -> Decimal:
    """A JSON number or numeric text as Decimal. Raises ValueError on anything else, booleans included."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is not an amount")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not an amount")
    return number


def currency_code(spelling: str) -> str:
    """ISO 4217 code of a spelling: `тг`, `₸`, `398` and `KZT` are one currency. Raises ValueError when unknown."""
    text = spelling.strip().strip(".").casefold()
    if text in TENGE_SPELLINGS:
        return "KZT"
    if text in SPELLINGS:
        return SPELLINGS[text]
    if re.fullmatch(r"[a-z]{3}", text):
        return text.upper()
    raise ValueError(f"{spelling!r} is not a known currency")


def parse_money(text: object, currency: str | None = None) -> Money:
    """`"1 950 ₸"`, `"201,25"`, `398` → Money. A stated currency wins over `currency`; neither is an error.

    Separators: blanks of any kind group thousands; a single comma or dot is the decimal sign.
    """
    if not isinstance(text, str):
        if currency is None:
            raise ValueError("an amount without a currency")
        return Money(exact(text), currency)
    match = re.fullmatch(r"\s*([^\d\-+.,]*)\s*([-+]?[\d\s\u00a0\u202f.,]*\d)\s*([^\d]*)\s*", text)
    if not match:
        raise ValueError(f"{text!r} is not an amount")
    unit = (match[3] or match[1]).strip()
    code = currency_code(unit) if unit else currency
    if code is None:
        raise ValueError(f"{text!r} does not say its currency")
    digits = re.sub(r"\s", "", match[2]).replace(",", ".")
    if digits.count(".") > 1:
        raise ValueError(f"{text!r} has two decimal signs")
    return Money(exact(digits), code)
