"""The simulated Kaspi takes lines out of an order: one by pieces, or many, by weight too (contract kaspi 4.1)."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.kaspi.records import from_id, to_id
from connectors.kaspi.sandbox_market import Kaspi
from connectors.kaspi.sandbox_orders import LINE_REASONS, Line, Refused, Sale
from connectors.sdk import Record


def fewer_of_one(kaspi: Kaspi, path: Mapping[str, str], body: Any) -> Record:
    """`POST /orderEntryCancelOperation`."""
    said, entry = body["data"]["attributes"], body["data"]["relationships"]["entry"]["data"]["id"]
    sale, number = _place(kaspi, entry)
    done = sale.shrink({number: _left(sale, number, said)})
    status = "SUCCESSFULL" if done else "INPROGRESS"
    told = {"remainedQuantity": said["remainedQuantity"], "remainedWeight": 0.0, "status": status}
    return {"data": {"type": "orderEntryCancelOperation", "id": to_id(f"{sale.code}1"), "attributes": told}}


def fewer_of_many(kaspi: Kaspi, path: Mapping[str, str], body: Any) -> Record:
    """`PUT /orderPartialCancel/{orderId}`: all of it or nothing."""
    sale = kaspi.sales[from_id(path["id"])]
    places = [_place(kaspi, one["entry"]["id"]) for one in body]
    if any(other is not sale for other, _ in places):
        raise Refused("Entry is not found in the order")
    done = sale.shrink(dict(_all_left(sale, zip((number for _, number in places), body, strict=True))))
    entries = [{"id": to_id(f"{sale.code}{number}"), **one} for number, one in enumerate(body)]
    return {"orderCancelEntries": entries, "status": "SUCCESSFUL" if done else "INPROGRESS"}


def _all_left(sale: Sale, asked: Iterable[tuple[int, Record]]) -> Iterable[tuple[int, Line]]:
    return ((number, _left(sale, number, said)) for number, said in asked)


def _left(sale: Sale, number: int, said: Record) -> Line:
    if said.get("reason") not in LINE_REASONS:
        raise Refused("reason is not valid")
    return sale.lines[number].left(said.get("remainedQuantity"), said.get("remainedWeight"))


def _place(kaspi: Kaspi, entry: str) -> tuple[Sale, int]:
    """Raises KeyError or ValueError where no such line is."""
    code, _, number = from_id(entry).partition("##")
    return kaspi.sales[code], int(number)
