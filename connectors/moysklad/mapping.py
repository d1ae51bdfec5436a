"""MoySklad → canonical: goods, prices, places, stock and people (contract moysklad 3, 6 and 7)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.moysklad.api import uuid_of
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.source import from_moscow
from mappings.canonical import Customer, Location, Price, Product, StockLevel
from mappings.canonical.money import currency_code, exact, from_minor
from mappings.tables import Derived, Field, FieldMap, Unusable, convert

Payload = Mapping[str, Any]

EVERYWHERE = frozenset(
    {
        "meta", "accountId", "owner", "group", "shared", "externalCode", "description", "files", "images", "updated",
        "created", "printed", "published", "version", "syncId",
    }
)  # fmt: skip
"""Fields of every entity that carry nothing for the hub."""


def reads(*types: str) -> Callable[[Any], list[dict[str, Any]] | None]:
    """Records of a saved reply whose rows are all of these types: a list answer, a plain array, or one entity."""

    def records(reply: Any) -> list[dict[str, Any]] | None:
        found = reply.get("rows", [reply]) if isinstance(reply, dict) else reply
        if not isinstance(found, list) or not found:
            return None
        return found if all(kind_of(row) in types and "id" in row for row in found) else None

    return records


def reads_stock(reply: Any) -> list[dict[str, Any]] | None:
    """Rows of the short report, whatever number they bear."""
    rows = isinstance(reply, list) and reply and all(isinstance(row, dict) and "assortmentId" in row for row in reply)
    return reply if rows else None


def kind_of(row: Any) -> str | None:
    meta = row.get("meta") if isinstance(row, Mapping) else None
    return meta.get("type") if isinstance(meta, Mapping) else None


# ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sold(item: Payload, config: MoySkladConfig) -> bool:
    """A variant, a bundle, or a product without variants: one with them is a heading, and a service is no goods."""
    return kind_of(item) in ("variant", "bundle") or (kind_of(item) == "product" and not item.get("variantsCount"))


def sku_candidates(item: Payload, config: MoySkladConfig) -> list[str]:
    """Names the item could go by, best first. Which of them no other variant bears only the hub can see."""
    named = [convert.text(item[field]) for field in config.sku if item.get(field)]
    return list(dict.fromkeys(filter(None, named)))


def sku(item: Payload, config: MoySkladConfig) -> str:
    candidates = sku_candidates(item, config)
    if not candidates:
        raise Unusable(f"none of {', '.join(config.sku)} is filled; fill one in MoySklad", "no_unique_sku")
    return candidates[0]


def parent_sku(item: Payload, config: MoySkladConfig) -> str | None:
    parent = item.get("product")
    return next(iter(sku_candidates(parent, config)), uuid_of(parent)) if parent else None


def own_or_parent(item: Payload, field: str) -> Any:
    """Variants have no folder, unit, tax or fields of their own."""
    return item.get(field) or (item.get("product") or {}).get(field)


def custom_fields(item: Payload) -> dict[str, Any]:
    """The merchant's own fields that hold a plain value, by name."""
    fields = own_or_parent(item, "attributes") or ()
    plain = (str, int, float, bool)
    return {field["name"]: field["value"] for field in fields if isinstance(field.get("value"), plain)}


def brand(item: Payload, config: MoySkladConfig) -> str | None:
    value = custom_fields(item).get(config.brand_attribute)
    return None if value is None else convert.text(value)


def barcodes(item: Payload, config: MoySkladConfig) -> tuple[str, ...]:
    """Codes whose check digit holds, the national catalogue's number among them; codes of packs are left out."""
    written = [code for barcode in item.get("barcodes", ()) for code in barcode.values()]
    national = (own_or_parent(item, "mod__nct__kz") or {}).get("ntin")
    return tuple(dict.fromkeys(filter(None, map(convert.barcode, [*written, *([national] if national else [])]))))


def unit(item: Payload, config: MoySkladConfig) -> str | None:
    uom = own_or_parent(item, "uom") or {}
    return uom.get("code") or uom.get("name")


