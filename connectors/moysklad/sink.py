"""Orders of other channels, copied into MoySklad: created once, then moved on (contract moysklad 3, 5 and 6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.moysklad.api import EXPANDED, every, first_error, is_any, packed, read, write
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.documents import COPY, status
from connectors.moysklad.lookup import Ref, buyer_of, buyers, goods, origin, reference_to, sync_id
from connectors.moysklad.source import WITH_DELETED, complete_positions
from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    ContractError,
    Deferred,
    Outcome,
    Record,
    Rejected,
    RejectedError,
)
from mappings.canonical import PROGRESS
from mappings.canonical.money import exact

BATCH = 50
"""Orders in one request. With what is looked up before, a batch fits in one window of the budget."""
CHANGED_MEANWHILE = 1065
ENDS = ("cancelled", "returned")


@dataclass(frozen=True)
class Entry:
    """An element of the bulk request, and the change that it is for."""

    change: Change
    body: Record


@dataclass(frozen=True)
class Desk:
    """What is looked up once for a batch. A good or a buyer that could not be had is the error that says why."""

    states: Sequence[Record]
    goods: Mapping[str, Ref | RejectedError]
    buyers: Mapping[str, Ref | RejectedError]


def check(config: MoySkladConfig) -> None:
    """One cheap authenticated read. Raises ConfigError that says what the merchant must do."""
    read(config, "context/application" if config.token_kind in ("solution", "draft") else "context/employee")


def push_orders(config: MoySkladConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One bulk request that creates the orders MoySklad has not got and moves on those it has.

    `value`: a canonical order as JSON with its `connection`. `about["variants"]`: sku → MoySklad's id, where the hub
    has bound one. A repeated create returns the earlier order (syncId), so a lost answer makes no second one.
    """
    if not changes:
        return
    known = copies(config, changes)
    fresh = [change for change in changes if reference(change) not in known]
    desk = Desk(named_states(config), goods(config, fresh), buyers(config, fresh))
    entries = []
    for change in changes:
        copy = known.get(reference(change))
        try:
            body = created(config, change, desk) if copy is None else moved(config, change, copy, desk.states)
        except RejectedError as no:
            yield Rejected(change, no.code, str(no))
            continue
        if body is not None:
            entries.append(Entry(change, body))
        elif copy is not None:
            yield Accepted(change, copy["id"])
    yield from posted(config, entries)


