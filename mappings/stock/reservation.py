"""Who a unit is promised to: which orders hold units, what becomes of them, and who is served first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from mappings.canonical.order import PROGRESS

WAITING = PROGRESS[: PROGRESS.index("shipped")]
"""Statuses whose lines hold units."""
GONE = (*PROGRESS[PROGRESS.index("shipped") :], "returning")
"""Statuses whose goods have left."""
BACK = ("returned", "deleted", "copy")
"""Goods that left are there again, or never left: a copy moves nothing, its origin does."""

State = Literal["active", "short", "consumed", "released"]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Line:
    """What a line of an order asks for. `status`: of its order, or `deleted`, or `copy` of an order known elsewhere.

    `sku` None: the line is no more, or of nothing we know. `places`: where its units may come from, best first; empty:
    anywhere. `paid_at`: when the order was paid, as far as known. `moved_at`: when its status last changed.
    """

    connection: str
    external_id: str
    line: str
    status: str
    placed_at: datetime
    moved_at: datetime
    sku: str | None = None
    quantity: Decimal = Decimal(0)
    places: tuple[str, ...] = ()
    paid_at: datetime | None = None

    @property
    def key(self) -> Key:
        return self.connection, self.external_id, self.line

    @property
    def turn(self) -> tuple[bool, datetime, datetime, Key]:
        """Paid orders by the time of payment, then the others by the time they were placed."""
        return self.paid_at is None, self.paid_at or self.placed_at, self.placed_at, self.key


@dataclass(frozen=True)
class Reservation:
    """Units promised to a line, or that it waits for (`short`), or that left with it (`consumed`, at `changed_at`)."""

    connection: str
    external_id: str
    line: str
    sku: str
    location: str | None
    quantity: Decimal
    state: State
    placed_at: datetime
    changed_at: datetime

    @property
    def key(self) -> Key:
        return self.connection, self.external_id, self.line


def settled(lines: Iterable[tuple[Line, Reservation | None]], now: datetime) -> list[Reservation]:
    """The reservations that must change, as they must become before anything new is promised.

    A line that wants more units than it has, or is of another variant now, gives back what it has and waits again.
    """
    pairs = [(old, _settled(line, old, now)) for line, old in lines]
    return [new for old, new in pairs if new is not None and new != old]


def _settled(line: Line, old: Reservation | None, now: datetime) -> Reservation | None:
    wanted = line.sku is not None and line.quantity > 0
    if wanted and line.status in WAITING:
        return _waiting(line, old, now)
    if old is None or old.state == "released":
        return old
    if wanted and line.status in GONE:
        return _gone(line, old)
    if old.state == "consumed" and line.status not in BACK and wanted:
        return old  # cancelled on the way: the goods are back when somebody counts them
    return replace(old, state="released", changed_at=now)


def _waiting(line: Line, old: Reservation | None, now: datetime) -> Reservation:
    assert line.sku is not None
    if old and old.state == "consumed":
        return old
    if old and old.state == "active" and old.sku == line.sku and old.quantity >= line.quantity:
        return old if old.quantity == line.quantity else replace(old, quantity=line.quantity, changed_at=now)
    if old and old.state == "short" and (old.sku, old.quantity) == (line.sku, line.quantity):
        return old
    return Reservation(*line.key, line.sku, None, line.quantity, "short", line.placed_at, now)


def _gone(line: Line, old: Reservation) -> Reservation:
    """Units never promised left all the same: from where the order says, else from the first place that may sell."""
    assert line.sku is not None
    if old.state == "consumed":
        return replace(old, sku=line.sku, quantity=line.quantity if old.quantity > 0 else old.quantity)
    place = old.location or next(iter(line.places), None)
    return replace(old, state="consumed", location=place, quantity=line.quantity, changed_at=line.moved_at)
