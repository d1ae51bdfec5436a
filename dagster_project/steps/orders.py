"""Orders from their records to the store: how far each has come, and what of the way is history only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from dagster_project.steps.goods import place
from dagster_project.steps.mapping import Pass, Rows, Said
from dagster_project.steps.people.erased import make_nameless
from dagster_project.store import orders, quarantine
from dagster_project.store.goods import Put
from dagster_project.store.incoming import stated
from dagster_project.store.orders import Event, Known
from dagster_project.store.quarantine import Aside
from mappings.canonical import Order, may_follow

OUT_OF_TURN = "does not follow {}; the order stays where it is"
LATE = "learnt late; the order has moved on since"


def order_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """Heads and lines of the orders that moved on; what came late, or would go back, becomes an event only."""
    known: dict[str, Known] = work.memory.setdefault("orders", {})
    new = {cast(Order, one.record).external_id for one in said} - known.keys()
    known.update(orders.known(work.db, work.connection.name, sorted(new)))
    events, aside = [], []
    heads, lines = [], []
    for one in said:
        order = cast(Order, one.record)
        if len({line.line for line in order.lines}) < len(order.lines):
            aside.append(Aside(one.row.id, "order", "duplicate_line", "two of its lines have the same number"))
            continue
        if _is_late(order, known.get(order.external_id)):
            events.append(_event(one, LATE))
            continue
        known[order.external_id] = now_at = _moved(one, known.get(order.external_id), events)
        heads.append(_head(work, one, now_at))
        lines.extend(_lines(work, one))
    orders.add_events(work.db, events)
    quarantine.add(work.db, aside)
    return {"order": heads, "order_line": lines}


def _is_late(order: Order, known: Known | None) -> bool:
    return bool(known and known.updated_at and order.updated_at and order.updated_at < known.updated_at)


def _moved(one: Said, known: Known | None, events: list[Event]) -> Known:
    """Where the order stands after this record."""
    order = cast(Order, one.record)
    if known is None or may_follow(known.status, order.status):
        events.append(_event(one, None))
        return Known(order.status, order.status_raw, order.updated_at)
    updated_at = order.updated_at or known.updated_at
    if known.status == order.status:
        return Known(order.status, order.status_raw, updated_at)
    events.append(_event(one, OUT_OF_TURN.format(known.status)))
    return Known(known.status, known.status_raw, updated_at)


def _event(one: Said, note: str | None) -> Event:
    """At the vendor's time where it tells one, else when we learnt it: the same however often it is mapped."""
    order = cast(Order, one.record)
    at = order.updated_at or (order.placed_at if order.status == "placed" else one.row.landed_at)
    return Event(order.external_id, at, order.status, order.status_raw, note, one.source)


def _head(work: Pass, one: Said, known: Known) -> dict[str, Any]:
    order = cast(Order, one.record)
    return {
        **stated(order),
        "seq": one.row.id,
        "source": one.source,
        "status": known.status,
        "status_raw": known.status_raw,
        "location": place(work, order.location),
        "returns": _whole(work, order.returns),
        "copy_of": _origin(work, order),
        "day": _day(work, order.placed_at),
    }


def _lines(work: Pass, one: Said) -> list[dict[str, Any]]:
    order, seq = cast(Order, one.record), one.row.id
    return [
        {**line.__dict__, "external_id": order.external_id, "seq": seq, "location": place(work, line.location)}
        for line in order.lines
    ]


def _whole(work: Pass, reference: str | None) -> str | None:
    """`connection:external_id`; a bare id is of this connection."""
    if reference is None or reference.partition(":")[0] in work.hub.connections:
        return reference
    return f"{work.connection.name}:{reference}"


def _origin(work: Pass, order: Order) -> str | None:
    """What the order is a copy of. An order that names itself is the origin."""
    own = f"{work.connection.name}:{order.external_id}"
    return None if order.copy_of in (None, own) else order.copy_of


def _day(work: Pass, moment: datetime) -> Any:
    """The local business date."""
    if "zone" not in work.memory:
        work.memory["zone"] = ZoneInfo(getattr(work.connection.config, "timezone", None) or work.hub.entry.timezone)
    return moment.astimezone(work.memory["zone"]).date()


def put_orders(work: Pass) -> Put:
    make_nameless(work, "order")
    return orders.put_orders(work.db, work.values)