def vat_rate(item: Payload, config: MoySkladConfig) -> Decimal | None:
    """0 with `vatEnabled` false is "no VAT", 0 with it true is a rate of zero."""
    for rate, enabled in (("effectiveVat", "effectiveVatEnabled"), ("vat", "vatEnabled")):
        if own_or_parent(item, enabled):
            return exact(own_or_parent(item, rate) or 0)
    return None


def status(item: Payload, config: MoySkladConfig) -> str:
    """Archiving a product leaves its variants' own flag alone."""
    return "archived" if item.get("archived") or (item.get("product") or {}).get("archived") else "active"


def attributes(item: Payload, config: MoySkladConfig) -> dict[str, Any]:
    """`sku_candidates` for the hub; for channels the variant's characteristics and the merchant's own fields."""
    facts = {
        "sku_candidates": sku_candidates(item, config),
        "kind": kind_of(item),
        "characteristics": {one["name"]: one["value"] for one in item.get("characteristics", ())},
        "fields": custom_fields(item),
        "ntin": (own_or_parent(item, "mod__nct__kz") or {}).get("ntin"),
    }
    return {name: value for name, value in facts.items() if value}


GOODS_REST = EVERYWHERE | {
    "weight", "volume", "packs", "supplier", "country", "minimumBalance", "trackingType", "taxSystem", "tnved",
    "alcoholic", "isSerialTrackable", "things", "ppeType", "discountProhibited", "variantsCount", "useParentVat",
    "productFolder", "salePrices", "buyPrice", "minPrice", "components", "overhead", "paymentItemType",
    "partialDisposal", "weighed", "product", "stock", "reserve", "inTransit", "quantity",
}  # fmt: skip

to_product = FieldMap(
    Product,
    {
        "external_id": Field("id"),
        "sku": Derived(sku, ("code", "article", "externalCode")),
        "parent_sku": Derived(parent_sku, ("product",)),
        "name": Field("name", convert.text),
        "brand": Derived(brand, ("attributes",)),
        "category": Derived(lambda item, config: own_or_parent(item, "pathName") or None, ("pathName",)),
        "barcodes": Derived(barcodes, ("barcodes", "mod__nct__kz")),
        "unit": Derived(unit, ("uom",)),
        "vat_rate": Derived(vat_rate, ("effectiveVat", "effectiveVatEnabled", "vat", "vatEnabled")),
        "status": Derived(status, ("archived",)),
        "attributes": Derived(attributes, ("characteristics",)),
    },
    ignored=GOODS_REST,
    when=sold,
)


def price_parts(item: Payload, config: MoySkladConfig) -> Iterator[Payload]:
    """One part per price that is set. MoySklad shows a price nobody set as 0, so 0 says nothing; a variant without a
    price of its own has its product's."""
    parent = item.get("product") or {}
    own, inherited = price_rows(item, config), price_rows(parent, config)
    for price_type, price in {**inherited, **own}.items():
        yield {"variant": item["id"], "price_type": price_type, **price}


def price_rows(item: Payload, config: MoySkladConfig) -> dict[str, Payload]:
    """Canonical price type → price, of those that are set."""
    listed = {"purchase": item.get("buyPrice"), "minimum": item.get("minPrice")}
    listed |= {price_type(price["priceType"], config): price for price in item.get("salePrices", ())}
    return {name: price for name, price in listed.items() if price and exact(price["value"]) != 0}


def price_type(kind: Payload, config: MoySkladConfig) -> str:
    return config.price_types.get(kind["name"]) or config.price_types.get(kind["id"]) or str(kind["name"])


def currency(holder: Payload, config: MoySkladConfig) -> str:
    """The reference's own word, which the source puts there; a price that names no currency is in the account's."""
    stated = (holder.get("currency") or {}).get("isoCode")
    return currency_code(stated) if stated else config.currency


to_price = FieldMap(
    Price,
    {
        "variant": Field("variant"),
        "price_type": Field("price_type"),
        "amount": Field("value", from_minor),
        "currency": Derived(currency),
    },
    ignored=GOODS_REST | to_product.covered,
    each=price_parts,
    when=sold,
)


# ── places and stock ──────────────────────────────────────────────────────────────────────────────────────────────────

