"""Goods from their records to the store: whose word counts, which place is meant, what a negative count becomes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from dagster_project.steps.authority import strength
from dagster_project.steps.mapping import Pass, Rows, Said, provenance
from dagster_project.steps.people.erased import turn_away
from dagster_project.store import goods, places
from dagster_project.store.goods import Put
from dagster_project.store.incoming import stated
from dagster_project.store.people import customers
from mappings.canonical import Location, Product, StockLevel


def row(one: Said) -> dict[str, Any]:
    """A record as it is, with where it came from."""
    return {**stated(one.record), "seq": one.row.id, "source": one.source}


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def owns_products(work: Pass) -> bool:
    """A connection without authority over products gives listings."""
    return strength(work.hub, work.connection.name, "product") is not None


def table_of(work: Pass, entity: str) -> str:
    """Where the records of an entity stand."""
    return "listing" if entity == "product" and not owns_products(work) and "listing" not in work.maps else entity


def product_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """`attributes.sku_candidates` are names the variant could go by, best first; else it has only its sku."""
    if owns_products(work):
        return {"product": [{**row(one), "skus": _candidates(cast(Product, one.record))} for one in said]}
    if "listing" in work.maps:
        return {}
    return {"listing": [_as_listing(one) for one in said]}


def _candidates(product: Product) -> list[str]:
    return list(dict.fromkeys(product.attributes.get("sku_candidates") or [product.sku]))


def _as_listing(one: Said) -> dict[str, Any]:
    product = cast(Product, one.record)
    return {
        "seq": one.row.id,
        "source": one.source,
        "external_id": product.external_id,
        "variant": product.external_id,
        "sku": product.sku,
        "barcode": next(iter(product.barcodes), None),
        "title": product.name,
        "status": product.status,
    }


def put_products(work: Pass) -> Put:
    stronger = strength(work.hub, work.connection.name, "product")
    return Put() if stronger is None else goods.put_products(work.db, {**work.values, "stronger": list(stronger)})


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def place(work: Pass, external: str | None) -> str | None:
    """Our name of a vendor's place: the merchant's, else the one bound by its own name, else `connection:id`."""
    if external is None:
        return None
    if "places" not in work.memory:
        work.memory["places"] = places.bound(work.db, work.connection.name)
    known = work.memory["places"].get(external)
    return work.connection.entry.locations.get(external) or (known and known.ours) or work.connection.location(external)


def place_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """Binds each place; a name in `locations` may be the vendor's id or the vendor's name."""
    return {"location": [{**row(one), "location": _bound(work, cast(Location, one.record))} for one in said]}


def _bound(work: Pass, location: Location) -> str:
    was = place(work, location.external_id)
    becomes = _wanted(work, location.external_id, location.name)
    places.bind(work.db, {**work.values, "external_id": location.external_id, "was": was, "becomes": becomes})
    work.memory["places"][location.external_id] = places.Place(becomes, location.name)
    return becomes


def _wanted(work: Pass, external: str, name: str | None) -> str:
    named = work.connection.entry.locations
    return named.get(external) or named.get(name or "") or cast(str, work.connection.location(external))


def follow_settings(work: Pass) -> None:
    """Places that `locations` in connections.yaml names otherwise by now."""
    for external, known in places.bound(work.db, work.connection.name).items():
        becomes = _wanted(work, external, known.name)
        if becomes != known.ours:
            places.bind(work.db, {**work.values, "external_id": external, "was": known.ours, "becomes": becomes})


def put_places(work: Pass) -> Put:
    stronger = strength(work.hub, work.connection.name, "location") or ()
    return goods.put_places(work.db, {**work.values, "stronger": list(stronger)})


# ── counts, prices, listings ──────────────────────────────────────────────────────────────────────────────────────────


def count_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """Counts of places where the connection has a say; below zero becomes 0, and the source keeps what was counted."""
    rows = [made for one in said if (made := _count_row(work, one))]
    work.counts["ignored"] += len(said) - len(rows)
    return {"stock_level": rows}


def _count_row(work: Pass, one: Said) -> dict[str, Any] | None:
    level = cast(StockLevel, one.record)
    ours = cast(str, place(work, level.location))
    overruling = work.memory.setdefault("overruling", {})
    if ours not in overruling:
        overruling[ours] = strength(work.hub, work.connection.name, "on_hand", ours)
    if overruling[ours] is None:
        return None
    made = {**row(one), "location": ours, "as_of": level.as_of or one.row.landed_at}
    if level.on_hand < 0:
        work.counts["negative"] += 1
        made["on_hand"] = Decimal(0)
        made["source"] = provenance(work, one.row, work.maps["stock_level"], counted=str(level.on_hand))
    return made


def put_counts(work: Pass) -> Put:
    overruling = work.memory.get("overruling", {})
    pairs = [(ours, owner) for ours, owners in overruling.items() for owner in owners or ()]
    named = {"places": [ours for ours, _ in pairs], "owners": [owner for _, owner in pairs]}
    return goods.put_counts(work.db, {**work.values, **named})


def price_rows(work: Pass, said: Sequence[Said]) -> Rows:
    if strength(work.hub, work.connection.name, "price") is None:
        work.counts["ignored"] += len(said)
        return {}
    return {"price": [row(one) for one in said]}


def put_prices(work: Pass) -> Put:
    return goods.put_prices(work.db, work.values)


def listing_rows(work: Pass, said: Sequence[Said]) -> Rows:
    return {"listing": [row(one) for one in said]}


def put_listings(work: Pass) -> Put:
    return goods.put_listings(work.db, work.values)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def customer_rows(work: Pass, said: Sequence[Said]) -> Rows:
    return {"customer": [row(one) for one in said]}


def put_customers(work: Pass) -> Put:
    turn_away(work, "customer")
    return customers.put_customers(work.db, work.values)
