"""Orders as the simulated Kaspi keeps them: what moves them, and how they look in JSON:API (contract kaspi 3, 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from connectors.kaspi.records import to_id
from connectors.sdk import Record

CANCEL_REASONS = {"BUYER_CANCELLATION_BY_MERCHANT", "BUYER_NOT_REACHABLE", "MERCHANT_OUT_OF_STOCK"}
LINE_REASONS = {"BUYER_CANCELLATION_BY_MERCHANT", "MERCHANT_OUT_OF_STOCK", "PRODUCT_UNDERWEIGHT"}
ROOT = "https://kaspi.kz/shop/api"
DAY = 86_400_000


class Refused(Exception):
    """A 400; the message is the title of the error."""


class Buyer(NamedTuple):
    """`phone`: ten digits."""

    first_name: str
    last_name: str
    phone: str
    city: str


class Line(NamedTuple):
    """`price`: of one. `grams`: of weighed goods, whose line is worth less when they weigh less."""

    sku: str
    name: str
    quantity: int
    price: int
    grams: float = 0

    def left(self, quantity: int | None, grams: float | None) -> "Line":
        """What stays of it. Raises Refused where that is more than there was."""
        pieces = self.quantity if quantity is None else quantity
        weight = grams if grams and self.grams else self.grams
        if not 0 <= pieces <= self.quantity or not 0 <= weight <= self.grams:
            raise Refused("remainedQuantity is not valid")
        price = self.price if weight == self.grams else round(self.price * weight / self.grams)
        return self._replace(quantity=pieces, grams=weight, price=price)


@dataclass
class Sale:
    """One order. `created` in epoch milliseconds; `waybill_in`: reads until a waybill asked for is there.

    `shrinks_in`: reads of its lines until those taken out are gone. `tells_arrival`: whether it shows as ARRIVED.
    """

    code: str
    created: int
    buyer: Buyer
    lines: tuple[Line, ...]
    point: str = "PP1"
    mode: str = "DELIVERY_PICKUP"
    by_kaspi: bool = False
    state: str = "NEW"
    status: str = "APPROVED_BY_BANK"
    months: int | None = None
    pre_order: bool = False
    arrived: bool = False
    tells_arrival: bool = True
    shrinks_in: int = 0
    shrinking: dict[int, Line] = field(default_factory=dict)
    assembled: bool = False
    waybill_in: int | None = None
    handed_over: int | None = None
    cancel_reason: str | None = None
    sms: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return to_id(self.code)

    @property
    def total(self) -> int:
        return sum(line.quantity * line.price for line in self.lines)

    @property
    def entries(self) -> list[tuple[int, Line]]:
        """Lines by their numbers, which they keep when others are taken out."""
        return [(number, line) for number, line in enumerate(self.lines) if line.quantity]

    def move(self, wanted: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """A seller's status write. Raises Refused where the order is not where the write may start."""
        moves = {
            "ACCEPTED_BY_MERCHANT": self._accept,
            "ASSEMBLE": self._assemble,
            "ARRIVED": self._arrive,
            "CANCELLED": self._cancel,
            "ARRIVED_BACKWARD": self._take_back,
        }
        status = wanted.get("status")
        if status == "COMPLETED":
            self._complete(headers)
        elif status in moves:
            moves[status](wanted)
        else:
            raise Refused(f"Status {status} is unknown")

    def _accept(self, wanted: Mapping[str, Any]) -> None:
        self._must_be("APPROVED_BY_BANK", in_states=("NEW",))
        self.status = "ACCEPTED_BY_MERCHANT"
        self.state = "KASPI_DELIVERY" if self.by_kaspi else "DELIVERY" if self.mode == "DELIVERY_LOCAL" else "PICKUP"

    def _assemble(self, wanted: Mapping[str, Any]) -> None:
        self._must_be("ACCEPTED_BY_MERCHANT")
        if not self.by_kaspi:
            raise Refused("Order is not delivered by Kaspi, so it can't be assembled.")
        if self.assembled:
            raise Refused("Order already has been assembled.")
        if self.pre_order and not self.arrived:
            raise Refused("Pre-order has not arrived yet, so it can't be assembled.")
        if not str(wanted.get("numberOfSpace", "")).isdigit() or int(wanted["numberOfSpace"]) < 1:
            raise Refused("numberOfSpace is required")
        self.assembled, self.waybill_in = True, 2

    def _arrive(self, wanted: Mapping[str, Any]) -> None:
        self._must_be("ACCEPTED_BY_MERCHANT")
        if not self.pre_order:
            raise Refused("Order is not a pre-order.")
        if self.arrived:
            raise Refused("Order already has arrived.")
        self.arrived = True

    def _cancel(self, wanted: Mapping[str, Any]) -> None:
        self._must_be("APPROVED_BY_BANK", "ACCEPTED_BY_MERCHANT")
        if self.assembled:
            raise Refused("Order is assembled, so it can't be cancelled.")
        if wanted.get("cancellationReason") not in CANCEL_REASONS:
            raise Refused("cancellationReason is not valid")
        if len(str(wanted.get("cancellationComment") or "")) > 1000:
            raise Refused("cancellationComment is longer than 1000")
        self.end("CANCELLED", wanted["cancellationReason"])

    def shrink(self, left: Mapping[int, Line]) -> bool:
        """Lines as they shall be, by number; whether they are so already. Raises Refused where it is too late."""
        self._must_be("APPROVED_BY_BANK", "ACCEPTED_BY_MERCHANT")
        if self.assembled:
            raise Refused("Order is assembled, so its entries can't be cancelled.")
        self.shrinking.update(left)
        return self.lines_read(0)

    def lines_read(self, reads: int = 1) -> bool:
        """Time goes by with each read; whether nothing is being taken out any more."""
        self.shrinks_in = max(0, self.shrinks_in - reads)
        if not self.shrinks_in:
            self.lines = tuple(self.shrinking.pop(number, line) for number, line in enumerate(self.lines))
        return not self.shrinking

    def _take_back(self, wanted: Mapping[str, Any]) -> None:
        self._must_be("CANCELLING", "KASPI_DELIVERY_RETURN_REQUESTED")
        self.end("CANCELLED" if self.status == "CANCELLING" else "RETURNED", self.cancel_reason)

    def _complete(self, headers: Mapping[str, str]) -> None:
        """First call: a code to the buyer. Second: the code back."""
        if self.status == "COMPLETED":
            raise Refused("Order already has been completed, so it can't be completed again.")
        if self.status in {"CANCELLED", "CANCELLING"}:
            raise Refused("Order is cancelled, so it can't be completed.")
        if self.state == "SIGN_REQUIRED":
            raise Refused("Order is not may complete allowed")
        self._must_be("ACCEPTED_BY_MERCHANT")
        given = headers.get("x-security-code", "")
        if not given and headers.get("x-send-code") == "true":
            self.sms = self.code[-4:]
        elif not given or given != self.sms:
            raise Refused("Security code is not valid. And the order cannot be completed without it")
        else:
            self.end("COMPLETED")

    def _must_be(self, *statuses: str, in_states: tuple[str, ...] = ()) -> None:
        if self.status not in statuses or (in_states and self.state not in in_states):
            raise Refused(f"Status of order can't be changed from {self.status} in {self.state}")

    def end(self, status: str, reason: str | None = None) -> None:
        """To the archive."""
        self.state, self.status, self.cancel_reason = "ARCHIVE", status, reason


