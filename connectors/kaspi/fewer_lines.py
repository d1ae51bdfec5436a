"""Taking lines, or a part of them, out of an order (contract kaspi 4.1: the guide alone tells of it).

What is sent is what stays, never what goes, so that a repeat takes nothing more.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.records import to_id
from connectors.sdk import Record
from mappings.canonical.money import exact
from mappings.tables import Unusable, at

REASONS = {
    "out_of_stock": "MERCHANT_OUT_OF_STOCK",
    "buyer": "BUYER_CANCELLATION_BY_MERCHANT",
    "underweight": "PRODUCT_UNDERWEIGHT",
}
"""Canonical reason → Kaspi's, as far as its samples show any for a part of an order."""

THEIRS = {"quantity": "remainedQuantity", "weight_g": "remainedWeight"}
PLAIN = {"Content-Type": "application/json", "Accept": "application/json"}
COMMENT = 1000


class Write(NamedTuple):
    """One request that changes something. `says`: what Kaspi is told by it."""

    says: str
    path: str
    body: Any
    method: str = "POST"
    headers: Mapping[str, str] | None = None


def lines_of(entries: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Line → quantity and grams that Kaspi shows."""
    shown = ((str(at(one, "attributes.entryNumber")), one) for one in entries)
    return {
        number: {"quantity": at(one, "attributes.quantity"), "weight_g": at(one, "attributes.weight")}
        for number, one in shown
    }


def too_much(keep: Mapping[str, Mapping[str, Any]], lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Lines of which more is there than shall stay. A line that Kaspi no longer shows is out already."""
    return {
        number: stays
        for number, stays in keep.items()
        if any(exact(lines.get(number, {}).get(unit) or 0) > exact(amount) for unit, amount in stays.items())
    }


def cancellation(config: KaspiConfig, order: Record, wanted: Mapping[str, Any], lines: Mapping[str, Any]) -> Write:
    """The request that leaves of `lines` what shall stay: one line by pieces has its own, the rest go together.

    Raises Unusable without a reason that Kaspi takes, and where nothing would stay of the whole order.
    """
    given = wanted.get("reason")
    reason = REASONS.get(str(given), given)
    if reason not in REASONS.values():
        raise Unusable(f"say why lines are taken out: {', '.join(REASONS)} (got {given!r})", rule="reason")
    if all(number in lines and not any(lines[number].values()) for number in lines_of(order["entries"])):
        raise Unusable("nothing would stay of the order; cancel it whole", rule="nothing_left")
    comment = str(wanted.get("comment") or "")[:COMMENT]
    said = {"reason": reason, **({"notes": comment} if comment else {})}
    number, stays = next(iter(lines.items()))
    code = str(at(order, "attributes.code"))
    if len(lines) == 1 and stays.keys() == {"quantity"} and config.partial_cancel == "auto":
        return _one(_entry(code, number), {"remainedQuantity": stays["quantity"], **said})
    root = str(config.base_url).rstrip("/").removesuffix("/v2")
    name = code if config.partial_cancel_by == "code" else order["id"]
    each = [
        {"entry": {"id": _entry(code, number)}, **{THEIRS[unit]: amount for unit, amount in stays.items()}, **said}
        for number, stays in lines.items()
    ]
    return Write("fewer lines", f"{root}/orderPartialCancel/{name}", each, "PUT", PLAIN)


def _entry(code: str, number: str) -> str:
    return to_id(f"{code}##{number}")


def _one(entry: str, attributes: Record) -> Write:
    kind = "orderEntryCancelOperation"
    of = {"entry": {"data": {"type": "orderentries", "id": entry}}}
    return Write("fewer lines", kind, {"data": {"type": kind, "attributes": attributes, "relationships": of}})


def is_done(answer: Any) -> bool:
    """Whether Kaspi has taken the lines out by now: SUCCESSFULL in one answer, SUCCESSFUL in the other."""
    status = at(answer, "data.attributes.status") or at(answer, "status")
    return str(status).upper().startswith("SUCCESS")
