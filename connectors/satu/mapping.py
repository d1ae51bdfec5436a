"""Satu.kz → canonical (contract satu, 2-4 and 7)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.satu.config import SatuConfig
from mappings.canonical import Customer, Listing, Order, OrderLine, Product
from mappings.canonical.money import CENT, parse_money
from mappings.tables import Constant, Derived, Field, FieldMap, convert

Payload = Mapping[str, Any]

STATUS = {
    "pending": "placed",
    "received": "confirmed",
    "paid": "confirmed",
    "delivered": "completed",
    "canceled": "cancelled",
}


def moment(value: Any, config: SatuConfig) -> datetime:
    """ISO 8601, with or without microseconds and offset; without one it is the account's zone."""
    return convert.local(config.timezone)(value)


def amount(value: Any, config: SatuConfig) -> Decimal | None:
    """`"1 950 ₸"`, `"201.25"`, `49`; None stays None. What cannot be read raises ValueError: it is never 0."""
    return None if value in (None, "") else parse_money(value, config.currency).amount


def status(order: Payload, config: SatuConfig) -> str:
    """Own statuses (`custom-123`) follow the merchant's table, else they are past acceptance. Others must be known."""
    name = order["status"]
    own, _, number = name.partition("-")
    return config.custom_statuses.get(number, "confirmed") if own == "custom" and number else STATUS[name]


def our_sku(item: Payload, config: SatuConfig) -> str | None:
    return next((str(item[name]) for name in config.sku_from if item.get(name)), None)


def lines(order: Payload, config: SatuConfig) -> tuple[OrderLine, ...]:
    return tuple(_line(str(place), item, config) for place, item in enumerate(order["products"]))


def _line(place: str, item: Payload, config: SatuConfig) -> OrderLine:
    quantity, price = convert.quantity(item["quantity"]), amount(item.get("price"), config)
    total = amount(item.get("total_price"), config)
    if total is None:
        if price is None:
            raise ValueError("a line without price and total")
        total = (quantity * price).quantize(CENT)
    return OrderLine(
        line=place,
        variant=str(item["id"]),
        sku=our_sku(item, config),
        name=convert.text(item["name"]),
        quantity=quantity,
        unit_price=price,
        total=total,
    )


def total(order: Payload, config: SatuConfig) -> Decimal:
    """What the buyer pays. Older answers have only one of the two sums."""
    full = amount(order.get("full_price"), config)
    if full is not None:
        return full
    goods = amount(order.get("price"), config)
    if goods is None:
        raise ValueError("an order without a price")
    return goods + delivery_cost(order, config)


def delivery_cost(order: Payload, config: SatuConfig) -> Decimal:
    return amount(order.get("delivery_cost"), config) or Decimal(0)


def discount(order: Payload, config: SatuConfig) -> Decimal:
    """The special offer's, where the total really is less than its parts: whether it is taken off is not settled."""
    goods = sum((line.total for line in lines(order, config)), Decimal(0))
    off = amount(order.get("special_offer_discount"), config) or Decimal(0)
    return off if goods + delivery_cost(order, config) - off == total(order, config) else Decimal(0)


def currency(order: Payload, config: SatuConfig) -> str:
    return parse_money(order.get("full_price") or order.get("price"), config.currency).currency


def full_name(order: Payload, config: SatuConfig) -> str | None:
    parts = (order.get(f"client_{part}_name") for part in ("last", "first", "second"))
    return convert.text(" ".join(part for part in parts if part)) or None


def client_id(order: Payload, config: SatuConfig) -> str | None:
    found = order.get("client_id") or (order.get("client") or {}).get("id")
    return str(found) if found else None


def delivery(order: Payload, config: SatuConfig) -> dict[str, Any]:
    """The recipient may be another person than the buyer, so only the fact of the delivery is kept here."""
    option, carrier = order.get("delivery_option") or {}, order.get("delivery_provider_data") or {}
    facts = {
        "mode": option.get("name"),
        "service": carrier.get("provider"),
        "address": order.get("delivery_address"),
        "tracking": carrier.get("declaration_number"),
        "status": carrier.get("unified_status"),
    }
    return {name: value for name, value in facts.items() if value}


def payment(order: Payload, config: SatuConfig) -> dict[str, Any]:
    option, data = order.get("payment_option") or {}, order.get("payment_data") or {}
    state = data.get("status") or ("paid" if order["status"] == "paid" else None)
    facts = {"method": option.get("name"), "provider": data.get("type"), "state": state}
    return {name: value for name, value in facts.items() if value}


