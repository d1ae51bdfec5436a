"""Kaspi → canonical (contract kaspi 3.2 and 9)."""

import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.kaspi.records import amount, from_id, to_id
from mappings.canonical import Customer, Order, OrderLine
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, at, convert

Payload = Mapping[str, Any]

OPEN_STATES = ("NEW", "SIGN_REQUIRED", "PICKUP", "DELIVERY", "KASPI_DELIVERY")
"""The tabs an unfinished order passes through, in the order of its way."""

SETTLED = {
    "ASSEMBLE": "ready",
    "ASSEMBLED": "ready",
    "COMPLETED": "completed",
    "CANCELLED": "cancelled",
    "CANCELLING": "cancelled",
    "KASPI_DELIVERY_RETURN_REQUESTED": "returning",
    "RETURN_ACCEPTED_BY_MERCHANT": "returning",
    "RETURNED": "returned",
}
"""Statuses that say the stage whatever the tab.

COMPLETED is the end here: late returns come with the archive, and a stage short of the end would have every sale ever
made re-read one by one. RETURN_ACCEPTED_BY_MERCHANT is told by one old client only: of its two readings we take the one
that gives no goods back yet.
"""

TAKEN = ("ACCEPTED_BY_MERCHANT", "ARRIVED")
"""Accepted; the second, of a pre-order whose goods have come, is a status we write and may read back."""

ACCEPTED = {"NEW": "confirmed", "SIGN_REQUIRED": "placed", "PICKUP": "ready", "DELIVERY": "shipped"}

MODES = {
    (False, "DELIVERY_PICKUP"): "pickup",
    (False, "DELIVERY_LOCAL"): "courier",
    (True, "DELIVERY_PICKUP"): "parcel_locker",
    (True, "DELIVERY_LOCAL"): "courier",
    (True, "DELIVERY_REGIONAL_TODOOR"): "intercity_courier",
    (True, "DELIVERY_REGIONAL_PICKUP"): "intercity_pickup",
    (False, "DELIVERY_REGIONAL_PICKUP"): "intercity_pickup",
}


def status(order: Payload, config: Any = None) -> str:
    """The canonical stage. An unknown status, or a tab it does not go with, is refused rather than guessed."""
    said, state = at(order, "attributes.status"), at(order, "attributes.state")
    stage: str | None = SETTLED.get(said)
    if said == "APPROVED_BY_BANK" and state in OPEN_STATES:
        stage = "placed"
    elif said in TAKEN:
        stage = _handed_on(order) if state == "KASPI_DELIVERY" else ACCEPTED.get(state)
    if stage is None:
        raise Unusable(f"status {said!r} in state {state!r} has no known meaning", rule="unknown_status")
    return stage


def _handed_on(order: Payload) -> str:
    """Kaspi Delivery keeps one status from acceptance to the buyer's door; other fields tell the stage."""
    if at(order, "attributes.kaspiDelivery.courierTransmissionDate"):
        return "shipped"
    if is_assembled(order):
        return "ready"
    return "assembling" if has_arrived(order) else "confirmed"


def has_arrived(order: Payload) -> bool:
    """Whether there are goods to pack, as far as Kaspi tells: of a pre-order only that, or what comes after it."""
    after = is_assembled(order) or bool(at(order, "attributes.kaspiDelivery.courierTransmissionDate"))
    return after or at(order, "attributes.status") == "ARRIVED" or not at(order, "attributes.preOrder")


def is_assembled(order: Payload) -> bool:
    """The field is sometimes missing, which means no."""
    return bool(at(order, "attributes.assembled"))


def by_kaspi(order: Payload) -> bool:
    """Whether Kaspi Delivery carries it; old answers lack the field and tell it by the tab."""
    return bool(at(order, "attributes.isKaspiDelivery")) or at(order, "attributes.state") == "KASPI_DELIVERY"


def status_raw(order: Payload, config: Any = None) -> str:
    return f"{at(order, 'attributes.state')}/{at(order, 'attributes.status')}"


def buyer(order: Payload, config: Any = None) -> str | None:
    """The buyer's id: Kaspi's own is the phone in base64, so it is hashed, for an id goes into logs and addresses, and
    with the name, for a family orders by one phone.

    The key is `pseudonym_key`, else the merchant's id: that hides the phone from the eye, not from one who tries all.
    """
    phone = at(order, "attributes.customer.cellPhone")
    ids = (at(order, "attributes.customer.id"), at(order, "relationships.user.data.id"), phone and to_id(str(phone)))
    found = next((str(one).rstrip("=") for one in ids if one), None)
    if found is None:
        return None
    secret = getattr(config, "pseudonym_key", None)
    key = secret.get_secret_value() if secret else getattr(config, "merchant_id", None) or "kaspi"
    who = "\x1f".join(filter(None, (found, (full_name(order) or "").casefold())))
    return hmac.digest(key.encode(), who.encode(), "sha256").hex()[:32]


