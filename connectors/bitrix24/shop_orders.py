"""Orders of the portal's online store → canonical orders (contract bitrix24 8), where the settings ask for them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.deals import NOTHING
from mappings.canonical import Order, OrderLine
from mappings.canonical.money import currency_code, exact, rounded
from mappings.tables import Derived, Field, FieldMap, Unusable, convert

Payload = Mapping[str, Any]

OWNERS = {3: "", 4: "CO_"}
"""entityTypeId of a client → how the ids of its kind begin in the hub."""


def status(order: Payload, config: Bitrix24Config) -> str:
    """Statuses are the portal's own: the merchant says what they mean. A cancelled order keeps its old one."""
    if order.get("canceled") == "Y":
        return "cancelled"
    found = config.order_statuses.get(str(order["statusId"]))
    if found is None:
        words = f"the status {order['statusId']} is not in the setting `order_statuses`; say what it means"
        raise Unusable(words, "unknown_status")
    return found


def customer(order: Payload, config: Bitrix24Config) -> str | None:
    """The main client: a contact, else a company."""
    main = sorted(
        order.get("clients") or (), key=lambda client: (client.get("isPrimary") != "Y", client["entityTypeId"])
    )
    known = [client for client in main if int(client["entityTypeId"]) in OWNERS and client["entityId"] not in NOTHING]
    return f"{OWNERS[int(known[0]['entityTypeId'])]}{known[0]['entityId']}" if known else None


def told(code: str) -> Any:
    """The value of a property that the buyer filled in."""

    def value(order: Payload, config: Bitrix24Config) -> str | None:
        found = (one.get("value") for one in order.get("propertyValues") or () if one.get("code") == code)
        return next((str(one) for one in found if one not in (None, "")), None)

    return value


def phone(order: Payload, config: Bitrix24Config) -> str | None:
    written = told("PHONE")(order, config)
    return written and convert.phone(written, config.region)


def email(order: Payload, config: Bitrix24Config) -> str | None:
    written = told("EMAIL")(order, config)
    return written and convert.email(written)


def lines(order: Payload, config: Bitrix24Config) -> tuple[OrderLine, ...]:
    """Basket items. A list names none: there one line of no quantity bears what the goods cost."""
    items = order.get("basketItems")
    if items is None:
        words = "basket items are not in this reply"
        return (OrderLine(line="sum", name=words, quantity=Decimal(0), total=rounded(exact(order["price"]))),)
    return tuple(map(line, items))


def line(item: Payload) -> OrderLine:
    """`price` is after the discount; a rate of VAT is a share of one."""
    quantity, price, off = (exact(item.get(name) or 0) for name in ("quantity", "price", "discountPrice"))
    total = rounded(price * quantity)
    return OrderLine(
        line=str(item["id"]),
        variant=None if item.get("productId") in NOTHING else str(item["productId"]),
        name=convert.text(item.get("name") or ""),
        quantity=convert.quantity(quantity),
        unit_price=rounded(price + off) if quantity else None,
        discount=rounded((price + off) * quantity) - total,
        total=total,
        vat_rate=None if item.get("vatRate") in (None, "") else exact(item["vatRate"]) * 100,
    )


def delivery_cost(order: Payload, config: Bitrix24Config) -> Decimal:
    """Of all shipments that are under way; the system's own holds what is not packed yet."""
    open_ = [one for one in order.get("shipments") or () if one.get("canceled") != "Y" and one.get("system") != "Y"]
    return sum((rounded(exact(one.get("priceDelivery") or 0)) for one in open_), Decimal(0))


def discount(order: Payload, config: Bitrix24Config) -> Decimal:
    """What the order as a whole is cheaper by than its parts."""
    parts = sum((one.total for one in lines(order, config)), Decimal(0)) + delivery_cost(order, config)
    off = parts - rounded(exact(order["price"]))
    if off < 0:
        raise Unusable(f"basket and delivery make {parts}, the order says {order['price']}", "does_not_add_up")
    return off


def delivery(order: Payload, config: Bitrix24Config) -> dict[str, Any]:
    way = next((one.get("deliveryName") for one in order.get("shipments") or () if one.get("system") != "Y"), None)
    return {name: value for name, value in (("address", told("ADDRESS")(order, config)), ("method", way)) if value}


def payment(order: Payload, config: Bitrix24Config) -> dict[str, Any]:
    ways = sorted({str(one["paySystemName"]) for one in order.get("payments") or () if one.get("paySystemName")})
    facts = {"state": "paid" if order.get("payed") == "Y" else "unpaid", "method": "+".join(ways)}
    return {name: value for name, value in facts.items() if value}


to_shop_order = FieldMap(
    Order,
    {
        "external_id": Field("id", lambda key: f"O_{key}"),
        "number": Field("accountNumber", str),
        "channel": Derived(lambda order, config: config.shop_channel),
        "placed_at": Field("dateInsert", convert.aware),
        "updated_at": Field("dateUpdate", convert.aware),
        "status": Derived(status, ("statusId", "canceled")),
        "status_raw": Field("statusId", str),
        "customer": Derived(customer, ("clients",)),
        "contact_name": Derived(told("FIO"), ("propertyValues",)),
        "contact_phone": Derived(phone),
        "contact_email": Derived(email),
        "delivery": Derived(delivery, ("shipments",)),
        "payment": Derived(payment, ("payments", "payed")),
        "delivery_cost": Derived(delivery_cost),
        "discount": Derived(discount),
        "total": Field("price", lambda amount: rounded(exact(amount))),
        "currency": Field("currency", currency_code),
        "lines": Derived(lines, ("basketItems",)),
    },
    ignored=frozenset({
        "additionalInfo", "affiliateId", "comments", "companyId", "dateCanceled", "dateLock", "dateMarked",
        "dateStatus", "deducted", "discountValue", "empCanceledId", "empMarkedId", "empStatusId", "externalOrder",
        "id1c", "lid", "lockedBy", "marked", "orderTopic", "personTypeId", "personTypeXmlId", "reasonCanceled",
        "reasonMarked", "recountFlag", "recurringId", "requisiteLink", "responsibleId", "statusXmlId", "taxValue",
        "tradeBindings", "updated1c", "userDescription", "userId", "version", "version1c", "xmlId", "datePayed",
        "priceDelivery",
    }),
)  # fmt: skip
