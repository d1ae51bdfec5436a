"""What a person asks of an order at its origin: part of what is desired from now on, sent like all changes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub
from dagster_project.store import order_requests as requests
from dagster_project.store.dirty import mark
from mappings.orders.status import together

SINK = "order.status"
WORDS = ("status", "arrived", "keep")
"""Of these a request says at least one; the rest (reason, comment) explains it."""


def ask(
    engine: Engine, hub: Hub, order: str, asked: Mapping[str, Any], *, who: str, why: str = "", now: datetime
) -> dict[str, Any]:
    """Writes down what is asked of `order` (`connection:id`), and gives all that is asked of it now.

    The next decision plans it; `push.order` says whether that plan waits for approval. Raises ConfigError where the
    channel takes no such request, or there is no such order or line.
    """
    connection, external_id = _place(hub, order)
    _offered(connection, asked)
    with engine.begin() as db:
        lines = requests.lines_of(db, connection.name, external_id)
        if lines is None:
            raise ConfigError(f"there is no order {order}; `keruen explain order NUMBER` finds its full name")
        _fewer(order, asked.get("keep", {}), lines)
        whole = together(requests.standing(db, connection.name, external_id), asked)
        requests.put(db, connection.name, external_id, whole, who=who, why=why, now=now)
        mark(db, "order", [order])
    return whole


def withdraw(engine: Engine, hub: Hub, order: str) -> bool:
    """Takes a request back, as far as it has not been sent; whether there was one."""
    connection, external_id = _place(hub, order)
    with engine.begin() as db:
        mark(db, "order", [order])
        return requests.withdraw(db, connection.name, external_id)


def _place(hub: Hub, order: str) -> tuple[Connection, str]:
    name, colon, external_id = order.partition(":")
    if not colon or not external_id:
        raise ConfigError(f"{order!r} does not say whose order it is: write connection:number, e.g. shop:1042")
    return hub[name], external_id


def _offered(connection: Connection, asked: Mapping[str, Any]) -> None:
    words = {str(asked[word]) if word == "status" else word for word in WORDS if word in asked}
    spec = connection.spec
    offered = spec.sink(SINK).asks if spec and SINK in spec.capabilities else frozenset()
    if words - offered:
        can = ", ".join(sorted(offered)) or "nothing of the kind"
        raise ConfigError(
            f"{connection.name} cannot be asked for {', '.join(sorted(words))}; its connector takes: {can}. "
            "Do it in the channel's own cabinet."
        )
    if SINK not in connection.capabilities:
        raise ConfigError(f"{connection.name}: orders are not written there; set `push: {{order: auto}}` or `approve`")


def _fewer(order: str, keep: Mapping[str, Mapping[str, Any]], lines: Mapping[str, Any]) -> None:
    """Lines can be kept in part, or not at all; more of one is another order."""
    for number, stays in keep.items():
        if number not in lines:
            known = ", ".join(f"{line} ({row.sku or 'unknown'})" for line, row in sorted(lines.items()))
            raise ConfigError(f"{order} has no line {number}; it has {known or 'none'}")
        quantity = Decimal(str(stays.get("quantity", 0)))
        ordered = lines[number].quantity
        if not 0 <= quantity <= ordered:
            raise ConfigError(f"{order}: {quantity} of line {number} cannot stay, {ordered:f} were ordered")