def mobile(value: Any) -> str | None:
    """Ten digits without country code (contract kaspi 3.2), as E.164."""
    digits = str(value).strip()
    return convert.phone(f"+7{digits}" if len(digits) == 10 and digits.isdigit() else digits)


def full_name(order: Payload, config: Any = None) -> str | None:
    parts = (at(order, "attributes.customer.firstName"), at(order, "attributes.customer.lastName"))
    return convert.text(" ".join(str(part) for part in parts if part))


def point(value: Any) -> str:
    """`30000000_PP1` → `PP1`, the name that the price list uses."""
    return str(value).rpartition("_")[2]


def location(order: Payload, config: Any = None) -> str | None:
    found = at(order, "attributes.pickupPointId") or at(order, "attributes.originAddress.displayName")
    return point(found) if found else None


def delivery_cost(order: Payload, config: Any = None) -> Decimal:
    """What the buyer pays for the delivery; `totalPrice` is the goods alone (contract kaspi 3.2)."""
    return Decimal(0) if at(order, "attributes.deliveryCost") is None else amount(order, "deliveryCost")


def total(order: Payload, config: Any = None) -> Decimal:
    return amount(order, "totalPrice") + delivery_cost(order)


def address(order: Payload, config: Any = None) -> str | None:
    """None where Kaspi tells no more than the town: it writes `Шымкент, ` then."""
    told = str(at(order, "attributes.deliveryAddress.formattedAddress") or "").rstrip(" ,")
    return convert.text(told) if told != at(order, "attributes.deliveryAddress.town") else None


