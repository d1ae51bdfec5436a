"""Carts as files tell them: a row per line, which come together by the cart's id."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.files.config import FilesConfig
from connectors.files.contacts import CHANNELS
from connectors.files.words import known, or_as_written, words
from mappings.tables import Derived, Field, FieldMap, Unusable, at
from mappings.tables.cart_frames import CartRow
from mappings.tables.notation import Moments, Numbers, identifier, somebodys

STATES = words(
    open="open, active, new, abandoned, открыта, активна, новая, брошена, ашық, тасталған",
    ordered="ordered, converted, completed, purchased, paid, оформлена, заказ, заказана, куплена, тапсырыс берілді",
    dropped="dropped, deleted, cleared, emptied, удалена, очищена, пустая, жойылды",
)
"""That a cart is abandoned is decided by the hub's rule: such a one is open."""


def rows(config: FilesConfig) -> FieldMap:
    """Lines of carts. A line without goods says that its cart is empty."""
    numbers = Numbers(config.decimal, config.thousands)

    def quantity(cells: Mapping[str, str | None], _: Any) -> Decimal | None:
        written = at(cells, "quantity")
        if written is None and at(cells, "sku") is not None:
            raise Unusable("Field required", "missing_field")
        return None if written is None else numbers.quantity(written)

    return FieldMap(
        CartRow,
        {
            "external_id": Field("cart", identifier), "customer": Field("external_id", somebodys),
            "channel": Field("channel", or_as_written(CHANNELS)),
            "updated_at": Field("updated_at", Moments(config.date_format, config.timezone)),
            "state": Field("state", known(STATES)), "sku": Field("sku", identifier),
            "quantity": Derived(quantity, ("quantity", "sku")),
        },
    )  # fmt: skip
