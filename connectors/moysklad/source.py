"""What is read from MoySklad: goods, stores, stock, people, orders, receipts and returns."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from connectors.moysklad.api import EXPANDED, LISTED, any_of, every, is_any, packed, read, rows, uuid_of
from connectors.moysklad.bundles import made_of, recipes, stock_of
from connectors.moysklad.config import MoySkladConfig
from connectors.sdk import ContractError, Page, Record, Since
from mappings.tables import convert

MOSCOW = "Europe/Moscow"
OVERLAP = timedelta(minutes=10)
"""Re-read on every run: rows saved late, and a clock of ours that runs ahead."""
STOCK_MEMORY = timedelta(hours=23)
"""The short report looks back 24 hours at most; older windows need the whole report."""
WITH_ARCHIVED = any_of("archived", ("true", "false"))
WITH_DELETED = any_of("isDeleted", ("true", "false"))
NEW_ASSORTMENT = {"X-Lognex-Remap-Beta-Feature": "assortmentWithoutStock"}
LANDED = 5000
"""Rows of the un-paged stock report that are handed on at once."""

Dictionary = Callable[[Record], Record | None]
"""Reference → the words that stand for it."""


def moscow(at: datetime) -> str:
    """An instant in MoySklad's notation, fixed width."""
    return at.astimezone(ZoneInfo(MOSCOW)).strftime("%Y-%m-%d %H:%M:%S.%f")[:23]


from_moscow = convert.local(MOSCOW)


def updated(record: Record) -> str:
    """`updated` at fixed width: answers carry milliseconds or not, and cursors compare as text."""
    return moscow(from_moscow(record["updated"]))