def delivery(order: Payload, config: Any = None) -> dict[str, Any]:
    mode = at(order, "attributes.deliveryMode")
    facts = {
        "mode": MODES.get((by_kaspi(order), mode), mode),
        "service": "kaspi" if by_kaspi(order) else "own",
        "city": at(order, "attributes.deliveryAddress.town"),
        "address": address(order),
        "point": location(order),
        "promised_at": _iso(at(order, "attributes.plannedDeliveryDate")),
        "handed_over_at": _iso(at(order, "attributes.kaspiDelivery.courierTransmissionDate")),
        "tracking": at(order, "attributes.kaspiDelivery.waybillNumber"),
        "express": at(order, "attributes.kaspiDelivery.express") or None,
        "seller_pays": _text(at(order, "attributes.deliveryCostForSeller")),
        "preorder": at(order, "attributes.preOrder") or None,
        "goods_travel_back": at(order, "attributes.status") == "CANCELLING" or None,
        "goods_are_back": _came_back(order) or None,
        "cancel_reason": at(order, "attributes.cancellationReason"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _came_back(order: Payload) -> bool:
    """What a courier had and is CANCELLED, no longer CANCELLING: somebody confirmed that it is here again."""
    left = at(order, "attributes.kaspiDelivery.courierTransmissionDate")
    return bool(left) and at(order, "attributes.status") == "CANCELLED"


def payment(order: Payload, config: Any = None) -> dict[str, Any]:
    blocked = at(order, "attributes.signatureRequired") and at(order, "attributes.state") == "SIGN_REQUIRED"
    mode = at(order, "attributes.paymentMode")
    facts = {
        "method": {"PAY_WITH_CREDIT": "credit", "PREPAID": "prepaid"}.get(mode, mode),
        "months": at(order, "attributes.creditTerm"),
        "approved_at": _iso(at(order, "attributes.approvedByBankDate")),
        "state": "signature_pending" if blocked else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _iso(milliseconds: Any) -> str | None:
    return convert.epoch_ms(milliseconds).isoformat() if milliseconds else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def lines(order: Payload, config: Any = None) -> tuple[OrderLine, ...]:
    """The order's lines. A saved answer may be without some: what they are worth stands as one line of no goods.

    A landed order names its lines all (`source.orders` sees to it), so there nothing stands for anything else.
    """
    named = order.get("entries")
    told = tuple(_line(entry) for entry in named or () if "attributes" in entry)
    if named is not None and len(told) == len(named):
        return told
    rest = amount(order, "totalPrice") - sum((line.total for line in told), Decimal(0))
    untold = OrderLine(line="rest", name="lines that the answer does not carry", quantity=Decimal(0), total=rest)
    return (*told, untold) if rest > 0 else told


def _line(entry: Payload) -> OrderLine:
    number, quantity = at(entry, "attributes.entryNumber"), convert.quantity(at(entry, "attributes.quantity"))
    if number is None:
        raise Unusable("a line has no entryNumber", rule="missing_field")
    if quantity % 1 and at(entry, "attributes.unitType") == "PIECES":
        raise Unusable(f"line {number}: {quantity} pieces", rule="broken_piece")
    return OrderLine(
        line=str(number),
        sku=_sku(entry, number),
        name=convert.text(at(entry, "attributes.offer.name") or at(entry, "merchantProduct.attributes.name") or ""),
        quantity=quantity,
        unit_price=amount(entry, "basePrice"),
        total=amount(entry, "totalPrice"),
        location=_entry_point(entry),
    )


def _sku(entry: Payload, number: Any) -> str:
    """The seller's own code. The code of the `product` is Kaspi's and is never taken for it (contract kaspi 3.3)."""
    sku = at(entry, "attributes.offer.code") or at(entry, "merchantProduct.attributes.code")
    if sku is None:
        raise Unusable(f"line {number} names no SKU of the seller", rule="no_sku")
    return str(sku)


def _entry_point(entry: Payload) -> str | None:
    found = at(entry, "relationships.deliveryPointOfService.data.id")
    try:
        return point(from_id(str(found))) if found else None
    except ValueError:
        return None


IGNORED = frozenset(
    {
        "type", "id", "links", "relationships", "user",
        "entries.type", "entries.id", "entries.links", "entries.relationships",
        "attributes.reservationDate", "attributes.isImeiRequired",
        "attributes.customer.name", "attributes.deliveryAddress", "attributes.originAddress",
        "attributes.kaspiDelivery",
        "entries.attributes.category", "entries.attributes.deliveryCost", "entries.attributes.weight",
        "entries.attributes.minAllowedWeight", "entries.attributes.isImeiRequired",
        "entries.attributes.offer.isImeiRequired", "entries.merchantProduct",
    }
)  # fmt: skip

LINE_PATHS = (
    "attributes.totalPrice", "entries.attributes.entryNumber", "entries.attributes.quantity",
    "entries.attributes.unitType", "entries.attributes.basePrice", "entries.attributes.totalPrice",
    "entries.attributes.offer.code", "entries.attributes.offer.name",
)  # fmt: skip

DELIVERY_PATHS = tuple(
    f"attributes.{name}"
    for name in (
        "deliveryMode", "isKaspiDelivery", "plannedDeliveryDate", "deliveryCostForSeller", "preOrder",
        "cancellationReason",
    )
)  # fmt: skip

PAYMENT_PATHS = tuple(
    f"attributes.{name}" for name in ("paymentMode", "creditTerm", "approvedByBankDate", "signatureRequired")
)

BUYER_PATHS = tuple(f"attributes.customer.{name}" for name in ("id", "firstName", "lastName", "cellPhone"))

to_order = FieldMap(
    Order,
    {
        "external_id": Field("attributes.code", str),
        "number": Field("attributes.code", str),
        "channel": Constant("kaspi"),
        "placed_at": Field("attributes.creationDate", convert.epoch_ms),
        "status": Derived(status, ("attributes.status", "attributes.state", "attributes.assembled")),
        "status_raw": Derived(status_raw),
        "customer": Derived(buyer, BUYER_PATHS),
        "contact_name": Derived(full_name),
        "contact_phone": Field("attributes.customer.cellPhone", mobile),
        "delivery": Derived(delivery, DELIVERY_PATHS),
        "payment": Derived(payment, PAYMENT_PATHS),
        "delivery_cost": Derived(delivery_cost, ("attributes.deliveryCost",)),
        "total": Derived(total),
        "currency": Constant("KZT"),
        "location": Derived(location, ("attributes.pickupPointId",)),
        "lines": Derived(lines, LINE_PATHS),
    },
    ignored=IGNORED,
)

to_customer = FieldMap(
    Customer,
    {
        "external_id": Derived(buyer, BUYER_PATHS),
        "name": Derived(full_name),
        "first_name": Field("attributes.customer.firstName", convert.text),
        "last_name": Field("attributes.customer.lastName", convert.text),
        "phones": Field("attributes.customer.cellPhone", lambda phone: tuple(filter(None, [mobile(phone)]))),
        "city": Field("attributes.deliveryAddress.town", convert.text),
        "address": Derived(address),
    },
    when=lambda order, config: buyer(order) is not None,
)