def updated(order: Payload, config: SatuConfig) -> datetime | None:
    return moment(order["date_modified"], config) if order.get("date_modified") else None


to_order = FieldMap(
    Order,
    {
        "external_id": Field("id", str),
        "number": Field("id", str),
        "channel": Constant("satu"),
        "placed_at": Derived(lambda order, config: moment(order["date_created"], config), ("date_created",)),
        "updated_at": Derived(updated, ("date_modified",)),
        "status": Derived(status, ("status",)),
        "status_raw": Derived(lambda order, config: order.get("status_name") or order["status"], ("status_name",)),
        "customer": Derived(client_id, ("client_id", "client")),
        "contact_name": Derived(full_name, ("client_first_name", "client_second_name", "client_last_name")),
        "contact_phone": Field("phone", convert.phone),
        "contact_email": Field("email", convert.email),
        "delivery": Derived(delivery, ("delivery_option", "delivery_provider_data", "delivery_address")),
        "payment": Derived(payment, ("payment_option", "payment_data")),
        "delivery_cost": Derived(delivery_cost, ("delivery_cost",)),
        "discount": Derived(discount, ("special_offer_discount",)),
        "total": Derived(total, ("full_price", "price")),
        "currency": Derived(currency),
        "lines": Derived(lines, ("products",)),
    },
    ignored=frozenset(
        {
            "delivery_recipient",
            "price_with_special_offer",
            "special_offer_promocode",
            "source",
            "client_notes",
            "dont_call_customer_back",
            "utm",
            "cpa_commission",
            "prosale_commission",
            "ps_promotion",
            "cancellation",
            "has_order_promo_free_delivery",
        }
    ),
    when=lambda order, config: order["status"] != "draft",
)


def observed_stock(product: Payload, config: SatuConfig) -> Decimal | None:
    """What a buyer can take: nothing when it is not available, unknown when the platform does not count."""
    if product.get("presence") not in (None, "available"):
        return Decimal(0)
    counted = product.get("quantity_in_stock")
    return None if counted is None else convert.quantity(counted)


def product_currency(product: Payload, config: SatuConfig) -> str:
    return str(product.get("currency") or config.currency)


PRODUCT_REST = frozenset(
    {
        "name_multilang",
        "description",
        "description_multilang",
        "keywords",
        "prices",
        "minimum_order_quantity",
        "discount",
        "in_stock",
        "selling_type",
        "category",
        "regions",
        "is_variation",
        "variation_base_id",
        "variation_group_id",
        "date_modified",
        "price",
        "currency",
        "presence",
        "quantity_in_stock",
        "main_image",
        "group",
        "images",
        "measure_unit",
        "external_id",
        "sku",
    }
)

to_listing = FieldMap(
    Listing,
    {
        "external_id": Field("id", str),
        "variant": Field("id", str),
        "sku": Derived(our_sku, ("external_id", "sku")),
        "title": Field("name", convert.text),
        "status": Field("status"),
        "observed_price": Derived(lambda product, config: amount(product.get("price"), config), ("price",)),
        "observed_stock": Derived(observed_stock, ("presence", "quantity_in_stock")),
        "currency": Derived(product_currency, ("currency",)),
    },
    ignored=PRODUCT_REST,
)

to_product = FieldMap(
    Product,
    {
        "external_id": Field("id", str),
        "sku": Derived(our_sku, ("external_id", "sku")),
        "name": Field("name", convert.text),
        "category": Field("group.name", convert.text),
        "unit": Field("measure_unit", convert.text),
        "status": Derived(lambda p, config: "archived" if str(p.get("status")).startswith("deleted") else "active"),
        "images": Field("images", lambda images: tuple(i["url"] for i in images if i.get("url"))),
    },
    ignored=PRODUCT_REST | {"status"},
    when=lambda product, config: our_sku(product, config) is not None,
)

to_customer = FieldMap(
    Customer,
    {
        "external_id": Field("id", str),
        "account_id": Field("id", str),
        "name": Field("client_full_name", convert.text),
        "phones": Field("phones", lambda phones: tuple(filter(None, map(convert.phone, phones)))),
        "emails": Field("emails", lambda emails: tuple(filter(None, map(convert.email, emails)))),
    },
    ignored=frozenset({"comment", "skype", "orders_count", "total_payout"}),
)
