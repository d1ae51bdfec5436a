"""What is read from Bitrix24: people, deals, goods, prices, stores and stock (contract bitrix24 4, 6 and 7).

Lists are walked by id inside the window of a run. The position of a run is the moment at which the portal gave the
first page: whoever is changed behind our back while we read is behind that moment, and comes again next time.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.bitrix24.activities import TYPES
from connectors.bitrix24.api import PAGE, Call, Listing, ask, look_up, numbered, pieces, rows_of, walk
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.events import hinted
from connectors.bitrix24.notation import in_filters, moment, utc
from connectors.bitrix24.refusals import UnknownMethod
from connectors.sdk import Page, Record, Since

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""Re-read on every run: rows saved late, and a clock of ours that runs ahead."""
PEOPLE = ("*", "UF_*", "PHONE", "EMAIL")
"""`*` leaves out one's own fields and, where many values stand, phones and e-mails."""
DEALS = ("*", "UF_*")
GOODS = (
    "id", "iblockId", "name", "code", "xmlId", "active", "type", "quantity", "quantityReserved", "measure", "weight",
    "vatId", "vatIncluded", "purchasingPrice", "purchasingCurrency", "timestampX", "dateCreate", "iblockSectionId",
)  # fmt: skip

Reads = Callable[[Any], Sequence[Record] | None]


