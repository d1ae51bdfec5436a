"""What a record of Kaspi is: an order with its entries, and its user where the answer brings one, joined in."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.sdk import Record
from mappings.canonical.money import exact
from mappings.tables import at


def to_id(key: str) -> str:
    """A business key as Kaspi's resource id: base64 without padding (contract kaspi 2)."""
    return b64encode(key.encode()).decode().rstrip("=")


def from_id(resource_id: str) -> str:
    """The business key inside an id, padded or not. Raises ValueError where there is none."""
    bare = resource_id.rstrip("=")
    return b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()


def orders_in(reply: Any) -> list[Record] | None:
    """Orders of a saved answer (a list, one order, or a record as landed); None where it is something else.

    Answers to a status write have the same type and hold neither a date nor a sum: those are not orders.
    """
    if not isinstance(reply, Mapping):
        return None
    data = reply.get("data", reply)
    found = list(data) if isinstance(data, list) else [data]
    return joined(found, reply.get("included") or ()) if all(map(_is_order, found)) else None


def _is_order(resource: Any) -> bool:
    said = resource.get("attributes") if isinstance(resource, Mapping) and resource.get("type") == "orders" else None
    return isinstance(said, Mapping) and ("totalPrice" in said or "creationDate" in said)


def joined(orders: list[Record], included: Any) -> list[Record]:
    """Each order with what belongs to it of `included`: `entries` by number, `user`.

    An entry that is named but not brought along stays a bare `{type, id}`; an order that names none has no `entries`.
    """
    entries: dict[str, dict[str, Record]] = {}
    users: dict[str, Record] = {}
    for resource in included:
        bare = str(resource.get("id", "")).rstrip("=")
        if resource.get("type") == "orderentries":
            entries.setdefault(_order_of(bare), {})[bare] = resource
        elif resource.get("type") == "customers":
            users[bare] = resource
    return [_with_parts(order, entries.get(str(order.get("id", "")).rstrip("="), {}), users) for order in orders]


def _with_parts(order: Record, told: Mapping[str, Record], users: Mapping[str, Record]) -> Record:
    named = {str(link["id"]).rstrip("="): link for link in at(order, "relationships.entries.data") or ()}
    user = users.get(str(at(order, "relationships.user.data.id") or "").rstrip("="))
    parts: Record = {"user": user} if user else {}
    if named or told:
        parts["entries"] = in_order({**named, **told}.values())
    return {**order, **parts}


def in_order(entries: Any) -> list[Record]:
    """By number: Kaspi promises no order, and a record that only changed places would look changed."""
    return sorted(entries, key=lambda entry: (at(entry, "attributes.entryNumber") or 0, str(entry.get("id"))))


def _order_of(entry_id: str) -> str:
    """The id of the order an entry belongs to: its own is `<code>##<number>`."""
    try:
        return to_id(from_id(entry_id).partition("##")[0])
    except ValueError:
        return ""


def is_whole(order: Record) -> bool:
    """Whether the entries are all there: each with its attributes, and together worth the order's goods.

    A list answer has been seen with fewer entries included than the order has (contract kaspi 3.3).
    """
    entries = order.get("entries") or ()
    try:
        worth = [amount(entry, "totalPrice") for entry in entries]
        return bool(worth) and sum(worth, Decimal(0)) == amount(order, "totalPrice")
    except ValueError:
        return False


def amount(resource: Mapping[str, Any], name: str) -> Decimal:
    """An attribute that is money: an integer or a float in the JSON. Raises ValueError where it is neither."""
    return exact(at(resource, f"attributes.{name}"))
