"""Orders: one sale is one order, whoever sold it. A till receipt is an order of channel `store`, complete at once."""

from decimal import Decimal
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import AwareDatetime, Field, model_validator

from mappings.canonical.base import Canonical, Currency, Identifier
from mappings.canonical.money import CENT
from mappings.canonical.product import VariantRef

Status = Literal[
    "placed", "confirmed", "assembling", "ready", "shipped", "delivered", "completed",
    "cancelled", "returning", "returned",
]  # fmt: skip
STATUSES: tuple[str, ...] = get_args(Status)
PROGRESS = STATUSES[:7]
"""The legal way forward; skipping is legal, going back is not (canonical-model, Orders)."""
WAY = (*PROGRESS, "returning", "returned")


class OrderLine(VariantRef):
    """One line; amounts in the order's currency. `unit_price` is None where it cannot be known (quantity 0)."""

    entity: ClassVar[str] = "order_line"
    line: Identifier
    name: str | None = None
    quantity: Decimal = Field(ge=0)
    unit_price: Decimal | None = None
    discount: Decimal = Decimal(0)
    total: Decimal
    vat_rate: Decimal | None = None
    location: Identifier | None = None


class Order(Canonical):
    """A sale or a return (amounts non-negative, `kind` gives the sign).

    Raises ValueError unless Σ lines + delivery_cost − discount = total, to the cent.
    """

    entity: ClassVar[str] = "order"
    external_id: Identifier
    number: str
    kind: Literal["sale", "return"] = "sale"
    channel: str
    placed_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    status: Status
    status_raw: str | None = None
    customer: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    contact_email: str | None = None
    delivery: dict[str, Any] = Field(default_factory=dict)
    """Of what it says, two decide about units of a cancelled sale: `goods_travel_back`, and then `goods_are_back`."""
    payment: dict[str, Any] = Field(default_factory=dict)
    delivery_cost: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    total: Decimal
    currency: Currency
    location: Identifier | None = None
    till: str | None = None
    cashier: str | None = None
    receipt_number: str | None = None
    fiscal_sign: str | None = None
    loyalty_id: str | None = None
    returns: str | None = None
    """The sale that a return gives back, as connection:external_id: it may have been sold anywhere. A bare id is of the
    same connection, and is stored with its name; a copy's stands for its origin, and is stored as that."""
    copy_of: str | None = None
    lines: tuple[OrderLine, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        lines = sum((line.total for line in self.lines), Decimal(0))
        difference = lines + self.delivery_cost - self.discount - self.total
        if abs(difference) >= CENT:
            raise ValueError(f"lines {lines} + delivery {self.delivery_cost} - discount {self.discount} "
                             f"differ from the total {self.total} by {difference}")  # fmt: skip
        return self


def is_final(status: str) -> bool:
    """No further move changes stock: such an order needs no re-reading and holds no reservation."""
    return status in {"completed", "cancelled", "returned"}


def may_follow(was: str, becomes: str) -> bool:
    """Whether an order in status `was` may move to `becomes` (canonical-model, Orders).

    Forward only, steps may be skipped; into `cancelled` from everything before `completed`, and out of it nowhere.
    """
    if becomes == "cancelled":
        return was in PROGRESS[:-1]
    return was != "cancelled" and WAY.index(becomes) > WAY.index(was)
