"""What is written to Kaspi over the API: the status of an order (contract kaspi 4). Prices and stock go by `feed`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.kaspi.api import http, read, words
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.mapping import by_kaspi, is_assembled, status, status_raw
from connectors.kaspi.records import to_id
from connectors.sdk import Accepted, Change, Deferred, Outcome, Record, Rejected, RejectedError
from mappings.canonical import PROGRESS
from mappings.tables import Unusable, at

CANCEL_REASONS = {
    "out_of_stock": "MERCHANT_OUT_OF_STOCK",
    "buyer": "BUYER_CANCELLATION_BY_MERCHANT",
    "unreachable": "BUYER_NOT_REACHABLE",
}
"""Canonical reason → Kaspi's. It takes these three only; what each does to the seller's rating it does not say."""

PACKED = ("assembling", "ready", "shipped")
"""Stages that Kaspi learns of by ASSEMBLE, and only of orders it carries: packing needs the waybill that it makes."""

ACCEPT = "ACCEPTED_BY_MERCHANT"
COMMENT = 1000
ALREADY = "already has been completed"
SIGNATURE_WAIT = 900.0


def move_orders(config: KaspiConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Read the order, then write what is missing to the wanted status; nothing where it is there already.

    There is no idempotency key, so reading first is what makes a repeat harmless (contract kaspi 4).
    """
    for change in changes:
        try:
            order = _order(config, change.external_id)
            writes = steps(order, change.value, config.spaces)
        except RejectedError as error:
            yield Rejected(change, error.code, str(error))
        except Unusable as no:
            yield Rejected(change, no.rule, str(no))
        else:
            yield _written(config, change, order, writes)


def _written(config: KaspiConfig, change: Change, order: Record, writes: Sequence[Record]) -> Outcome:
    if at(order, "attributes.state") == "SIGN_REQUIRED" and any(one["status"] == ACCEPT for one in writes):
        return Deferred(change, SIGNATURE_WAIT, "the buyer has not signed the loan yet", alone=True)
    for attributes in writes:
        reply = http(config).send("POST", "orders", json=body(order["id"], attributes))
        if not reply.ok:
            said = words(reply)
            if ALREADY in said and reached(change.value, {"status": "completed"}):
                return Accepted(change, "completed before")
            return Rejected(change, str(reply.status), said)
        reply.json()
    return Accepted(change, writes[-1]["status"] if writes else "no change was needed")


def body(order_id: str, attributes: Record) -> Record:
    return {"data": {"type": "orders", "id": order_id, "attributes": attributes}}


def steps(order: Record, wanted: Mapping[str, Any], spaces: int = 1) -> list[Record]:
    """Attributes of the writes that lead from the order, as read, to the wanted status.

    Raises Unusable, its rule naming why, where the contract knows no such way.
    """
    goal, code, seen = wanted["status"], at(order, "attributes.code"), shown(order)
    if reached(wanted, seen):
        return []
    if goal == "cancelled":
        return [_cancellation(code, wanted, seen)]
    if goal == "returned":
        return [_goods_are_back(order, code)]
    if goal in {"delivered", "completed"}:
        raise Unusable("the buyer's code completes it: a person enters it in Kaspi's cabinet", rule="buyer_code")
    if goal not in PROGRESS or seen["status"] not in PROGRESS:
        raise Unusable(f"the order is {seen['status']}, it cannot become {goal}", rule="too_late")
    accept = {"code": code, "status": ACCEPT}
    assemble = {"status": "ASSEMBLE", "numberOfSpace": str(wanted.get("spaces") or spaces)}
    packed = goal in PACKED and seen["kaspi_delivery"]
    return [*([accept] if seen["status"] == "placed" else []), *([assemble] if packed else [])]


def _cancellation(code: str, wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> Record:
    given = wanted.get("reason")
    reason = CANCEL_REASONS.get(str(given), given)
    if reason not in CANCEL_REASONS.values():
        raise Unusable(f"say why it is cancelled: {', '.join(CANCEL_REASONS)} (got {given!r})", rule="reason")
    if seen["assembled"]:
        raise Unusable("a seller cannot cancel an order that is assembled; ask Kaspi's support", rule="assembled")
    if seen["status"] not in PROGRESS[:5]:
        raise Unusable(f"the order is {seen['status']}, it cannot be cancelled", rule="too_late")
    comment = str(wanted.get("comment") or "")[:COMMENT]
    cancelled = {"code": code, "status": "CANCELLED", "cancellationReason": reason}
    return {**cancelled, "cancellationComment": comment} if comment else cancelled


def _goods_are_back(order: Record, code: str) -> Record:
    if at(order, "attributes.status") not in {"CANCELLING", "KASPI_DELIVERY_RETURN_REQUESTED"}:
        raise Unusable(f"no goods are on their way back in {status_raw(order)}", rule="not_on_its_way_back")
    return {"code": code, "status": "ARRIVED_BACKWARD"}


def shown(order: Record) -> dict[str, Any]:
    """What Kaspi shows of the order's progress. Raises Unusable for a status of unknown meaning."""
    return {
        "status": status(order),
        "status_raw": status_raw(order),
        "assembled": is_assembled(order),
        "kaspi_delivery": by_kaspi(order),
    }


def reached(wanted: Any, seen: Any) -> bool:
    """Whether the order is where it should be, or past it.

    Acceptance is met by every later stage; packing by `assembled`, or by acceptance where Kaspi does not deliver, since
    there it has no such step; a cancellation by nothing but itself; a return also by a cancellation that is over.
    """
    goal, now = wanted["status"], seen["status"]
    if goal == "returned" and seen.get("status_raw", "").endswith("/CANCELLED"):
        return True
    if goal not in PROGRESS or now not in PROGRESS:
        return bool(goal == now or (goal in PROGRESS and now in {"returning", "returned"}))
    if goal in PACKED and now != "placed" and PROGRESS.index(now) < PROGRESS.index("shipped"):
        return bool(seen.get("assembled") or not seen.get("kaspi_delivery"))
    return PROGRESS.index(now) >= PROGRESS.index(goal)


def progress(config: KaspiConfig, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → what Kaspi shows now; an order it does not know is left out."""
    found = {}
    for change in changes:
        try:
            order = _order(config, change.external_id)
            found[change.subject] = shown(order)
        except Unusable:
            found[change.subject] = {"status": None, "status_raw": status_raw(order)}
        except RejectedError:
            continue
    return found


def _order(config: KaspiConfig, code: str) -> Record:
    order: Record = read(config, f"orders/{to_id(code)}")["data"]
    return order
