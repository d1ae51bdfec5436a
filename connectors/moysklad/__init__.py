"""МойСклад, a trading ERP: reads goods, stores, stock, prices, people, orders and receipts; writes orders."""

from functools import partial

from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.documents import to_order, to_receipt, to_retail_return, to_return
from connectors.moysklad.hooks import heard
from connectors.moysklad.mapping import reads, reads_stock, stock_key, to_customer, to_location, to_price, to_product
from connectors.moysklad.mapping import to_stock_level as to_stock
from connectors.moysklad.sink import BATCH, check, push_orders, shown_orders
from connectors.moysklad.source import (
    OVERLAP,
    counterparties,
    customer_orders,
    from_moscow,
    moscow,
    products,
    retail_returns,
    retail_sales,
    sales_returns,
    stock,
    stores,
    updated,
)
from connectors.sdk import ConnectorSpec, Resource, Sink

GOODS = ("product", "variant", "bundle", "service", "consignment")

followed = partial(Resource, lag=OVERLAP, parse_cursor=from_moscow, format_cursor=moscow)
by_change = partial(followed, key="id", cursor=updated)

CONNECTOR = ConnectorSpec(
    name="moysklad",
    title="МойСклад",
    config=MoySkladConfig,
    resources=(
        by_change(
            "stores", extract=stores, map=to_location, reads=reads("store"), complete="full", every="20 * * * *"
        ),
        by_change(
            "products", extract=products, map={"product": to_product, "price": to_price}, reads=reads(*GOODS),
            complete="full", every="*/15 * * * *",
        ),
        followed(
            "stock", extract=stock, map=to_stock, reads=reads_stock, key=stock_key, hot=True, every="*/5 * * * *"
        ),
        by_change(
            "counterparties", extract=counterparties, map=to_customer, reads=reads("counterparty"), complete="full",
            every="*/30 * * * *",
        ),
        by_change(
            "customer_orders", extract=customer_orders, map=to_order, reads=reads("customerorder"), hot=True,
            every="*/5 * * * *",
        ),
        by_change(
            "retail_sales", extract=retail_sales, map=to_receipt, reads=reads("retaildemand"), every="*/10 * * * *"
        ),
        by_change(
            "retail_returns", extract=retail_returns, map=to_retail_return, reads=reads("retailsalesreturn"),
            every="*/10 * * * *",
        ),
        by_change(
            "sales_returns", extract=sales_returns, map=to_return, reads=reads("salesreturn"), every="*/10 * * * *"
        ),
    ),
    sinks=(
        Sink(
            "order.push", deliver=push_orders, read_back=shown_orders, batch=BATCH, needs_listing=False,
            hint="Makes a customer order of each order of another channel, and moves its state on.",
        ),
    ),
    check=check,
    hear=heard,
)  # fmt: skip
