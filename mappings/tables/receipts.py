"""Till lines → receipts: the same rules for one receipt at hand (`to_orders`) and for a year of them
(`receipt_frames`).

A receipt is an order of channel `store`, complete on arrival. Amounts of an order are non-negative and `kind` gives
the sign; tills say it in several ways (contract pos 8.3): a kind column, a negative quantity, negative sums alone. A
receipt that sells and takes back becomes two orders, `<id>` and `<id>/return`: neither money nor goods are netted
away.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from mappings.canonical.base import Canonical, Identifier
from mappings.canonical.money import rounded
from mappings.canonical.order import Order, OrderLine
from mappings.tables.result import Mapped, Quarantined, Result

Amount = Annotated[Decimal, Field(max_digits=15, decimal_places=2)]
Quantity = Annotated[Decimal, Field(max_digits=15, decimal_places=3)]
ONE_VISIT = timedelta(hours=1)
"""Lines of one receipt may straddle midnight by no more than this; else two receipts share a number."""


class ReceiptLine(Canonical):
    """One line as the till wrote it, signs included. `returned`: what a kind column said, None where there is none."""

    entity: ClassVar[str] = "receipt_line"
    external_id: Identifier
    receipt: Identifier
    line: Identifier | None = None
    location: Identifier | None = None
    till: Identifier | None = None
    placed_at: AwareDatetime
    day: date
    clock_change: bool = False
    returned: bool | None = None
    sku: Identifier | None = None
    barcode: str | None = None
    name: str | None = None
    quantity: Quantity
    unit_price: Amount | None = None
    discount: Amount = Decimal(0)
    total: Amount
    receipt_total: Amount | None = None
    payment: str | None = None
    customer: Identifier | None = None
    loyalty_id: Identifier | None = None
    fiscal_sign: Identifier | None = None


def to_orders(lines: Sequence[ReceiptLine], currency: str) -> Result:
    """The orders of one receipt, its lines in the order of the file; or the reason why it is set aside."""
    back = _goes_back(lines)
    sold = [(place, line) for place, line in enumerate(lines, 1) if not back[place - 1]]
    returned = [(place, line) for place, line in enumerate(lines, 1) if back[place - 1]]
    if problem := _problem(lines, _sum(sold), _sum(returned)):
        return problem
    sale = _order("sale", sold, lines, currency) if sold else None
    refund = _order("return", returned, lines, currency) if returned else None
    return Mapped(tuple(order for order in (sale, refund) if order))


def _goes_back(lines: Sequence[ReceiptLine]) -> list[bool]:
    """Which lines are returns. Where no kind is stated, a receipt whose sums alone are negative is one as a whole."""
    back = [bool(line.returned) or line.quantity < 0 for line in lines]
    rest = sum(line.total for line, away in zip(lines, back, strict=True) if not away)
    turned = rest < 0 and all(line.returned is None for line in lines)
    return [away or turned for away in back]


def _problem(lines: Sequence[ReceiptLine], sold: Decimal, returned: Decimal) -> Quarantined | None:
    span = max(line.placed_at for line in lines) - min(line.placed_at for line in lines)
    places = {(line.location, line.till) for line in lines}
    if len(places) > 1 or (len({line.day for line in lines}) > 1 and span > ONE_VISIT):
        return Quarantined("receipt_reused", "several places, tills or days have a receipt of this number")
    if len({line.line or str(place) for place, line in enumerate(lines, 1)}) < len(lines):
        return Quarantined("duplicate_line", "two of its lines have the same number")
    if any(line.sku is None and line.barcode is None and line.name is None for line in lines):
        return Quarantined("no_product", "one of its lines names no product")
    if sold < 0:
        return Quarantined("negative_total", f"a sale of {sold:.2f}")
    stated = {abs(line.receipt_total) for line in lines if line.receipt_total is not None}
    net = abs(sold - abs(returned))
    if stated and stated != {net}:
        return Quarantined("does_not_add_up", f"its lines give {net:.2f}, the receipt says {max(stated):.2f}")
    return None


def _order(
    kind: Literal["sale", "return"],
    part: Sequence[tuple[int, ReceiptLine]],
    lines: Sequence[ReceiptLine],
    currency: str,
) -> Order:
    first, alone = lines[0], len(part) == len(lines)
    sign = -1 if _sum(part) < 0 else 1
    ways = "+".join(sorted({line.payment for line in lines if line.payment}))
    return Order(
        external_id=first.external_id if alone or kind == "sale" else f"{first.external_id}/return",
        returns=None if alone or kind == "sale" else first.external_id,
        number=first.receipt, receipt_number=first.receipt, kind=kind, channel="store", status="completed",
        placed_at=min(line.placed_at for line in lines), total=sign * _sum(part), currency=currency,
        location=first.location, till=first.till, payment={"method": ways} if ways else {},
        customer=_said(line.customer for line in lines), loyalty_id=_said(line.loyalty_id for line in lines),
        fiscal_sign=_said(line.fiscal_sign for line in lines), lines=tuple(_line(place, line, sign) for place,
        line in part),
    )  # fmt: skip


def _line(place: int, line: ReceiptLine, sign: int) -> OrderLine:
    total = sign * line.total
    return OrderLine(
        line=line.line or str(place), sku=line.sku, barcode=line.barcode, name=line.name, total=total,
        quantity=abs(line.quantity), discount=abs(line.discount), unit_price=_unit_price(line, total),
    )  # fmt: skip


def _unit_price(line: ReceiptLine, total: Decimal) -> Decimal | None:
    """As stated, else before discount; unknown where nothing was counted (rule `zero_quantity`)."""
    if line.quantity == 0:
        return None
    if line.unit_price is not None:
        return abs(line.unit_price)
    return rounded((abs(total) + abs(line.discount)).copy_sign(total) / abs(line.quantity))


def _sum(part: Sequence[tuple[int, ReceiptLine]]) -> Decimal:
    return sum((line.total for _, line in part), Decimal(0))


def _said(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)
