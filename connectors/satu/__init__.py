"""Satu.kz marketplace: reads orders, products and clients; writes prices, stock and order statuses."""

from datetime import datetime

from connectors.satu.config import SatuConfig
from connectors.satu.mapping import to_customer, to_listing, to_order, to_product
from connectors.satu.sink import (
    check,
    move_order,
    push_price,
    push_stock,
    reached,
    shown_price,
    shown_status,
    shown_stock,
)
from connectors.satu.source import OVERLAP, clients, listed, orders, products
from connectors.sdk import ConnectorSpec, Resource, Sink

ORDERS = Resource(
    "orders",
    extract=orders,
    key="id",
    map=to_order,
    reads=lambda reply: listed(reply, "orders", "order", "client_first_name"),
    lag=OVERLAP,
    parse_cursor=datetime.fromisoformat,
    format_cursor=datetime.isoformat,
    hot=True,
    every="*/5 * * * *",
)

PRODUCTS = Resource(
    "products",
    extract=products,
    key="id",
    map={"product": to_product, "listing": to_listing},
    reads=lambda reply: listed(reply, "products", "product", "presence"),
    lag=OVERLAP,
    parse_cursor=datetime.fromisoformat,
    format_cursor=datetime.isoformat,
    complete="full",
    every="*/15 * * * *",
)

CLIENTS = Resource(
    "clients",
    extract=clients,
    key="id",
    map=to_customer,
    reads=lambda reply: listed(reply, "clients", "client", "client_full_name"),
    complete=True,
    every="10 * * * *",
)

CONNECTOR = ConnectorSpec(
    name="satu",
    title="Satu.kz",
    config=SatuConfig,
    channel="satu",
    resources=(PRODUCTS, ORDERS, CLIENTS),
    sinks=(
        Sink("price.push", deliver=push_price, read_back=shown_price, hint="Shown at once."),
        Sink("stock.push", deliver=push_stock, read_back=shown_stock, hint="Presence goes with the count."),
        Sink(
            "order.status", deliver=move_order, read_back=shown_status, same=reached, batch=1, needs_listing=False,
            asks=frozenset({"cancelled"}),
            hint="Accepts, completes and cancels orders.",
        ),
    ),
    check=check,
)  # fmt: skip
