"""Orders of other channels as deals: made once with their product rows, then moved on (contract bitrix24 6.2, 10)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from connectors.bitrix24.api import PAGE, Answer, Call, as_map, ask, look_up, numbered, pieces, rows_of, write
from connectors.bitrix24.cards import Person, cards
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.deals import NOTHING, status
from connectors.bitrix24.sink import QUIET, outcome
from connectors.bitrix24.source import DEALS, owned_by
from connectors.sdk import Accepted, Change, Outcome, Record, Rejected
from mappings.canonical import PROGRESS
from mappings.canonical.money import CENT, exact
from mappings.tables import Unusable

COMMANDS = 3
"""An order's at most: its buyer, the deal, its rows."""
ORDERS_AT_ONCE = PAGE // COMMANDS
DEAL = 2
"""entityTypeId."""
DELIVERY = "Доставка"
ENDS = ("cancelled", "returned")


@dataclass(frozen=True)
class References:
    """What a batch of orders refers to: SKU → product id, buyer → contact id, and the key of each new buyer."""

    goods: Mapping[str, str]
    contacts: Mapping[Person, str]
    newcomers: Mapping[Person, str]

    def buyer(self, person: Person) -> tuple[str, dict[str, Call]]:
        """The contact's id, or a reference to what the command beside it makes; empty where nothing is known of him."""
        if (key := self.newcomers.get(person)) is None:
            return self.contacts.get(person, ""), {}
        return f"$result[{key}]", {key: Call("crm.contact.add", {"fields": buyer_card(person), "params": QUIET})}


