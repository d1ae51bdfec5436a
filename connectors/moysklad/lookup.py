"""Finding in MoySklad what an order speaks of: the goods by their SKU, the buyer by the phone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from connectors.moysklad.api import every, first_error, is_any, packed, write
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.mapping import kind_of, sold
from connectors.moysklad.source import NEW_ASSORTMENT, WITH_ARCHIVED
from connectors.sdk import Change, ContractError, Record, RejectedError, TransientError, UnansweredError
from mappings.tables import convert

Ref = dict[str, Any]

NAMESPACE = uuid5(NAMESPACE_URL, "keruen:moysklad")
LISTS = ("entity/assortment",)
LISTS_BY_ARTICLE = ("entity/product", "entity/variant", "entity/bundle")
"""The new assortment has all goods in one list, but does not filter by article."""


def sync_id(subject: str) -> str:
    """One subject, one syncId: by it MoySklad knows a repeated create (contract moysklad 3)."""
    return str(uuid5(NAMESPACE, subject))


def origin(change: Change) -> str:
    """`connection:id` of the order at its origin, which is also the ledger's name for it."""
    order = change.value
    return f"{order['connection']}:{order['external_id']}" if "connection" in order else change.subject


def reference_to(config: MoySkladConfig, kind: str, uuid: str) -> Ref:
    href = f"{str(config.base_url).rstrip('/')}/entity/{kind}/{uuid}"
    return {"meta": {"href": href, "type": kind, "mediaType": "application/json"}}


# ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def goods(config: MoySkladConfig, changes: Sequence[Change]) -> dict[str, Ref | RejectedError]:
    """SKU → the item, for every SKU of these orders: by the hub's binding, else by the fields of the setting `sku`."""
    skus = {line["sku"] for change in changes for line in change.value["lines"] if line.get("sku")}
    bound = {sku: str(uuid) for change in changes for sku, uuid in (change.about.get("variants") or {}).items()}
    by_id = items(config, "id", {bound[sku] for sku in skus & bound.keys()})
    found = {sku: by_id[bound[sku]][0] for sku in skus & bound.keys() if bound[sku] in by_id}
    for field in config.sku:
        matches = items(config, field, skus - found.keys())
        found |= {sku: rows[0] for sku, rows in matches.items() if len(rows) == 1}
    return {sku: reference_to(config, *found[sku]) if sku in found else unknown(config, sku) for sku in skus}


def unknown(config: MoySkladConfig, sku: str) -> RejectedError:
    fields = ", ".join(config.sku)
    return RejectedError(
        f"MoySklad has no single item whose {fields} is {sku}; correct it there, or bind the item in bindings.csv",
        "unknown_sku",
    )


def items(config: MoySkladConfig, field: str, values: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Value → (type, id) of the items that can be sold and have it in that field."""
    found: dict[str, list[tuple[str, str]]] = {}
    for where in packed(is_any(field, sorted(values))):
        for path in LISTS_BY_ARTICLE if field == "article" else LISTS:
            for item in every(config, path, NEW_ASSORTMENT, filter=f"{where};{WITH_ARCHIVED}"):
                if sold(item, config):
                    found.setdefault(item[field], []).append((str(kind_of(item)), item["id"]))
    return found


# ── buyers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Buyer:
    """Whom a counterparty stands for. `key`: the phone, else the channel's own id of the buyer, else the order."""

    key: str
    name: str
    phone: str | None
    email: str | None


def buyer_of(change: Change) -> Buyer:
    order, connection = change.value, origin(change).partition(":")[0]
    own = f"{connection}:{order['customer']}" if order.get("customer") else origin(change)
    phone, name = order.get("contact_phone"), order.get("contact_name")
    return Buyer(phone or own, name or f"Покупатель {order['number']}", phone, order.get("contact_email"))


def buyers(config: MoySkladConfig, changes: Sequence[Change]) -> dict[str, Ref | RejectedError]:
    """Buyer's key → counterparty: the oldest with that phone, else a new one."""
    people = {buyer.key: buyer for buyer in map(buyer_of, changes)}
    known = by_phone(config, [buyer.phone for buyer in people.values() if buyer.phone])
    return {**known, **registered(config, [buyer for buyer in people.values() if buyer.key not in known])}


def by_phone(config: MoySkladConfig, phones: Sequence[str]) -> dict[str, Ref | RejectedError]:
    """The field is free text, so every usual spelling is asked for. Duplicates are normal: the oldest row is taken."""
    spelt = [spelling for phone in phones for spelling in spellings(phone)]
    asked = packed(is_any("phone", spelt))
    rows = [row for where in asked for row in every(config, "entity/counterparty", filter=where)]
    newest_first = sorted(rows, key=lambda row: (row.get("created", ""), row["id"]), reverse=True)
    return {
        phone: reference_to(config, "counterparty", row["id"])
        for row in newest_first
        for phone in convert.phones(row["phone"])
        if phone in phones
    }


def spellings(phone: str) -> tuple[str, ...]:
    """How people write a number of +7; others are written in E.164, with the plus or without."""
    if not phone.startswith("+7") or len(phone) != 12:
        return phone, phone.removeprefix("+")
    ten = phone[2:]
    a, b, c, d = ten[:3], ten[3:6], ten[6:8], ten[8:]
    dashed = f"{b}-{c}-{d}"
    spaced = f"{a} {b} {c} {d}"
    grouped = f"+7 {a} {dashed}", f"+7 ({a}) {dashed}", f"8 ({a}) {dashed}", f"+7 {spaced}", f"8 {spaced}"
    return phone, f"7{ten}", f"8{ten}", *grouped


def registered(config: MoySkladConfig, people: Sequence[Buyer]) -> dict[str, Ref | RejectedError]:
    """New counterparties in one request. Whatever came of it, a repetition finds the same rows by their syncId."""
    if not people:
        return {}
    try:
        reply = write(config, "entity/counterparty", [new_counterparty(config, buyer) for buyer in people])
    except UnansweredError as error:
        raise TransientError(f"{error}; no order was sent", error.retry_after) from None
    answers = reply.json()
    if not isinstance(answers, list):
        answers = [answers] * len(people)
    if len(answers) != len(people):
        raise ContractError(f"{config.connection}: {len(people)} counterparties sent, {len(answers)} answers came")
    return {
        buyer.key: reference_to(config, "counterparty", answer["id"]) if "id" in answer else refusal(answer)
        for buyer, answer in zip(people, answers, strict=True)
    }


def refusal(answer: Record) -> RejectedError:
    code, words = first_error(answer)
    return RejectedError(f"MoySklad refused the buyer: {words}", str(code or "refused"))


def new_counterparty(config: MoySkladConfig, buyer: Buyer) -> Record:
    body = {
        "name": buyer.name,
        "companyType": "individualKZ" if config.region == "kz" else "individual",
        "phone": buyer.phone,
        "email": buyer.email,
        "syncId": sync_id(f"counterparty:{buyer.key}"),
    }
    return {name: value for name, value in body.items() if value}