def contacts(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Contacts with all phones, e-mails and fields of the merchant's own."""
    yield from changed(config, since, Listing("crm.contact.list", {}, PEOPLE), "CONTACT")


def companies(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Companies with all phones, e-mails and fields of the merchant's own."""
    yield from changed(config, since, Listing("crm.company.list", {}, PEOPLE), "COMPANY")


def leads(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Leads: people who asked and are not contacts yet. Nothing where the CRM works without leads."""
    if config.leads:
        yield from changed(config, since, Listing("crm.lead.list", {}, PEOPLE), "LEAD")


def deals(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Deals with their product rows; those changed within the backfill window in a first run."""
    if "deals" not in config.orders_from:
        return
    started = {">=DATE_MODIFY": in_filters(config, since.now - since.backfill)} if since.first else {}
    for page in changed(config, since, Listing("crm.deal.list", {**pipelines(config), **started}, DEALS), "DEAL"):
        rows = rows_of_deals(config, [deal["ID"] for deal in page.records])
        yield replace(page, records=[{**deal, "PRODUCT_ROWS": rows[deal["ID"]]} for deal in page.records])


def deals_there(config: Bitrix24Config) -> Iterator[str]:
    """Ids of all deals: who deletes one moves no time of another (contract 6.6)."""
    if "deals" in config.orders_from:
        yield from ids(config, Listing("crm.deal.list", pipelines(config), ("ID",)))


def pipelines(config: Bitrix24Config) -> Record:
    return {"@CATEGORY_ID": list(config.pipelines)} if config.pipelines else {}


def ids(config: Bitrix24Config, listing: Listing) -> Iterator[str]:
    yield from (str(row[listing.id]) for page in walk(config, listing) for row in page)


def activities(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Calls, and what else `activities` names; those changed within the backfill window in a first run.

    The contract names no method for them: a portal that has none has no calls, and everything else is read.
    """
    if not config.activities:
        return
    started = {">=LAST_UPDATED": in_filters(config, since.now - since.backfill)} if since.first else {}
    kinds = {"@TYPE_ID": [TYPES[name] for name in config.activities]}
    listing = Listing("crm.activity.list", {**kinds, **started}, ("*", "COMMUNICATIONS"))
    try:
        yield from changed(config, since, listing, "ACTIVITY", stamp="LAST_UPDATED")
    except UnknownMethod as error:
        log.warning("%s: calls are not read, set `activities: []`: %s", config.connection, error)


def shop_orders(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Orders of the online store with basket, clients, payments and shipments; nothing where deals are the orders."""
    if "shop" not in config.orders_from:
        return
    started = {">=dateUpdate": in_filters(config, since.now - since.backfill)} if since.first else {}
    listing = Listing("sale.order.list", started, ("id",), "id", "[orders]")
    for page in changed(config, since, listing, stamp="dateUpdate"):
        asked = {f"o{row['id']}": Call("sale.order.get", {"id": row["id"]}) for row in page.records}
        yield replace(page, records=[found["order"] for found in look_up(config, asked).values()])


def shop_orders_there(config: Bitrix24Config) -> Iterator[str]:
    """Ids of all orders of the online store."""
    if "shop" in config.orders_from:
        yield from ids(config, Listing("sale.order.list", {}, ("id",), "id", "[orders]"))


def products(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Goods of every catalogue, variations with their parent's id, inactive ones too."""
    cursor: str | None = None
    for catalogue in rows_of(ask(config, "catalog.catalog.list")["result"]):
        parent = f"property{catalogue['skuPropertyId']}" if catalogue.get("skuPropertyId") else None
        select = (*GOODS, *own_properties(config), *([parent] if parent else ()))
        listing = Listing("catalog.product.list", {"iblockId": catalogue["iblockId"]}, select, "id", "[products]")
        for page in changed(config, since, listing, stamp="timestampX"):
            # one position for all catalogues: that of the first, or changes in it while others are read would be lost
            cursor = cursor or page.cursor
            yield Page([with_parent(product, parent) for product in page.records], cursor)


def prices(config: Bitrix24Config, since: Since) -> Iterator[Page]:
    """Prices of all types: a changed price does not move its product's own stamp."""
    yield from changed(config, since, Listing("catalog.price.list", {}, (), "id", "[prices]"), stamp="timestampX")


def stores(config: Bitrix24Config, since: Since) -> Iterator[list[Record]]:
    """Stores of the inventory, inactive ones too."""
    yield from walk(config, Listing("catalog.store.list", {}, (), "id", "[stores]"))


def stock(config: Bitrix24Config, since: Since) -> Iterator[list[Record]]:
    """What lies in each store. The list tells no time, so it is read whole."""
    yield from walk(config, Listing("catalog.storeproduct.list", {}, (), "id", "[storeProducts]"))


def changed(
    config: Bitrix24Config, since: Since, listing: Listing, kind: str = "", *, stamp: str = "DATE_MODIFY"
) -> Iterator[Page]:
    """Rows changed since, by rising id, and those that an event hints at: one pushed, or queued for their `kind`."""
    whole = listing
    if not since.first and since.value is not None:
        window = {f">={stamp}": in_filters(config, moment(since.value))}
        listing = replace(listing, where={**listing.where, **window})
    call = listing.step("0")
    body = ask(config, call.method, call.params)
    first, cursor = rows_of(body["result"]), utc(told_at(body, since.now))
    seen: set[str] = set()
    for page in _all(config, listing, first):
        seen.update(str(row[listing.id]) for row in page)
        yield Page(page, cursor)
    if not since.first:
        ids = {*(hinted(config, kind) if kind else ()), *filter(str.isdigit, since.hinted)} - seen
        yield from (Page(rows, cursor) for rows in named(config, whole, ids))


def named(config: Bitrix24Config, listing: Listing, ids: set[str]) -> Iterator[list[Record]]:
    """The records of a listing with these ids, whatever their time says; in as few requests as fit."""
    lists = (
        replace(listing, where={**listing.where, f"@{listing.id}": some}).step("0")
        for some in pieces(sorted(ids, key=int))
    )
    yield from map(rows_of, look_up(config, numbered(lists)).values())


def _all(config: Bitrix24Config, listing: Listing, first: list[Record]) -> Iterator[list[Record]]:
    if first:
        yield first
    if len(first) == PAGE:
        yield from walk(config, listing, int(first[-1][listing.id]), length=2)


def told_at(body: Mapping[str, Any], otherwise: datetime) -> datetime:
    """When the portal began to answer, by its own clock."""
    time = body.get("time")
    try:
        return moment(time["date_start"]) if isinstance(time, dict) else otherwise
    except (KeyError, ValueError):
        return otherwise


def rows_of_deals(config: Bitrix24Config, ids: Sequence[str]) -> dict[str, list[Record]]:
    """Deal → its product rows: one command a deal, fifty in a request; a deal with more than a page is walked."""
    lists = {key: Listing("crm.item.productrow.list", owned_by(key), (), "id", "[productRows]") for key in ids}
    found = look_up(config, {f"d{key}": listing.step("0") for key, listing in lists.items()}) if ids else {}
    rows = {key: rows_of(found[f"d{key}"]) for key in ids}
    for key, some in rows.items():
        if len(some) == PAGE:
            some += [row for page in walk(config, lists[key], int(some[-1]["id"])) for row in page]
    return rows


def owned_by(deal: str) -> Record:
    return {"=ownerType": "D", "=ownerId": deal}


def own_properties(config: Bitrix24Config) -> list[str]:
    """Properties that the settings name, to be asked for."""
    named = [*config.properties, *(field for field in config.sku if field.startswith("property"))]
    return list(dict.fromkeys(named))


def with_parent(product: Record, parent: str | None) -> Record:
    """The link to the parent under one name; each catalogue of variations keeps it in a property of its own."""
    return {**product, "parentId": product.get(parent)} if parent else product


# ── saved replies ─────────────────────────────────────────────────────────────────────────────────────────────────────


def reads(has: str, *lacks: str) -> Reads:
    """Of an older method: its records, told by a field that only they have."""

    def read(reply: Any) -> Sequence[Record] | None:
        result = reply.get("result") if isinstance(reply, dict) else None
        rows = [result] if isinstance(result, dict) else result
        return rows if isinstance(rows, list) and rows and _is_record(rows[0], has, lacks) else None

    return read


def _is_record(row: Any, has: str, lacks: Sequence[str]) -> bool:
    known = isinstance(row, dict) and isinstance(row.get("ID"), str | int) and has in row
    return known and not any(name in row for name in lacks)


def reads_wrapped(name: str, has: str) -> Reads:
    """Of a newer method: its records, which stand under their name; answers to a change look the same.

    One record alone stands under the name in the singular.
    """

    def read(reply: Any) -> Sequence[Record] | None:
        result = reply.get("result") if isinstance(reply, dict) else None
        rows = result.get(name) if isinstance(result, dict) else None
        if rows is None and isinstance(result, dict) and name.removesuffix("s") in result:
            rows = [result[name.removesuffix("s")]]
        return rows if isinstance(rows, list) and rows and isinstance(rows[0], dict) and has in rows[0] else None

    return read
