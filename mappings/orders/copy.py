"""What a copy of an order says in another system."""

from collections.abc import Mapping, Sequence
from typing import Any

ORDER = (
    "connection", "external_id", "number", "channel", "placed_at", "status", "customer", "contact_name",
    "contact_phone", "contact_email", "delivery", "payment", "delivery_cost", "discount", "total", "currency",
    "location",
)  # fmt: skip
LINE = ("line", "sku", "name", "quantity", "unit_price", "discount", "total", "vat_rate", "location")


def copy_of(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The canonical order as JSON, under the name of its origin (`connection`, `external_id`).

    Only what a copy has to say: an origin's own notes (raw status, time of its last change) would make every look at it
    a change. Empty facts are left out.
    """
    said = {name: order[name] for name in ORDER if order.get(name) not in (None, {}, [])}
    return {**said, "lines": [{name: line[name] for name in LINE if line.get(name) is not None} for line in lines]}