def order_resource(sale: Sale, merchant: str) -> Record:
    return {
        "type": "orders",
        "id": sale.id,
        "attributes": _attributes(sale, merchant),
        "relationships": {
            "entries": {
                "links": _links(f"orders/{sale.id}", "entries"),
                "data": [{"type": "orderentries", "id": entry_id(sale, number)} for number, _ in sale.entries],
            },
            "user": {
                "links": _links(f"orders/{sale.id}", "user"),
                "data": {"type": "customers", "id": to_id(sale.buyer.phone)},
            },
        },
        "links": {"self": f"{ROOT}/v2/orders/{sale.id}"},
    }


def _attributes(sale: Sale, merchant: str) -> Record:
    """Money is an integer on Kaspi Delivery and a float elsewhere, as the samples have it."""
    money: type = int if sale.by_kaspi else float
    told: Record = {
        "code": sale.code,
        "creationDate": sale.created,
        "totalPrice": money(sale.total),
        "deliveryCost": money(0 if sale.mode == "DELIVERY_PICKUP" else 500),
        "deliveryCostForSeller": money(895 if sale.by_kaspi else 0),
        "isKaspiDelivery": sale.by_kaspi,
        "deliveryMode": sale.mode,
        "preOrder": sale.pre_order,
        "approvedByBankDate": sale.created + 1200,
        "plannedDeliveryDate": sale.created + 2 * DAY,
        "signatureRequired": sale.months is not None,
        "paymentMode": "PAY_WITH_CREDIT" if sale.months else "PREPAID",
        "state": sale.state,
        "status": "ARRIVED" if _tells_arrival(sale) else sale.status,
        "pickupPointId": f"{merchant}_{sale.point}",
        "customer": {
            "id": to_id(sale.buyer.phone),
            "name": None,
            "cellPhone": sale.buyer.phone,
            "firstName": sale.buyer.first_name,
            "lastName": sale.buyer.last_name,
        },
    }
    if sale.months:
        told["creditTerm"] = sale.months
    if sale.cancel_reason:
        told["cancellationReason"] = sale.cancel_reason
    if sale.mode != "DELIVERY_PICKUP" or sale.by_kaspi:
        told["deliveryAddress"] = _address(sale.buyer.city)
    if sale.by_kaspi:
        told |= {"assembled": sale.assembled, "kaspiDelivery": _kaspi_delivery(sale)}
    return told


