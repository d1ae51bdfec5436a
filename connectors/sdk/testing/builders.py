"""Canonical records and changes with sensible defaults: a test names only what its story is about."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.sdk.deliver import Change
from mappings.canonical import Customer, Listing, Location, Order, OrderLine, Price, Product, StockLevel

NOON = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
"""Monday 2 March 2026, noon in Almaty."""


def a_product(sku: str = "SKU-1", **facts: Any) -> Product:
    return Product(**{"external_id": f"id-{sku}", "sku": sku, "name": f"Шай {sku}", **facts})


def a_location(external_id: str = "Almaty-1", **facts: Any) -> Location:
    return Location(**{"external_id": external_id, "name": external_id, "kind": "store", **facts})


def a_stock_level(sku: str = "SKU-1", on_hand: int = 5, **facts: Any) -> StockLevel:
    return StockLevel(**{"sku": sku, "location": "Almaty-1", "on_hand": Decimal(on_hand), "as_of": NOON, **facts})


def a_price(sku: str = "SKU-1", amount: int | str = 1000, **facts: Any) -> Price:
    return Price(**{"sku": sku, "price_type": "retail", "amount": Decimal(amount), "currency": "KZT", **facts})


def a_listing(sku: str = "SKU-1", **facts: Any) -> Listing:
    return Listing(**{"external_id": f"id-{sku}", "sku": sku, "title": f"Шай {sku}", "currency": "KZT", **facts})


def a_customer(external_id: str = "1", **facts: Any) -> Customer:
    return Customer(**{"external_id": external_id, "name": "Әлия Бейсенова", "phones": ("+77000000001",), **facts})


def a_line(sku: str = "SKU-1", quantity: int = 1, price: int | str = 1000, **facts: Any) -> OrderLine:
    """`total` is quantity × price unless given."""
    amount = Decimal(price)
    return OrderLine(
        **{
            "line": sku,
            "sku": sku,
            "quantity": Decimal(quantity),
            "unit_price": amount,
            "total": amount * quantity,
            **facts,
        }
    )


def an_order(number: str = "1001", lines: tuple[OrderLine, ...] | None = None, **facts: Any) -> Order:
    """A sale just placed. `total` is what the lines, delivery and discount come to, unless given."""
    lines = (a_line(),) if lines is None else lines
    total = sum((line.total for line in lines), Decimal(0)) + facts.get("delivery_cost", 0) - facts.get("discount", 0)
    defaults = {"external_id": number, "number": number, "channel": "site", "placed_at": NOON, "status": "placed",
                "total": total, "currency": "KZT"}  # fmt: skip
    return Order(**{**defaults, **facts, "lines": lines})


def a_change(capability: str, subject: str = "SKU-1", value: Any = 5, **facts: Any) -> Change:
    """A first change of a subject the channel knows as `id-<subject>`."""
    defaults = {"external_id": f"id-{subject}", "key": f"test:{capability}:{subject}:1",
                "about": {"name": f"Шай {subject}", "brand": "Самал", "currency": "KZT"}}  # fmt: skip
    return Change(capability=capability, subject=subject, value=value, **{**defaults, **facts})