def products(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Products, variants and bundles, archived ones too, oldest change first; each variant with its product.

    A changed product brings its variants along: they inherit its prices, yet their own `updated` does not move.
    """
    currencies, units = currencies_of(config), dictionary(config, "entity/uom", "code", "name")
    start = None if since.first else since.value
    for page in changed(config, "entity/assortment", start, WITH_ARCHIVED, "product", headers=NEW_ASSORTMENT):
        parents = [] if since.first else [row["id"] for row in page if row.get("variantsCount")]
        goods = list({row["id"]: row for row in (*page, *variants_of(config, parents))}.values())
        for one in goods:
            for item in (one, one.get("product") or {}):
                spell([price.get("currency") for price in prices_in(item)], currencies)
                spell([item.get("uom")], units)
        yield goods


def variants_of(config: MoySkladConfig, parents: list[str]) -> Iterator[Record]:
    """The variants of some products, their product expanded."""
    for where in packed(is_any("productid", parents)):
        asked: dict[str, Any] = {"filter": f"{where};{WITH_ARCHIVED}", "expand": "product", "limit": EXPANDED}
        yield from every(config, "entity/variant", **asked)


def prices_in(item: Record) -> list[Record]:
    return [*item.get("salePrices", ()), *(item[name] for name in ("buyPrice", "minPrice") if item.get(name))]


def stores(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Stores (склады), archived ones too: old documents name them."""
    yield from changed(config, "entity/store", None if since.first else since.value, WITH_ARCHIVED)


def counterparties(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Counterparties, archived ones too, oldest change first."""
    yield from changed(config, "entity/counterparty", None if since.first else since.value, WITH_ARCHIVED)


def customer_orders(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Customer orders with all positions, those in the recycle bin too, oldest change first."""
    yield from documents(config, "entity/customerorder", since, "state,salesChannel,positions")


def retail_sales(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Receipts of the tills with all positions, oldest change first."""
    yield from documents(config, "entity/retaildemand", since, "positions")


def retail_returns(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Returns at the tills with all positions, oldest change first; some have no receipt."""
    yield from documents(config, "entity/retailsalesreturn", since, "positions")


def sales_returns(config: MoySkladConfig, since: Since) -> Iterator[list[Record]]:
    """Returns of shipped orders with all positions and the shipment, oldest change first."""
    yield from documents(config, "entity/salesreturn", since, "demand,salesChannel,positions")


def documents(config: MoySkladConfig, path: str, since: Since, expand: str) -> Iterator[list[Record]]:
    """Documents changed since, or in the backfill window, each with all positions and its currency by name."""
    currencies = currencies_of(config)
    unknown_buyers = dictionary(config, "entity/counterparty", "name", filter=any_of("name", config.anonymous))
    start = moscow(since.now - since.backfill) if since.first else since.value
    for page in changed(config, path, start, WITH_DELETED, expand):
        for document in page:
            complete_positions(config, path, document)
            spell([(document.get("rate") or {}).get("currency")], currencies)
            spell([document.get("agent")], unknown_buyers, strict=False)
        yield page


def complete_positions(config: MoySkladConfig, path: str, document: Record) -> None:
    """Expanding gives the first hundred positions; a document with more gets them from its own list."""
    positions = document["positions"]
    if positions["meta"]["size"] > len(positions.get("rows", ())):
        positions["rows"] = list(every(config, f"{path}/{document['id']}/positions"))
    if positions["meta"]["size"] > len(positions.get("rows", ())):
        raise ContractError(f"{config.connection}: {path}/{document['id']} has fewer positions than it says")


def changed(
    config: MoySkladConfig,
    path: str,
    start: str | None,
    where: str,
    expand: str | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[list[Record]]:
    """Rows changed at or after `start` (Moscow time), oldest change first, each once.

    Every page asks anew from the last change seen: rows that move to the end while we read would shift an offset and
    so hide others. Only a page full of one single moment is continued by offset.
    """
    seen: set[tuple[str, str]] = set()
    size, offset, more = (EXPANDED if expand else LISTED), 0, True
    fixed = {"order": "updated,asc;id,asc", "limit": size} | ({"expand": expand} if expand else {})
    while more:
        window = f"updated>={start};{where}" if start else where
        page, more = rows(config, path, {"filter": window, "offset": offset, **fixed}, headers)
        if fresh := [row for row in page if (row["id"], row["updated"]) not in seen]:
            yield fresh
        if not page:
            return
        stuck = page[-1]["updated"] == start
        last = {(row["id"], row["updated"]) for row in page if row["updated"] == page[-1]["updated"]}
        seen = seen | last if stuck else last
        start, offset = page[-1]["updated"], offset + size if stuck else 0


def stock(config: MoySkladConfig, since: Since) -> Iterator[Page]:
    """Counts and reserves per store from the short report: what changed since, or everything, zeros included.

    The report states no time, so the cursor is the moment of asking. An item that is missing is being recalculated,
    which says nothing of its stock. Bundles are not in it; they are counted from their components.
    """
    asked = moscow(since.now)
    whole = since.first or from_moscow(since.value) < since.now - STOCK_MEMORY
    records = current_stock(config) if whole else changed_stock(config, str(since.value)[:19])
    if records and config.bundles:
        records = records + bundled(config, records, whole)
    yield Page(records[:LANDED], cursor=asked)
    for start in range(LANDED, len(records), LANDED):
        yield Page(records[start : start + LANDED], cursor=asked)


def current_stock(config: MoySkladConfig, **params: str) -> list[Record]:
    """Counts and reserves as they are now, zeros included."""
    return joined(short_report(config, "stock", **params), short_report(config, "reserve", **params))


def bundled(config: MoySkladConfig, records: list[Record], whole: bool) -> list[Record]:
    """Rows of the bundles that hang on these; what else goes into them is asked for, unless the rows are all there are.

    A bundle whose own recipe changed waits for the whole report.
    """
    bundles = recipes(config)
    if not whole:
        bundles = made_of(bundles, {row["assortmentId"] for row in records})
        parts = sorted({item for recipe in bundles.values() for item in recipe})
        records = [row for items in packed(parts, ",") for row in current_stock(config, filter=f"assortmentId={items}")]
    return list(stock_of(bundles, {place_of(row): row for row in records}))


def changed_stock(config: MoySkladConfig, since: str) -> list[Record]:
    """Rows whose count or reserve changed; the half that did not change is asked for by item."""
    halves = {kind: short_report(config, kind, changedSince=since) for kind in ("stock", "reserve")}
    known = {kind: {place_of(row) for row in found} for kind, found in halves.items()}
    for kind, other in (("stock", "reserve"), ("reserve", "stock")):
        missing = {place for place in known[other] - known[kind] if place[1] is not None}
        for items in packed(sorted({item for item, _ in missing}), ","):
            found = short_report(config, kind, filter=f"assortmentId={items}")
            halves[kind] += [row for row in found if place_of(row) in missing]
    return joined(halves["stock"], halves["reserve"])


def short_report(config: MoySkladConfig, kind: str, **params: str) -> list[Record]:
    """One un-paged array with one kind of number; only `changedSince` brings zeros by itself."""
    zeros = {} if "changedSince" in params else {"include": "zeroLines"}
    body = read(config, "report/stock/bystore/current", {"stockType": kind, **zeros, **params})
    if not isinstance(body, list):
        raise ContractError(f"{config.connection}: the short stock report is not a list")
    return [only_number(row, kind) for row in body]


def only_number(row: Record, kind: str) -> Record:
    """The number under the name of what was asked for: the report may name it otherwise (contract moysklad 7)."""
    numbers = [value for name, value in row.items() if name not in ("assortmentId", "storeId")]
    where = {"assortmentId": row["assortmentId"], "storeId": row.get("storeId")}
    return where | ({kind: numbers[0]} if numbers else {})


def joined(counts: Iterable[Record], reserves: Iterable[Record]) -> list[Record]:
    """One record per item and store, with `stock` and `reserve` where each is known."""
    records: dict[tuple[str, str | None], Record] = {}
    for row in (*counts, *reserves):
        records.setdefault(place_of(row), {}).update(row)
    return list(records.values())


def place_of(row: Record) -> tuple[str, str | None]:
    return row["assortmentId"], row.get("storeId")


def dictionary(config: MoySkladConfig, path: str, *names: str, **params: Any) -> Dictionary:
    """The words for a reference, from a small list of the account that is read when the first one is asked for.

    Only `names`, which do not change by themselves: a currency's rate would make every product new each day.
    """

    @cache
    def words() -> dict[str, Record]:
        return {row["id"]: {name: row[name] for name in names if name in row} for row in every(config, path, **params)}

    return lambda ref: words().get(uuid_of(ref) or "")


def currencies_of(config: MoySkladConfig) -> Dictionary:
    return dictionary(config, "entity/currency", "isoCode", "name", filter=WITH_ARCHIVED)


def spell(refs: Iterable[Record | None], words_for: Dictionary, strict: bool = True) -> None:
    """Puts the words beside each reference, as `expand` would. Raises ContractError where a strict one has none."""
    for ref in filter(None, refs):
        words = words_for(ref)
        if words is None and strict:
            raise ContractError(f"MoySklad refers to {ref['meta'].get('href')}, which its own list does not hold")
        ref.update(words or {})
