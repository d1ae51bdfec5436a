"""Base price → channel price. Amounts are whole hundredths (tiyn, cents): nothing is lost to binary fractions."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mappings.relations import select

Cents = NDArray[np.int64]
NO_CEILING = np.iinfo(np.int64).max

_IN_FORCE = """
select sku, price_type, last(cents order by rank desc, valid_from nulls first) as cents,
       last(currency order by rank desc, valid_from nulls first) as currency
from prices where (valid_from is null or valid_from <= $now) and (valid_to is null or valid_to > $now)
group by sku, price_type
"""


def in_force(prices: pa.Table, now: datetime) -> pa.Table:
    """The price of each type that holds at `now`: sku, price_type, cents, currency.

    `prices`: those columns and valid_from, valid_to (exclusive; both may be null), rank (0: the strongest authority).
    The strongest source wins; of its prices the one whose window opened last, so a promotion covers the lasting price
    while it runs.
    """
    return select(_IN_FORCE, {"now": now}, prices=prices)


def channel_price(base: Cents, markup: Decimal, to: Decimal, floor: Cents, ceiling: Cents) -> Cents:
    """`base` with the markup, to the nearest multiple of `to`, halves up; `floor` 0, `ceiling` NO_CEILING: none.

    Rounding crosses no bound: a price within them before it is rounded goes to the next multiple within. A price that
    is outside without rounding stays there, for `guard` to hold. Raises ValueError where `to` is no whole number of
    hundredths.
    """
    step = Fraction(to) * 100
    if step.denominator != 1:
        raise ValueError(f"prices cannot be rounded to multiples of {to}: write a multiple of 0.01")
    factor, size = Fraction(1 + markup), int(step)
    top, bottom = factor.numerator, factor.denominator
    exact = _roomy(base, 2 * top) * top  # in 1/bottom of a hundredth
    price = (2 * exact + bottom * size) // (2 * bottom * size) * size
    raised = -(-floor // size) * size
    lowered = ceiling // size * size
    price = np.where((price < floor) & (exact >= _roomy(floor, bottom) * bottom), raised, price)
    within = exact <= _roomy(np.minimum(ceiling, NO_CEILING // bottom), bottom) * bottom
    return np.asarray(np.where((price > ceiling) & within, lowered, price), dtype=np.int64)


def _roomy(amounts: Cents, factor: int) -> NDArray[np.int64] | NDArray[np.object_]:
    """Python's own integers where the product could pass 64 bits."""
    biggest = int(np.abs(amounts).max(initial=0))
    return amounts if biggest * factor < 2**62 else amounts.astype(object)
