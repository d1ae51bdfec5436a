"""What is written to Kaspi over the API: the status of an order (contract kaspi 4). Prices and stock go by `feed`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.kaspi.api import http, read, words
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.fewer_lines import COMMENT, Write, cancellation, is_done, lines_of, too_much
from connectors.kaspi.mapping import by_kaspi, has_arrived, is_assembled, status, status_raw
from connectors.kaspi.records import to_id
from connectors.sdk import Accepted, Change, Deferred, Outcome, Record, Rejected, RejectedError, Reply
from mappings.canonical import PROGRESS
from mappings.tables import Unusable, at

ASKS = frozenset({"cancelled", "returned", "arrived", "keep"})
"""What a person may ask of an order here."""

CANCEL_REASONS = {
    "out_of_stock": "MERCHANT_OUT_OF_STOCK",
    "buyer": "BUYER_CANCELLATION_BY_MERCHANT",
    "unreachable": "BUYER_NOT_REACHABLE",
}
"""Canonical reason → Kaspi's. It takes these three only; what each does to the seller's rating it does not say."""

PACKED = ("assembling", "ready", "shipped")
"""Stages that Kaspi learns of by ASSEMBLE, and only of orders it carries: packing needs the waybill that it makes."""

ACCEPT = "ACCEPTED_BY_MERCHANT"
ALREADY = "already has been completed"
SIGNATURE_WAIT = 900.0
LINES_WAIT = 900.0
"""Seconds after which lines that Kaspi is still taking out are looked at again: how long it takes is not told."""


def move_orders(config: KaspiConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Read the order, then write what is missing to the wanted state; nothing where it is there already.

    There is no idempotency key, so reading first is what makes a repeat harmless (contract kaspi 4).
    """
    for change in changes:
        try:
            order = _order(config, change)
            writes = steps(config, order, change.value)
        except RejectedError as error:
            yield Rejected(change, error.code, str(error))
        except Unusable as no:
            yield Rejected(change, no.rule, str(no))
        else:
            yield _written(config, change, order, writes)


def _written(config: KaspiConfig, change: Change, order: Record, writes: Sequence[Write]) -> Outcome:
    if at(order, "attributes.state") == "SIGN_REQUIRED" and any(write.says == ACCEPT for write in writes):
        return Deferred(change, SIGNATURE_WAIT, "the buyer has not signed the loan yet", alone=True)
    for write in writes:
        reply = http(config).send(write.method, write.path, json=write.body, headers=write.headers)
        stopped = _taken(config, change, write, reply) if reply.ok else _refused(config, change, write, reply)
        if stopped:
            return stopped
    return Accepted(change, writes[-1].says if writes else "no change was needed")


def _taken(config: KaspiConfig, change: Change, write: Write, reply: Reply) -> Outcome | None:
    """Lines are taken out after the answer (contract kaspi 4.1): nothing that needs them gone may follow before."""
    answer = reply.json()
    if write.says != "fewer lines" or is_done(answer):
        return None
    if not too_much(change.value["keep"], lines_of(_order(config, change)["entries"])):
        return None
    return Deferred(change, LINES_WAIT, "Kaspi is still taking the lines out", alone=True)


def _refused(config: KaspiConfig, change: Change, write: Write, reply: Reply) -> Outcome | None:
    said = words(reply)
    if write.says == "ARRIVED" and re.search(config.arrived_before, said):
        return None
    if ALREADY in said and reached(change.value, {"status": "completed"}):
        return Accepted(change, "completed before")
    return Rejected(change, str(reply.status), said)


def to_status(order: Record, attributes: Record) -> Write:
    """A write of an order's status."""
    return Write(
        attributes["status"], "orders", {"data": {"type": "orders", "id": order["id"], "attributes": attributes}}
    )


def steps(config: KaspiConfig, order: Record, wanted: Mapping[str, Any]) -> list[Write]:
    """The writes that lead from the order, as read (with `entries` where lines are to go), to what is wanted.

    Raises Unusable, its rule naming why, where the contract knows no such way.
    """
    goal, code, seen = wanted["status"], at(order, "attributes.code"), shown(order)
    if reached(wanted, seen):
        return []
    if goal == "cancelled":
        return [to_status(order, _cancellation(code, wanted, seen))]
    if goal == "returned":
        return [to_status(order, _goods_are_back(order, code))]
    if goal in {"delivered", "completed"}:
        raise Unusable("the buyer's code completes it: a person enters it in Kaspi's cabinet", rule="buyer_code")
    if goal not in PROGRESS or seen["status"] not in PROGRESS:
        raise Unusable(f"the order is {seen['status']}, it cannot become {goal}", rule="too_late")
    return list(_onward(config, order, wanted, seen))


def _onward(config: KaspiConfig, order: Record, wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Write]:
    """Acceptance; what is not sold after all is taken out; the rest has come; it is packed."""
    goal, code = wanted["status"], at(order, "attributes.code")
    if seen["status"] == "placed" and goal != "placed":
        yield to_status(order, {"code": code, "status": ACCEPT})
    if fewer := too_much(wanted.get("keep", {}), seen.get("lines", {})):
        yield cancellation(config, order, wanted, fewer)
    packs = goal in PACKED and seen["kaspi_delivery"] and not _stands_at(goal, seen)
    if not seen["arrived"] and (wanted.get("arrived") or (packs and config.preorders == "packing")):
        yield to_status(order, {"code": code, "status": "ARRIVED"})
    if packs:
        yield to_status(order, {"status": "ASSEMBLE", "numberOfSpace": str(wanted.get("spaces") or config.spaces)})


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
        "arrived": has_arrived(order),
        **({"lines": lines_of(order["entries"])} if "entries" in order else {}),
    }


def reached(wanted: Any, seen: Any) -> bool:
    """Whether the order is where it should be, or past it, with no more in it than should be.

    Acceptance is met by every later stage; packing by `assembled`, or by acceptance where Kaspi does not deliver, since
    there it has no such step; a cancellation by nothing but itself; a return also by a cancellation that is over.
    """
    if not _stands_at(wanted["status"], seen):
        return False
    if seen["status"] not in PROGRESS:
        return True
    arrived = seen.get("arrived") or not wanted.get("arrived")
    return bool(arrived and not too_much(wanted.get("keep", {}), seen.get("lines", {})))


def _stands_at(goal: str, seen: Mapping[str, Any]) -> bool:
    now = seen["status"]
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
            order = _order(config, change)
            found[change.subject] = shown(order)
        except Unusable:
            found[change.subject] = {"status": None, "status_raw": status_raw(order)}
        except RejectedError:
            continue
    return found


def _order(config: KaspiConfig, change: Change) -> Record:
    """The order as Kaspi shows it, with its lines where some of them shall go."""
    path = f"orders/{to_id(change.external_id)}"
    order: Record = read(config, path)["data"]
    return {**order, "entries": read(config, f"{path}/entries")["data"]} if "keep" in change.value else order
