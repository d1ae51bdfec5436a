"""The sandbox's stock reports: the short ones of one number a call, the heavy ones of everything (contract 7)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from connectors.moysklad.simulator.books import ROOT, Books, Count, Fields, Refusal, Row, meta, ref
from connectors.moysklad.simulator.query import MOST
from connectors.moysklad.source import from_moscow

NUMBERS: dict[str, Callable[[Count], Decimal]] = {
    "stock": lambda count: count.stock,
    "reserve": lambda count: count.reserve,
    "freeStock": lambda count: count.stock - count.reserve,
    "quantity": lambda count: count.stock - count.reserve,
    "inTransit": lambda count: Decimal(0),
}
Wanted = Mapping[str, set[str]]
Counts = Mapping[str | None, Count]
BACK = timedelta(hours=24)


def current_report(books: Books, params: Mapping[str, str], by_store: bool) -> list[Fields]:
    """One array of one number, never paged. Zeros come on request or with `changedSince`; what is being recalculated
    does not come at all. Raises Refusal."""
    kind, since = params.get("stockType", "stock"), params.get("changedSince")
    if kind not in NUMBERS:
        raise Refusal(400, 1034, f"Неизвестный stockType: {kind}", "stockType")
    if since and books.clock() - from_moscow(since) > BACK:
        raise Refusal(400, 1034, "changedSince: не более 24 часов назад", "changedSince")
    zeros = since is not None or params.get("include") == "zeroLines"
    wanted = _wanted(params.get("filter", ""))
    rows = _by_store(books, kind, since, wanted) if by_store else _summed(books, kind, since, wanted)
    return [row for row in rows if zeros or row[kind]]


def _wanted(text: str) -> dict[str, set[str]]:
    """`assortmentId=a,b;storeId=c`: bare ids, joined by commas."""
    parts = (part.partition("=") for part in filter(None, text.split(";")))
    return {name: set(values.split(",")) for name, _, values in parts}


def _chosen(books: Books, kind: str, since: str | None, wanted: Wanted) -> Iterator[tuple[str, str | None, Count]]:
    for (item, store), count in list(books.counts.items()):
        if item in books.recalculating or (since and count.since.get(kind, "") < since):
            continue
        if item in wanted.get("assortmentId", {item}) and store in wanted.get("storeId", {store}):
            yield item, store, count


def _by_store(books: Books, kind: str, since: str | None, wanted: Wanted) -> Iterator[Fields]:
    for item, store, count in _chosen(books, kind, since, wanted):
        if store is not None or kind != "stock":
            yield {"assortmentId": item, "storeId": store, kind: _number(NUMBERS[kind](count))}


def _summed(books: Books, kind: str, since: str | None, wanted: Wanted) -> Iterator[Fields]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    changed = {item for item, _, _ in _chosen(books, kind, since, wanted)}
    for (item, _), count in list(books.counts.items()):
        if item in changed:
            sums[item] += NUMBERS[kind](count)
    return ({"assortmentId": item, kind: _number(total)} for item, total in sums.items())


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def heavy_report(books: Books, params: Mapping[str, str], by_store: bool) -> Fields:
    """Pages of everything that is known of an item; items without stock are left out unless asked for."""
    limit, offset = int(params.get("limit", MOST)), int(params.get("offset", 0))
    counted: dict[str, dict[str | None, Count]] = defaultdict(dict)
    for (item, store), count in list(books.counts.items()):
        counted[item][store] = count
    empty_too = "mode=all" in params.get("filter", "").casefold()
    items = [item for item in sorted(counted) if empty_too or _any(counted[item])]
    make = _stores_row if by_store else _sums_row
    rows = [make(books, item, counted[item]) for item in items[offset : offset + limit]]
    name, path = ("stockbystore", "report/stock/bystore") if by_store else ("stock", "report/stock/all")
    pages: Fields = {"size": len(items), "limit": limit, "offset": offset}
    if offset + limit < len(items):
        pages["nextHref"] = f"{ROOT}/{path}?limit={limit}&offset={offset + limit}"
    return {"meta": meta(name, path, **pages), "rows": rows}


def _any(counts: Counts) -> bool:
    return any(count.stock or count.reserve for count in counts.values())


def _item(books: Books, item: str) -> Row:
    return next(books.tables[kind].rows[item] for kind in ("product", "variant") if item in books.tables[kind].rows)


def _own_meta(row: Row) -> Fields:
    """References of reports carry a query, as the vendor's do."""
    own: Fields = ref(row.kind, row.id)["meta"]
    return own | {"href": f"{own['href']}?expand={'product.' if row.kind == 'variant' else ''}supplier"}


def _sums_row(books: Books, item: str, counts: Counts) -> Fields:
    row = _item(books, item)
    stock = sum((count.stock for count in counts.values()), Decimal(0))
    reserve = sum((count.reserve for count in counts.values()), Decimal(0))
    named = {name: value for name, value in row.fields.items() if name in ("name", "code", "externalCode")}
    numbers = {"stock": stock, "reserve": reserve, "inTransit": Decimal(0), "quantity": stock - reserve}
    return {"meta": _own_meta(row), **named, **{name: _number(value) for name, value in numbers.items()}, "price": 0.0}


def _stores_row(books: Books, item: str, counts: Counts) -> Fields:
    stores = [
        {
            "meta": ref("store", store)["meta"], "name": books.tables["store"].rows[store].fields["name"],
            "stock": _number(count.stock), "reserve": _number(count.reserve), "inTransit": 0,
        }
        for store, count in counts.items()
        if store is not None
    ]  # fmt: skip
    return {"meta": _own_meta(_item(books, item)), "stockByStore": stores}
