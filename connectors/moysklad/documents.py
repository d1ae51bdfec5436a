"""MoySklad → canonical orders: customer orders, receipts, returns (contract moysklad 3, 6 and trap 13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.moysklad.api import uuid_of
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.mapping import EVERYWHERE
from connectors.moysklad.source import from_moscow
from mappings.canonical import Order, OrderLine
from mappings.canonical.money import CENT, currency_code, exact, from_minor, rounded
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, convert

Payload = Mapping[str, Any]
Fields = dict[str, Field | Derived | Constant]

UNIT = Decimal(1)
COPY = "keruen:"
"""How the external code of a copy that the hub made begins; the origin's `connection:id` follows."""
BY_TYPE = {"Successful": "completed", "Unsuccessful": "cancelled"}
CHANNEL_BY_TYPE = {
    "MESSENGER": "messenger",
    "SOCIAL_NETWORK": "social",
    "MARKETPLACE": "marketplace",
    "ECOMMERCE": "site",
    "CLASSIFIED_ADS": "classifieds",
    "DIRECT_SALES": "direct",
    "RETAIL_SALES": "store",
}


@dataclass(frozen=True)
class Rate:
    """The currency amounts are given in, and what a document's amounts are multiplied by to be so."""

    currency: str
    factor: Decimal

    def money(self, minor: Decimal) -> Decimal:
        return rounded(minor * self.factor / 100)


def rate(document: Payload, config: MoySkladConfig) -> Rate:
    """The document's currency where it is spelt out, else the account's, converted at the document's own rate."""
    stated = document.get("rate") or {}
    code = (stated.get("currency") or {}).get("isoCode")
    return Rate(currency_code(code), Decimal(1)) if code else Rate(config.currency, exact(stated.get("value", 1)))


# ── lines and sums ────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(document: Payload, config: MoySkladConfig) -> tuple[OrderLine, ...]:
    """Positions. A reply that was saved without them becomes one line of no quantity that bears the sum."""
    positions, terms = document.get("positions") or {}, rate(document, config)
    if "rows" in positions:
        return tuple(line(position, document, terms) for position in positions["rows"])
    size = (positions.get("meta") or {}).get("size", 0)
    if not size:
        return ()
    words = f"{size} positions, not in this reply"
    return (OrderLine(line="unread", name=words, quantity=Decimal(0), total=stated_sum(document, terms)),)


def line(position: Payload, document: Payload, terms: Rate) -> OrderLine:
    gross, total = (terms.money(minor) for minor in sums(position, document))
    quantity = exact(position["quantity"])
    return OrderLine(
        line=position["id"],
        variant=uuid_of(position["assortment"]),
        name=convert.text(position["assortment"].get("name", "")),
        quantity=convert.quantity(quantity),
        unit_price=terms.money(unit_price(position, document)) if quantity else None,
        discount=gross - total,
        total=total,
        vat_rate=vat_rate(position),
    )


def sums(position: Payload, document: Payload) -> tuple[Decimal, Decimal]:
    """Minor units before and after the discount: quantity × price × (1 − discount %), each rounded half-up.

    A negative discount is a surcharge.
    """
    gross = exact(position["quantity"]) * unit_price(position, document)
    discount = exact(position.get("discount", 0))
    return rounded(gross, UNIT), rounded(gross * (1 - discount / 100), UNIT) if discount else rounded(gross, UNIT)


def unit_price(position: Payload, document: Payload) -> Decimal:
    """In minor units, the tax included that the document adds to its positions' prices."""
    price = exact(position["price"])
    if not document.get("vatEnabled") or document.get("vatIncluded", True):
        return price
    return price * (1 + (vat_rate(position) or Decimal(0)) / 100)


def vat_rate(position: Payload) -> Decimal | None:
    return exact(position.get("vat", 0)) if position.get("vatEnabled") else None


def stated_sum(document: Payload, terms: Rate) -> Decimal:
    return terms.money(exact(document.get("sum", 0)))


def total(document: Payload, config: MoySkladConfig) -> Decimal:
    """The positions' own sum. MoySklad's may differ by its rounding, a minor unit a position; by more, it is not it."""
    terms, positions = rate(document, config), document.get("positions") or {}
    stated = stated_sum(document, terms)
    if "rows" not in positions:
        return stated if (positions.get("meta") or {}).get("size", 0) else Decimal(0)
    recomputed = sum((terms.money(sums(one, document)[1]) for one in positions["rows"]), Decimal(0))
    if abs(recomputed - stated) > CENT * len(positions["rows"]):
        raise Unusable(f"positions make {recomputed}, the document says {stated}", "does_not_add_up")
    return recomputed


# ── who, where, how ───────────────────────────────────────────────────────────────────────────────────────────────────


def moment(document: Payload, config: MoySkladConfig) -> datetime:
    """When the sale happened, to the minute, in the zone of the account's documents."""
    return convert.local(config.timezone)(document["moment"])


def customer(document: Payload, config: MoySkladConfig) -> str | None:
    agent = document.get("agent")
    return None if agent is None or agent.get("name") in config.anonymous else uuid_of(agent)


def channel(order: Payload, config: MoySkladConfig) -> str:
    sales = order.get("salesChannel") or {}
    named = config.channels.get(sales.get("name", "")) or config.channels.get(uuid_of(sales) or "")
    return named or CHANNEL_BY_TYPE.get(sales.get("type", ""), config.channel)


def status(order: Payload, config: MoySkladConfig) -> str:
    """By the merchant's table, else by the state's type. An ordinary state nobody explained is no progress."""
    if order.get("deleted"):
        return "cancelled"
    state = order.get("state") or {}
    named = config.states.get(uuid_of(state) or "") or config.states.get(state.get("name", ""))
    return named or BY_TYPE.get(state.get("stateType", ""), "placed")