def _tells_arrival(sale: Sale) -> bool:
    waits = sale.status == "ACCEPTED_BY_MERCHANT" and not sale.assembled
    return waits and sale.arrived and sale.tells_arrival


def _address(city: str) -> Record:
    empty = dict.fromkeys(("streetName", "streetNumber", "district", "building", "apartment", "latitude", "longitude"))
    return {**empty, "town": city, "formattedAddress": f"{city}, "}


def _kaspi_delivery(sale: Sale) -> Record:
    ready = sale.waybill_in is not None and sale.waybill_in <= 0
    return {
        "waybill": f"{ROOT}/waybill/{sale.id}" if ready else None,
        "waybillNumber": f"1{sale.code}" if ready else None,
        "courierTransmissionDate": sale.handed_over,
        "courierTransmissionPlanningDate": sale.created + DAY,
        "express": False,
        "returnedToWarehouse": False,
        "firstMileCourier": None,
    }


def entry_id(sale: Sale, number: int) -> str:
    return to_id(f"{sale.code}##{number}")


def entry_resources(sale: Sale, merchant: str, *, offers: bool = True) -> list[Record]:
    """Lines, the last first: their order is not promised either. `offers` False: as old answers, without the SKU."""
    money: type = int if sale.by_kaspi else float
    return [
        {
            "type": "orderentries",
            "id": entry_id(sale, number),
            "attributes": {
                "entryNumber": number,
                "quantity": line.quantity,
                "basePrice": money(line.price),
                "totalPrice": money(line.price * line.quantity),
                "deliveryCost": money(0),
                "weight": float(line.grams),
                "unitType": "MEASURABLE_PIECES" if line.grams else "PIECES",
                "category": {"code": "Master - Goods", "title": "Товары"},
                "isImeiRequired": False,
                **({"offer": {"code": line.sku, "name": line.name}} if offers else {}),
            },
            "relationships": {
                "product": {"data": {"type": "masterproducts", "id": master_id(line.sku)}},
                "deliveryPointOfService": {
                    "data": {"type": "pointofservices", "id": to_id(f"{merchant}_{sale.point}")}
                },
            },
            "links": {"self": f"{ROOT}/v2/orderentries/{entry_id(sale, number)}"},
        }
        for number, line in reversed(sale.entries)
    ]


def master_id(sku: str) -> str:
    """Kaspi's own product code is another than the seller's SKU."""
    return to_id(f"1{sum(sku.encode()):05d}-{sku}")


def customer_resource(buyer: Buyer) -> Record:
    said = {"firstName": buyer.first_name, "lastName": buyer.last_name, "cellPhone": buyer.phone}
    return {"type": "customers", "id": to_id(buyer.phone), "attributes": said, "relationships": {}}


def echo(sale: Sale, wanted: Mapping[str, Any]) -> Record:
    """What a status write answers: the attributes as sent, parcels as a number, and a cancellation without the code."""
    said = {name: value for name, value in wanted.items() if name != "code" or wanted["status"] != "CANCELLED"}
    if "numberOfSpace" in said:
        said["numberOfSpace"] = int(said["numberOfSpace"])
    return {
        "data": {
            "type": "orders",
            "id": sale.id,
            "attributes": said,
            "relationships": {
                "user": {"links": _links(f"orders/{sale.id}", "user"), "data": None},
                "entries": {"links": _links(f"orders/{sale.id}", "entries")},
            },
            "links": {"self": f"{ROOT}/v2/orders/{sale.id}"},
        },
        "included": [],
    }


def _links(path: str, name: str) -> Record:
    return {"self": f"{ROOT}/v2/{path}/relationships/{name}", "related": f"{ROOT}/v2/{path}/{name}"}


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
