"""Kaspi Магазин: reads orders and buyers; moves orders; offers prices and stock in a price list that Kaspi fetches."""

from datetime import datetime

from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.feed import belongs, login, render
from connectors.kaspi.mapping import to_customer, to_order
from connectors.kaspi.records import orders_in
from connectors.kaspi.sink import ASKS, move_orders, progress, reached
from connectors.kaspi.source import check, orders
from connectors.sdk import ConnectorSpec, Resource, Sink

ORDERS = Resource(
    "orders",
    extract=orders,
    key="attributes.code",
    map={"order": to_order, "customer": to_customer},
    reads=orders_in,
    parse_cursor=datetime.fromisoformat,
    format_cursor=datetime.isoformat,
    open_orders=True,
    hot=True,
    every="*/5 * * * *",
)

PRICE_LIST = Sink(
    ("price.push", "stock.push"),
    mode="snapshot",
    render=render,
    belongs=belongs,
    login=login,
    by_point=True,
    needs_listing=False,
    hint="Kaspi fetches the price list about once an hour; it tells nobody which rows it took, the cabinet shows it.",
)

STATUS = Sink(
    "order.status",
    deliver=move_orders,
    read_back=progress,
    same=reached,
    batch=1,
    needs_listing=False,
    asks=ASKS,
    hint="Accepts and assembles (Kaspi Delivery); cancels, in part too, when asked; completing needs the buyer's code.",
)

CONNECTOR = ConnectorSpec(
    name="kaspi",
    title="Kaspi Магазин",
    config=KaspiConfig,
    channel="kaspi",
    resources=(ORDERS,),
    sinks=(PRICE_LIST, STATUS),
    check=check,
)
