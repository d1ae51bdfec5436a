"""What bundles (комплекты) there could be: they lie nowhere, their components do (contract moysklad 6)."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from connectors.moysklad.api import EXPANDED, every, uuid_of
from connectors.moysklad.config import MoySkladConfig
from connectors.sdk import ContractError, Record
from mappings.canonical.money import exact

Recipe = Mapping[str, Decimal]
"""Component → how many go into one bundle. Services are left out: there is no end to them."""
Place = tuple[str, str | None]


def recipes(config: MoySkladConfig) -> dict[str, Recipe]:
    """Bundle → what it is made of."""
    bundles = every(config, "entity/bundle", expand="components", limit=EXPANDED)
    return {bundle["id"]: _recipe(config, bundle) for bundle in bundles}


def _recipe(config: MoySkladConfig, bundle: Record) -> Recipe:
    components = bundle["components"]
    if components["meta"]["size"] > len(components.get("rows", ())):
        raise ContractError(f"{config.connection}: bundle {bundle['id']} has fewer components than it says")
    goods = (row for row in components["rows"] if row["assortment"]["meta"]["type"] != "service")
    return {str(uuid_of(row["assortment"])): exact(row["quantity"]) for row in goods}


def made_of(known: Mapping[str, Recipe], items: Iterable[str]) -> dict[str, Recipe]:
    """Those of the bundles that one of the items goes into."""
    changed = set(items)
    return {bundle: recipe for bundle, recipe in known.items() if changed & recipe.keys()}


def stock_of(bundles: Mapping[str, Recipe], counts: Mapping[Place, Record]) -> Iterator[Record]:
    """A row of the stock report per bundle and store in which each component is counted.

    `stock` is what could be put together of all that lies there, `reserve` what of it the components' promises take.
    """
    stores = sorted({store for _, store in counts if store is not None})
    for bundle, recipe in bundles.items():
        for store in stores:
            parts = [(counts.get((item, store), {}), quantity) for item, quantity in recipe.items()]
            if parts and all("stock" in part for part, _ in parts):
                whole = min(exact(part["stock"]) // quantity for part, quantity in parts)
                free = min(
                    (exact(part["stock"]) - exact(part.get("reserve", 0))) // quantity for part, quantity in parts
                )
                yield {"assortmentId": bundle, "storeId": store, "stock": int(whole), "reserve": int(whole - free)}