def push_orders(config: Bitrix24Config, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One batch: buyers, deals and rows, joined by references. The receipt is the deal's id.

    A repeat finds the deal by our mark; a buyer and rows that were refused the first time are put into it then.
    """
    if not changes:
        return
    deals = copies(config, changes)
    references = references_of(config, changes, deals)
    calls: dict[str, Call] = {}
    commands: dict[str, list[str]] = {}
    for place, change in enumerate(changes):
        deal = deals.get(origin(change))
        made = (
            created(config, place, change, references)
            if deal is None
            else moved(config, place, change, deal, references)
        )
        if made:
            calls |= {key: call for key, call in made.items() if key not in calls}
            commands[change.subject] = list(made)
        elif deal:
            yield Accepted(change, deal["ID"])
    answers = write(config, calls) if calls else {}
    for change in changes:
        if change.subject in commands:
            deal = deals.get(origin(change))
            yield order_outcome(change, {key: answers[key] for key in commands[change.subject]}, deal)


def references_of(config: Bitrix24Config, changes: Sequence[Change], deals: Mapping[str, Record]) -> References:
    alone = [change for change in changes if nobodys(deals.get(origin(change), {}))]
    bare = [change for change in changes if not deals.get(origin(change), {}).get("PRODUCT_ROWS")]
    people = list(dict.fromkeys(buyer_of(change) for change in alone))
    contacts = {person: card["ID"] for person, card in cards(config, people).items()}
    strangers = [person for person in people if person.contacts and person not in contacts]
    return References(
        goods(config, bare), contacts, {person: f"buyer{place}" for place, person in enumerate(strangers)}
    )


def nobodys(deal: Record) -> bool:
    """Without a buyer; a company that managers put there is one."""
    return all(deal.get(field) in NOTHING for field in ("CONTACT_ID", "COMPANY_ID"))


def order_outcome(change: Change, answers: Mapping[str, Answer], deal: Record | None) -> Outcome:
    """The worst of an order's commands decides; the deal itself comes first, since the rest hangs on it."""
    made = next((answer for key, answer in answers.items() if key.startswith("deal")), None)
    receipt = str(deal["ID"]) if deal else made_id(made)
    if made and (made.error or not made.ran):
        return outcome(change, made, receipt)
    told = [outcome(change, answer, receipt) for answer in answers.values()]
    worst = next((one for one in told if not isinstance(one, Accepted)), told[0])
    if isinstance(worst, Rejected):
        return Rejected(change, worst.code, f"the deal {receipt} was made, but not all of it: {worst.message}")
    return worst


def made_id(answer: Answer | None) -> str:
    return str(as_map(as_map(answer.result).get("item")).get("id", "")) if answer else ""


def shown_orders(config: Bitrix24Config, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → the wanted value where its deal needs nothing more, else the deal's stage."""
    deals = copies(config, changes)
    somebody = {person: "buyer" for change in changes if (person := buyer_of(change)).contacts}
    pairs = [(change, deals[origin(change)]) for change in changes if origin(change) in deals]
    return {
        change.subject: {"status": deal["STAGE_ID"]}
        if moved(config, 0, change, deal, References({}, {}, somebody))
        else change.value
        for change, deal in pairs
    }


def origin(change: Change) -> str:
    """`connection:id` of the order where it was made."""
    order = change.value
    return f"{order['connection']}:{order['external_id']}" if "connection" in order else change.subject


def copies(config: Bitrix24Config, changes: Sequence[Change]) -> dict[str, Record]:
    """Origin → the deal, by our mark, else by the id the hub has bound; each with its product rows."""
    origins = {origin(change): change for change in changes}
    ids = {change.external_id: key for key, change in origins.items() if change.external_id.isdigit()}
    ours = {"ORIGINATOR_ID": config.originator}
    wheres = [
        *({**ours, "@ORIGIN_ID": some} for some in pieces(list(origins))),
        *({"@ID": some} for some in pieces(list(ids))),
    ]
    lists = [
        Call("crm.deal.list", {"order": {"ID": "DESC"}, "filter": where, "select": list(DEALS), "start": -1})
        for where in wheres
    ]
    rows = [row for result in look_up(config, numbered(lists)).values() for row in rows_of(result)]
    found = {ids[row["ID"]]: row for row in rows if row["ID"] in ids}
    found |= {row["ORIGIN_ID"]: row for row in rows if row["ORIGIN_ID"] in origins}
    asked = {
        f"d{deal['ID']}": Call("crm.item.productrow.list", {"filter": owned_by(deal["ID"]), "start": -1})
        for deal in found.values()
    }
    lines = look_up(config, asked)
    return {key: {**deal, "PRODUCT_ROWS": rows_of(lines[f"d{deal['ID']}"])} for key, deal in found.items()}


# ── stages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stage_for(config: Bitrix24Config, wanted: str) -> str | None:
    """The stage of that status in our pipeline, or of the nearest before it that the settings name."""
    prefix = f"C{config.pipeline}:" if config.pipeline else ""
    ours = {
        stage if ":" in stage else prefix + stage: meaning
        for stage, meaning in config.stages.items()
        if ":" not in stage or (prefix and stage.startswith(prefix))
    }
    reachable = PROGRESS[PROGRESS.index(wanted) :: -1] if wanted in PROGRESS else (wanted,)
    return next((stage for one in reachable for stage, meaning in ours.items() if meaning == one), None)


def moved(config: Bitrix24Config, place: int, change: Change, deal: Record, references: References) -> dict[str, Call]:
    """What an existing deal lacks. It never goes back, and a stage the settings do not name is a manager's own."""
    contact, calls = references.buyer(buyer_of(change)) if nobodys(deal) else ("", {})
    fields = {"contactId": contact} if contact else {}
    stage = stage_for(config, change.value["status"])
    if stage and stage != deal["STAGE_ID"] and later(change.value["status"], status_of(config, deal)):
        fields["stageId"] = stage
    if fields:
        calls[f"deal{place}"] = Call("crm.item.update", {"entityTypeId": DEAL, "id": deal["ID"], "fields": fields})
    if not deal["PRODUCT_ROWS"] and change.value["lines"]:
        calls[f"rows{place}"] = set_rows(deal["ID"], rows(change.value, references.goods))
    return calls


def status_of(config: Bitrix24Config, deal: Record) -> str | None:
    try:
        return status(deal, config)
    except Unusable:
        return None


def later(wanted: str, have: str | None) -> bool:
    """Whether a status follows another: a later one on the way forward, or a way out of what has not ended."""
    if wanted in PROGRESS:
        return have in PROGRESS and PROGRESS.index(wanted) > PROGRESS.index(have)
    return have is not None and wanted != have and have not in ENDS


# ── a new deal ────────────────────────────────────────────────────────────────────────────────────────────────────────


def created(config: Bitrix24Config, place: int, change: Change, references: References) -> dict[str, Call]:
    """Commands by key: the buyer where he is new, the deal, its rows. One buyer of two orders is made once."""
    order = change.value
    contact, calls = references.buyer(buyer_of(change))
    stage = stage_for(config, order["status"])
    fields = {
        "title": order["number"],
        "categoryId": config.pipeline,
        "currencyId": order["currency"],
        "isManualOpportunity": "Y",
        "opportunity": order["total"],
        "originatorId": config.originator,
        "originId": origin(change),
        **({"stageId": stage} if stage else {}),
        **({"contactId": contact} if contact else {}),
        **({"comments": words} if (words := comments(order)) else {}),
    }
    calls[f"deal{place}"] = Call("crm.item.add", {"entityTypeId": DEAL, "fields": fields})
    if lines := rows(order, references.goods):
        calls[f"rows{place}"] = set_rows(f"$result[deal{place}][item][id]", lines)
    return calls


def comments(order: Record) -> str:
    """What has no field of its own in a deal."""
    delivery = order.get("delivery") or {}
    told = (order.get("contact_name"), delivery.get("city"), delivery.get("address"), delivery.get("promised_at"))
    return ", ".join(str(one) for one in told if one)


def set_rows(deal: str, lines: Sequence[Record]) -> Call:
    """`set` replaces all rows of the deal, so a repeat has one effect."""
    return Call("crm.item.productrow.set", {"ownerType": "D", "ownerId": deal, "productRows": list(lines)})


def rows(order: Record, goods: Mapping[str, str]) -> list[Record]:
    """Goods, and delivery as a row of its own. A discount on the whole order is spread over the goods.

    Prices are rounded up to the cent: the sum of the deal is set by hand and is never more than its rows.
    """
    lines = [line for line in order["lines"] if exact(line["quantity"])]
    worth = sum((exact(line["total"]) for line in lines), Decimal(0))
    share = exact(order.get("discount") or 0) / worth if worth else Decimal(0)
    made = [row(line, share, goods) for line in lines]
    cost = exact(order.get("delivery_cost") or 0)
    delivery = [{"productName": DELIVERY, "price": str(cost), "quantity": "1"}] if cost else []
    return [{**one, "sort": 10 * place} for place, one in enumerate([*made, *delivery], start=1)]


def row(line: Record, share: Decimal, goods: Mapping[str, str]) -> Record:
    quantity = exact(line["quantity"])
    price = (exact(line["total"]) * (1 - share) / quantity).quantize(CENT, ROUND_UP)
    gross = exact(line["unit_price"]) if line.get("unit_price") is not None else price
    off = {"discountTypeId": 1, "discountSum": str(gross - price)} if gross > price else {}
    tax = {} if line.get("vat_rate") is None else {"taxRate": str(line["vat_rate"]), "taxIncluded": "Y"}
    found = goods.get(line.get("sku") or "")
    named = {"productId": found} if found else {"productName": name_of(line)}
    return {**named, "price": str(price), "quantity": str(quantity), **off, **tax}


def name_of(line: Record) -> str:
    return " ".join(str(one) for one in (line.get("name"), line.get("sku")) if one) or "?"


def goods(config: Bitrix24Config, changes: Sequence[Change]) -> dict[str, str]:
    """SKU → product: by the hub's binding, else by the fields of the setting `sku`; else a row bears its name alone."""
    skus = sorted({line["sku"] for change in changes for line in change.value["lines"] if line.get("sku")})
    bound = {sku: str(key) for change in changes for sku, key in (change.about.get("variants") or {}).items()}
    rest = [sku for sku in skus if sku not in bound]
    if not rest:
        return bound
    catalogues = [one["iblockId"] for one in rows_of(ask(config, "catalog.catalog.list")["result"])]
    asked = [
        (field, Call("catalog.product.list", {
            "select": ["id", "iblockId", field], "filter": {"iblockId": one, f"@{field}": some}, "start": -1,
        }))
        for field in config.sku if field != "id" for one in catalogues for some in pieces(rest)
    ]  # fmt: skip
    answers = look_up(config, numbered(call for _, call in asked))
    found: dict[str, str] = {}
    for (field, _), answer in zip(asked, answers.values(), strict=True):
        for product in rows_of(answer):
            found.setdefault(str(product[field]), str(product["id"]))
    return found | bound


# ── buyers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def buyer_of(change: Change) -> Person:
    order = change.value
    phones, emails = ((order[name],) if order.get(name) else () for name in ("contact_phone", "contact_email"))
    return Person("", "", order.get("contact_name") or "", phones, emails)


def buyer_card(person: Person) -> Record:
    """Without our mark: `customer.push` may make it the card of a person."""
    return {
        "NAME": person.name or "Покупатель",
        "PHONE": [{"VALUE": phone, "VALUE_TYPE": "MOBILE"} for phone in person.phones],
        "EMAIL": [{"VALUE": email, "VALUE_TYPE": "HOME"} for email in person.emails],
    }