def status_raw(order: Payload, config: MoySkladConfig) -> str | None:
    state = order.get("state") or {}
    return "in the recycle bin" if order.get("deleted") else state.get("name") or uuid_of(state)


def payment(order: Payload, config: MoySkladConfig) -> dict[str, Any]:
    payed, due = (rate(order, config).money(exact(order.get(name, 0))) for name in ("payedSum", "sum"))
    return {"state": "paid" if payed >= due > 0 else "part" if payed else "unpaid", "paid": str(payed)}


def delivery(order: Payload, config: MoySkladConfig) -> dict[str, Any]:
    promised = order.get("deliveryPlannedMoment")
    facts = {
        "address": order.get("shipmentAddress"),
        "city": (order.get("shipmentAddressFull") or {}).get("city"),
        "promised_at": convert.local(config.timezone)(promised).isoformat() if promised else None,
    }
    return {name: value for name, value in facts.items() if value}


def copy_of(order: Payload, config: MoySkladConfig) -> str | None:
    """The origin's `connection:id`, where the hub made this order; a receipt that closes an order is its copy."""
    code, closes = str(order.get("externalCode", "")), uuid_of(order.get("customerOrder"))
    if code.startswith(COPY):
        return code.removeprefix(COPY)
    return f"{config.connection}:{closes}" if closes else None


def tender(receipt: Payload, config: MoySkladConfig) -> dict[str, Any]:
    """How a receipt was paid or a return paid out; amounts as text, in the receipt's currency."""
    names = {"cash": "cashSum", "card": "noCashSum", "qr": "qrSum"}
    parts = {method: from_minor(receipt[name]) for method, name in names.items() if receipt.get(name)}
    cards = [card["name"] for card in receipt.get("giftCards", ())]
    method = next(iter(parts)) if len(parts) == 1 else "mixed" if parts else None
    facts = {"method": method, **{name: str(part) for name, part in parts.items()}, "gift_cards": cards}
    return {name: value for name, value in facts.items() if value}


def returns(document: Payload, config: MoySkladConfig) -> str | None:
    """The sale that is returned: of a shipment, the order that was shipped, where one is known."""
    sale = document.get("demand") or {}
    found = uuid_of(sale.get("customerOrder")) or uuid_of(sale)
    return f"{config.connection}:{found}" if found else None


# ── the tables ────────────────────────────────────────────────────────────────────────────────────────────────────────


def posted(document: Payload, config: MoySkladConfig) -> bool:
    """A document that is not posted is a draft: it moves nothing."""
    return document.get("applicable", True) is not False


def kept(document: Payload, config: MoySkladConfig) -> bool:
    """A receipt in the recycle bin never happened."""
    return posted(document, config) and not document.get("deleted")


COMMON: Fields = {
    "external_id": Field("id"),
    "number": Field("name"),
    "placed_at": Derived(moment, ("moment",)),
    "updated_at": Field("updated", from_moscow),
    "customer": Derived(customer, ("agent",)),
    "total": Derived(total, ("sum",)),
    "currency": Derived(lambda document, config: rate(document, config).currency, ("rate",)),
    "location": Derived(lambda document, config: uuid_of(document.get("store")), ("store",)),
    "lines": Derived(lines, ("positions",)),
}
REST = EVERYWHERE | {
    "applicable", "vatEnabled", "vatIncluded", "vatSum", "organization", "organizationAccount", "agentAccount",
    "project", "contract", "code", "attributes", "taxSystem", "invoicedSum", "shippedSum", "reservedSum", "deleted",
    "documents", "salesChannel", "payedSum", "shipmentAddressFull", "demands", "payments", "prepayments", "moves",
    "purchaseOrders", "invoicesOut", "retailShift", "documentNumber", "checkSum", "sessionNumber", "cheque", "losses",
    "state", "prepaymentCashSum", "prepaymentNoCashSum", "prepaymentQrSum", "advancePaymentSum", "customerOrder",
    "fiscal", "fiscalPrinterInfo", "ofdCode",
}  # fmt: skip

to_order = FieldMap(
    Order,
    {
        **COMMON,
        "channel": Derived(channel),
        "status": Derived(status),
        "status_raw": Derived(status_raw),
        "delivery": Derived(delivery, ("shipmentAddress", "deliveryPlannedMoment")),
        "payment": Derived(payment),
        "copy_of": Derived(copy_of),
    },
    ignored=REST,
    when=posted,
)

RECEIPT: Fields = {
    **COMMON,
    "channel": Constant("store"),
    "status": Constant("completed"),
    "till": Derived(lambda receipt, config: uuid_of(receipt.get("retailStore")), ("retailStore",)),
    "payment": Derived(tender, ("cashSum", "noCashSum", "qrSum", "giftCards")),
}

to_receipt = FieldMap(
    Order,
    {
        **RECEIPT,
        "receipt_number": Field("checkNumber", str),
        "fiscal_sign": Field("cheque.fiscalDocSign", str),
        "copy_of": Derived(copy_of),
    },
    ignored=REST,
    when=kept,
)

to_retail_return = FieldMap(
    Order,
    {**RECEIPT, "kind": Constant("return"), "returns": Derived(returns, ("demand",))},
    ignored=REST,
    when=kept,
)

to_return = FieldMap(
    Order,
    {
        **COMMON,
        "kind": Constant("return"),
        "channel": Derived(channel),
        "status": Constant("completed"),
        "returns": Derived(returns, ("demand",)),
    },
    ignored=REST,
    when=kept,
)