to_location = FieldMap(
    Location,
    {
        "external_id": Field("id"),
        "name": Field("name", convert.text),
        "kind": Derived(
            lambda store, config: "store" if {store["id"], store["name"]} & set(config.shops) else "warehouse"
        ),
        "city": Field("addressFull.city", convert.text),
        "address": Field("address", convert.text),
    },
    ignored=EVERYWHERE | {"code", "archived", "pathName", "parent", "addressFull", "zones", "slots", "attributes"},
)

NO_STORE = "no-store"
"""Where the reserves of orders without a store are kept: MoySklad reports them under `storeId: null`."""
ALL_STORES = "all-stores"
"""Where a saved report without stores puts its sums; the hub itself always asks by store."""


def place(row: Payload, config: MoySkladConfig | None = None) -> str:
    return (row["storeId"] or NO_STORE) if "storeId" in row else ALL_STORES


def stock_key(row: Payload) -> str:
    """An item in a store."""
    return f"{row['assortmentId']}:{place(row)}"


def numbers(row: Payload) -> dict[str, Decimal]:
    return {name: exact(row[name]) for name in row if name not in ("assortmentId", "storeId") and row[name] is not None}


def on_hand(row: Payload, config: MoySkladConfig) -> Decimal:
    """The count, whatever its key is called. Outside all stores nothing lies; what is there is promised only."""
    counted = numbers(row)
    if place(row) == NO_STORE:
        return Decimal(0)
    return counted["stock"] if "stock" in counted else next(iter(counted.values()))


def reserved(row: Payload, config: MoySkladConfig) -> Decimal | None:
    """What MoySklad has promised. Free stock outside all stores is the promises, with a minus."""
    counted = numbers(row)
    if place(row) == NO_STORE and "freeStock" in counted:
        return max(Decimal(0), -counted["freeStock"])
    return counted.get("reserve")


def counted_or_promised(row: Payload, config: MoySkladConfig) -> bool:
    """A row without a number is being recalculated; a reserve alone, inside a store, waits for its count."""
    known = set(numbers(row))
    return bool(known) if place(row) == NO_STORE else bool(known - {"reserve"})


to_stock_level = FieldMap(
    StockLevel,
    {
        "variant": Field("assortmentId"),
        "location": Derived(place, ("storeId",)),
        "on_hand": Derived(on_hand, ("stock", "quantity", "freeStock")),
        "reserved_by_source": Derived(reserved, ("reserve",)),
    },
    ignored=frozenset({"inTransit"}),
    when=counted_or_promised,
)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tax_id(person: Payload, config: MoySkladConfig) -> str | None:
    """БИН or ИИН: in the requisites of Kazakhstan, in old rows of the account in the Russian field."""
    requisites = person.get("mod__requisites__kz") or {}
    stated = requisites.get("bin") or requisites.get("iin") or person.get("inn")
    return convert.text(stated) if stated else None


to_customer = FieldMap(
    Customer,
    {
        "external_id": Field("id"),
        "name": Field("name", convert.text),
        "first_name": Field("legalFirstName", convert.text),
        "last_name": Field("legalLastName", convert.text),
        "middle_name": Field("legalMiddleName", convert.text),
        "phones": Field("phone", convert.phones),
        "emails": Field("email", convert.emails),
        "loyalty_ids": Field("discountCardNumber", lambda card: tuple(filter(None, [convert.text(card)]))),
        "tax_id": Derived(tax_id, ("mod__requisites__kz", "inn")),
        "birth_date": Field("birthDate", lambda text: date.fromisoformat(str(text)[:10])),
        "gender": Field("sex", {"MALE": "male", "FEMALE": "female"}.get),
        "city": Field("actualAddressFull.city", convert.text),
        "address": Field("actualAddress", convert.text),
        "tags": Field("tags", tuple),
        "created_at": Field("created", from_moscow),
        "updated_at": Field("updated", from_moscow),
    },
    ignored=EVERYWHERE
    | {
        "archived", "companyType", "code", "legalTitle", "legalAddress", "legalAddressFull", "actualAddressFull", "fax",
        "kpp", "ogrn", "ogrnip", "okpo", "certificateNumber", "certificateDate", "accounts", "contactpersons", "notes",
        "state", "salesAmount", "priceType", "bonusProgram", "bonusPoints", "discounts", "attributes",
    },
    when=lambda person, config: person["name"] not in config.anonymous,
)  # fmt: skip