def shown_orders(config: MoySkladConfig, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → the wanted value where its copy needs nothing more, else the copy's status."""
    known, states = copies(config, changes), named_states(config)
    found = [(change, known[reference(change)]) for change in changes if reference(change) in known]
    return {
        change.subject: {"status": status(copy, config)} if moved(config, change, copy, states) else change.value
        for change, copy in found
    }


def reference(change: Change) -> str:
    """The external code of the copy. Read back, it tells the hub whose copy the order is."""
    return COPY + origin(change)


def copies(config: MoySkladConfig, changes: Sequence[Change]) -> dict[str, Record]:
    """Reference → the copy, by its external code, else by the id the hub has bound.

    In the recycle bin too: what a person threw away is not made again.
    """
    found = {order["externalCode"]: order for order in orders(config, "externalCode", map(reference, changes))}
    bound = {change.external_id: change for change in changes if change.external_id and reference(change) not in found}
    return found | {reference(bound[order["id"]]): order for order in orders(config, "id", bound)}


def orders(config: MoySkladConfig, field: str, values: Iterable[str]) -> Iterator[Record]:
    """Customer orders by external code or id, with their state and all positions: what is written replaces them all."""
    for where in packed(is_any(field, values)):
        asked: dict[str, Any] = {"filter": f"{where};{WITH_DELETED}", "expand": "state,positions", "limit": EXPANDED}
        for order in every(config, "entity/customerorder", **asked):
            complete_positions(config, "entity/customerorder", order)
            yield order


def posted(config: MoySkladConfig, entries: Sequence[Entry], again: bool = True) -> Iterator[Outcome]:
    """Sends the entries together and walks the answer. Refused as a whole, they are sent one by one."""
    if not entries:
        return
    reply = write(config, "entity/customerorder", [entry.body for entry in entries])
    answers = reply.json() if reply.text.strip() else {}
    if not isinstance(answers, list):
        if len(entries) > 1:
            for entry in entries:
                yield from posted(config, [entry], again)
            return
        answers = [answers]
    if len(answers) != len(entries):
        raise ContractError(f"{config.connection}: {len(entries)} orders sent, {len(answers)} answers came")
    busy = []
    for entry, answer in zip(entries, answers, strict=True):
        code, words = first_error(answer)
        if "id" in answer and "errors" not in answer:
            yield Accepted(entry.change, answer["id"])
        elif code != CHANGED_MEANWHILE:
            yield Rejected(entry.change, str(code or reply.status), words)
        elif again:
            busy.append(entry)
        else:
            yield Deferred(entry.change, None, words)
    yield from posted(config, busy, again=False)


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def named_states(config: MoySkladConfig) -> list[Record]:
    """States of customer orders to which the merchant's table gives a `status`, in the account's order."""
    states = read(config, "entity/customerorder/metadata").get("states", [])
    named = [(state, config.states.get(state["id"]) or config.states.get(state["name"])) for state in states]
    return [{**state, "status": meaning} for state, meaning in named if meaning]


def state_for(wanted: str, states: Sequence[Record]) -> Record | None:
    """The state of that status, or of the nearest before it that the account has."""
    reachable = PROGRESS[PROGRESS.index(wanted) :: -1] if wanted in PROGRESS else (wanted,)
    return next((state for one in reachable for state in states if state["status"] == one), None)


def moved(config: MoySkladConfig, change: Change, copy: Record, states: Sequence[Record]) -> Record | None:
    """What an existing copy lacks, None where it lacks nothing. It never goes back: people in MoySklad may be ahead."""
    state = state_for(change.value["status"], states)
    if state is None or not later(state["status"], status(copy, config)):
        return None
    body = {"meta": bare(copy["meta"]), "state": {"meta": bare(state["meta"])}}
    return body | ({} if state["status"] in PROGRESS else {"positions": released(copy)})


def later(wanted: str, have: str) -> bool:
    """Whether a status follows another: a later one on the way forward, or a way out of what has not ended."""
    if wanted in PROGRESS:
        return have in PROGRESS and PROGRESS.index(wanted) > PROGRESS.index(have)
    return wanted != have and have not in ENDS


def released(copy: Record) -> list[Record]:
    """All positions again, since the collection is replaced whole; nothing is reserved any more."""
    kept = ("id", "quantity", "price", "discount", "vat", "vatEnabled", "pack")
    return [
        {name: position[name] for name in kept if name in position}
        | {"assortment": {"meta": bare(position["assortment"]["meta"])}, "reserve": 0}
        for position in copy["positions"].get("rows", ())
    ]


def bare(meta: Mapping[str, Any]) -> dict[str, Any]:
    """All that a written reference needs."""
    return {name: meta[name] for name in ("href", "type", "mediaType") if name in meta}


# ── a new order ───────────────────────────────────────────────────────────────────────────────────────────────────────


def created(config: MoySkladConfig, change: Change, desk: Desk) -> Record:
    """The body of a new order. Raises RejectedError where this order cannot be written, ConfigError where none can."""
    order, state = change.value, state_for(change.value["status"], desk.states)
    if config.organization is None:
        raise ConfigError(f"{config.connection} cannot write orders: set `organization` to the id of your юрлицо.")
    if order["currency"] != config.currency:
        raise RejectedError(f"the order is in {order['currency']}, the account in {config.currency}", "currency")
    store = config.stores.get(order.get("location") or "", config.store)
    promised = (order.get("delivery") or {}).get("promised_at")
    optional = {
        "store": store and reference_to(config, "store", str(store)),
        "state": state and {"meta": bare(state["meta"])},
        "shipmentAddress": (order.get("delivery") or {}).get("address"),
        "deliveryPlannedMoment": promised and local(config, promised),
    }
    return {
        "syncId": sync_id(reference(change)),
        "externalCode": reference(change),
        "name": order["number"],
        "moment": local(config, order["placed_at"]),
        "applicable": True,
        "vatIncluded": True,
        "organization": reference_to(config, "organization", str(config.organization)),
        "agent": had(desk.buyers[buyer_of(change).key]),
        "positions": positions(config, order, desk, reserve=config.reserve and store is not None),
    } | {name: value for name, value in optional.items() if value}


def had(found: Ref | RejectedError) -> Ref:
    if isinstance(found, RejectedError):
        raise found
    return found


def local(config: MoySkladConfig, moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(config.timezone)).strftime("%Y-%m-%d %H:%M:%S")


def positions(config: MoySkladConfig, order: Record, desk: Desk, reserve: bool) -> list[Record]:
    """Goods, and delivery as the service that stands for it. A discount on the whole order is spread over the goods."""
    open_ = reserve and order["status"] in PROGRESS[: PROGRESS.index("shipped")]
    goods_total = sum((exact(line["total"]) for line in order["lines"]), Decimal(0))
    share = exact(order.get("discount") or 0) / goods_total if goods_total else Decimal(0)
    written = [position(line, desk, share, open_) for line in order["lines"] if exact(line["quantity"])]
    delivery = exact(order.get("delivery_cost") or 0)
    if delivery and config.delivery_service:
        service = reference_to(config, "service", str(config.delivery_service))
        written.append({"quantity": 1, "price": number(delivery * 100), "discount": 0, "assortment": service})
    return written


def position(line: Record, desk: Desk, share: Decimal, reserve: bool) -> Record:
    """Price before discount in minor units, discount in percent: exact enough that the sum comes out to the tiyn."""
    if not line.get("sku"):
        raise RejectedError("a line names no SKU; bind its variant to one", "no_sku")
    quantity, net = exact(line["quantity"]), exact(line["total"]) * (1 - share)
    price = exact(line["unit_price"]) if line.get("unit_price") is not None else exact(line["total"]) / quantity
    gross = price * quantity
    discount = (1 - net / gross) * 100 if gross else Decimal(0)
    body = {
        "quantity": number(quantity),
        "price": number(price * 100),
        "discount": number(discount.quantize(Decimal("1e-10"))),
        "assortment": had(desk.goods[line["sku"]]),
    }
    vat = {} if line.get("vat_rate") is None else {"vat": number(exact(line["vat_rate"])), "vatEnabled": True}
    return body | vat | ({"reserve": number(quantity)} if reserve else {})


def number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
