"""Bitrix24, a CRM: reads people, deals and the catalogue; writes contacts, orders as deals, segments as a field."""

from functools import partial

from connectors.bitrix24.activities import to_event
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.copies import ORDERS_AT_ONCE, push_orders, shown_orders
from connectors.bitrix24.deals import to_order
from connectors.bitrix24.events import heard
from connectors.bitrix24.mapping import (
    to_company,
    to_contact,
    to_lead,
    to_location,
    to_price,
    to_product,
    to_purchase_price,
    to_stock_level,
    to_total,
)
from connectors.bitrix24.notation import moment, utc
from connectors.bitrix24.shop_orders import to_shop_order
from connectors.bitrix24.sink import AT_ONCE, check, push_customers, push_segments, shown_customers, shown_segments
from connectors.bitrix24.source import (
    OVERLAP,
    activities,
    companies,
    contacts,
    deals,
    deals_there,
    leads,
    prices,
    products,
    reads,
    reads_wrapped,
    shop_orders,
    shop_orders_there,
    stock,
    stores,
)
from connectors.sdk import ConnectorSpec, Resource, Sink

followed = partial(Resource, lag=OVERLAP, parse_cursor=moment, format_cursor=utc)
of_crm = partial(followed, key="ID", cursor=lambda record: utc(moment(record["DATE_MODIFY"])))
of_goods = partial(followed, key="id", cursor=lambda record: utc(moment(record["timestampX"])))
BY_HAND = "In CRM open each contact, company and lead of the person and choose Delete; empty the recycle bin too."

CONNECTOR = ConnectorSpec(
    name="bitrix24",
    title="Битрикс24",
    config=Bitrix24Config,
    resources=(
        of_crm("contacts", extract=contacts, map=to_contact, reads=reads("EXPORT"), complete="full"),
        of_crm("companies", extract=companies, map=to_company, reads=reads("COMPANY_TYPE"), complete="full"),
        of_crm("leads", extract=leads, map=to_lead, reads=reads("STATUS_ID", "ENTITY_ID"), complete="full"),
        of_crm(
            "deals", extract=deals, map=to_order, reads=reads("STAGE_ID"), complete=deals_there, hot=True,
            every="*/5 * * * *",
        ),
        followed(
            "activities", extract=activities, key="ID", cursor=lambda record: utc(moment(record["LAST_UPDATED"])),
            map=to_event, reads=reads("PROVIDER_ID"), every="*/15 * * * *",
        ),
        followed(
            "shop_orders", extract=shop_orders, key="id", cursor=lambda record: utc(moment(record["dateUpdate"])),
            map=to_shop_order, reads=reads_wrapped("orders", "accountNumber"), complete=shop_orders_there, hot=True,
            every="*/5 * * * *",
        ),
        of_goods(
            "products", extract=products, reads=reads_wrapped("products", "iblockId"), complete="full",
            map={"product": to_product, "price": to_purchase_price, "stock_level": to_total}, every="*/15 * * * *",
        ),
        of_goods(
            "prices", extract=prices, map=to_price, reads=reads_wrapped("prices", "catalogGroupId"), complete="full",
            every="*/15 * * * *",
        ),
        Resource(
            "stores", extract=stores, key="id", map=to_location, reads=reads_wrapped("stores", "title"), complete=True,
            every="20 * * * *",
        ),
        Resource(
            "stock", extract=stock, key="id", map=to_stock_level, reads=reads_wrapped("storeProducts", "storeId"),
            complete=True, every="*/15 * * * *",
        ),
    ),
    sinks=(
        Sink(
            "customer.push", deliver=push_customers, read_back=shown_customers, batch=AT_ONCE, needs_listing=False,
            takes=lambda config: config.person_fields, forgets=True,
            hint="Makes contacts and mends their names, phones and e-mails; what managers added stays.",
            by_hand=BY_HAND,
        ),
        Sink(
            "segment.push", deliver=push_segments, read_back=shown_segments, batch=AT_ONCE, forgets=True,
            hint="Lists a contact's segments in a field that managers and campaigns can filter by.", by_hand=BY_HAND,
        ),
        Sink(
            "order.push", deliver=push_orders, read_back=shown_orders, batch=ORDERS_AT_ONCE, needs_listing=False,
            hint="Makes a deal of each order of another channel, and moves its stage on: your robots will act.",
        ),
    ),
    check=check,
    hear=heard,
)  # fmt: skip
