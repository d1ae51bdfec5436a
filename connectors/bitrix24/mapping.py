"""Bitrix24 → canonical people and goods (contract bitrix24 6.3, 6.4 and 7)."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.bitrix24.config import Bitrix24Config
from mappings.canonical import Customer, Location, Price, Product, StockLevel
from mappings.canonical.money import exact
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, at, convert

Payload = Mapping[str, Any]
Fields = dict[str, Field | Derived | Constant]

RUSSIAN_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})")
HEADING, SERVICE = 3, 7
"""Types of a product that are no goods: the parent of variations, and a service."""

# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def phones(person: Payload, config: Bitrix24Config) -> tuple[str, ...]:
    found = (convert.phone(one["VALUE"], config.region) for one in person.get("PHONE") or ())
    return tuple(dict.fromkeys(filter(None, found)))


def emails(person: Payload, config: Bitrix24Config) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (convert.email(one["VALUE"]) for one in person.get("EMAIL") or ()))))


def birth_date(value: Any) -> date:
    """The day as it is written: a moment that is taken to another zone may become the day before (contract 6.5)."""
    if written := RUSSIAN_DATE.match(str(value)):
        day, month, year = map(int, written.groups())
        return date(year, month, day)
    return date.fromisoformat(str(value)[:10])


NAMES: Fields = {
    "first_name": Field("NAME", convert.text),
    "last_name": Field("LAST_NAME", convert.text),
    "middle_name": Field("SECOND_NAME", convert.text),
    "birth_date": Field("BIRTHDATE", birth_date),
}
PERSON: Fields = {
    "phones": Derived(phones, ("PHONE",)),
    "emails": Derived(emails, ("EMAIL",)),
    "city": Field("ADDRESS_CITY", convert.text),
    "address": Field("ADDRESS", convert.text),
    "created_at": Field("DATE_CREATE", convert.aware),
    "updated_at": Field("DATE_MODIFY", convert.aware),
}
UTM = {f"UTM_{name}" for name in ("SOURCE", "MEDIUM", "CAMPAIGN", "CONTENT", "TERM")}
ADDRESS = {
    f"{prefix}ADDRESS{part}" for prefix in ("", "REG_")
    for part in ("", "_2", "_POSTAL_CODE", "_REGION", "_PROVINCE", "_COUNTRY", "_COUNTRY_CODE", "_LOC_ADDR_ID",
                 "_CITY", "_LEGAL")
}  # fmt: skip
EVERYWHERE = UTM | ADDRESS | {
    "ASSIGNED_BY_ID", "CREATED_BY_ID", "MODIFY_BY_ID", "MOVED_BY_ID", "MOVED_TIME", "LAST_ACTIVITY_BY",
    "LAST_ACTIVITY_TIME", "LAST_COMMUNICATION_TIME", "OPENED", "COMMENTS", "SOURCE_ID", "SOURCE_DESCRIPTION",
    "ORIGINATOR_ID", "ORIGIN_ID", "ORIGIN_VERSION", "HAS_PHONE", "HAS_EMAIL", "HAS_IMOL", "IM", "WEB", "LINK",
    "HONORIFIC", "POST", "PHOTO", "LOGO", "LEAD_ID", "TYPE_ID", "COMPANY_ID", "COMPANY_IDS", "CONTACT_ID", "EXPORT",
    "FACE_ID", "STATUS_ID", "STATUS_DESCRIPTION", "STATUS_SEMANTIC_ID", "DATE_CLOSED", "IS_RETURN_CUSTOMER", "TITLE",
    "COMPANY_TITLE", "COMPANY_TYPE", "INDUSTRY", "EMPLOYEES", "REVENUE", "BANKING_DETAILS", "IS_MY_COMPANY",
    "CURRENCY_ID", "OPPORTUNITY", "IS_MANUAL_OPPORTUNITY", "WEBFORM_ID", "STATUS_CONVERTED", "ADDRESS_LEGAL",
}  # fmt: skip

to_contact = FieldMap(Customer, {"external_id": Field("ID", str), **NAMES, **PERSON}, ignored=frozenset(EVERYWHERE))

to_lead = FieldMap(
    Customer,
    {"external_id": Field("ID", lambda key: f"L_{key}"), "tags": Constant(("lead",)), **NAMES, **PERSON},
    ignored=frozenset(EVERYWHERE),
)

to_company = FieldMap(
    Customer,
    {
        "external_id": Field("ID", lambda key: f"CO_{key}"),
        "name": Field("TITLE", convert.text),
        "tags": Constant(("company",)),
        **PERSON,
    },
    ignored=frozenset(EVERYWHERE),
    when=lambda company, config: company.get("IS_MY_COMPANY") != "Y",
)

# ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sold(product: Payload, config: Bitrix24Config) -> bool:
    """A variation or a simple product. Headings have neither stock nor price; services are no goods."""
    return int(product.get("type") or 1) not in (HEADING, SERVICE)


def plain(value: Any) -> Any:
    """A property's value: alone, of a list of several the first, or what stands there without `value`."""
    first = value[0] if isinstance(value, list) and value else value
    return first.get("value") if isinstance(first, Mapping) else first


def sku(product: Payload, config: Bitrix24Config) -> str:
    written = (plain(at(product, name)) for name in config.sku)
    found = next((text for one in written if one is not None and (text := convert.text(one))), None)
    if found is None:
        raise Unusable(f"none of {', '.join(config.sku)} is filled; fill one in Bitrix24", "no_sku")
    return found


def named(product: Payload, config: Bitrix24Config, meaning: str) -> str | None:
    """The value of the property that the settings call so."""
    values = (plain(product.get(name)) for name, called in config.properties.items() if called == meaning)
    return next((convert.text(value) for value in values if value is not None), None)


def attributes(product: Payload, config: Bitrix24Config) -> dict[str, Any]:
    own = {called: plain(product.get(name)) for name, called in config.properties.items()}
    facts = {name: value for name, value in own.items() if name not in ("brand", "category")}
    section = product.get("iblockSectionId")
    return {name: value for name, value in {**facts, "section": section}.items() if value not in (None, "")}


def parent(value: Any) -> str | None:
    found = plain(value)
    return None if found in (None, "", 0, "0") else str(found)


GOODS_REST = frozenset({
    "iblockId", "code", "xmlId", "type", "quantity", "quantityReserved", "quantityTrace", "measure", "vatId",
    "vatIncluded", "purchasingPrice", "purchasingCurrency", "timestampX", "dateCreate", "available", "barcodeMulti",
    "bundle", "canBuyZero", "createdBy", "modifiedBy", "dateActiveFrom", "dateActiveTo", "detailPicture", "detailText",
    "detailTextType", "previewPicture", "previewText", "previewTextType", "height", "length", "width", "sort",
    "recurSchemeLength", "recurSchemeType", "subscribe", "trialPriceId", "withoutOrder", "iblock",
})  # fmt: skip

to_product = FieldMap(
    Product,
    {
        "external_id": Field("id", str),
        "sku": Derived(sku),
        "parent_sku": Field("parentId", parent),
        "name": Field("name", convert.text),
        "brand": Derived(lambda product, config: named(product, config, "brand")),
        "category": Derived(lambda product, config: named(product, config, "category")),
        "weight_g": Field("weight", exact),
        "status": Field("active", lambda flag: {"Y": "active", "N": "archived"}[flag]),
        "attributes": Derived(attributes, ("iblockSectionId",)),
    },
    ignored=GOODS_REST,
    when=sold,
)

to_purchase_price = FieldMap(
    Price,
    {
        "variant": Field("id", str),
        "price_type": Constant("purchase"),
        "amount": Field("purchasingPrice", exact),
        "currency": Field("purchasingCurrency"),
    },
    when=lambda product, config: sold(product, config) and at(product, "purchasingPrice") is not None,
)

to_total = FieldMap(
    StockLevel,
    {
        "variant": Field("id", str),
        "location": Derived(lambda product, config: config.location),
        "on_hand": Field("quantity", convert.quantity),
        "reserved_by_source": Field("quantityReserved", convert.quantity),
    },
    when=lambda product, config: (
        config.stock == "total" and sold(product, config) and at(product, "quantity") is not None
    ),
)


def for_one(price: Payload, config: Bitrix24Config) -> bool:
    """Prices from a quantity on are not what one piece costs."""
    return exact(price.get("quantityFrom") or 0) <= 1


to_price = FieldMap(
    Price,
    {
        "variant": Field("productId", str),
        "price_type": Derived(
            lambda price, config: config.price_types.get(str(price["catalogGroupId"]), str(price["catalogGroupId"])),
            ("catalogGroupId",),
        ),
        "amount": Field("price", exact),
        "currency": Field("currency"),
    },
    ignored=frozenset({"id", "timestampX", "extraId", "priceScale", "quantityFrom", "quantityTo"}),
    when=for_one,
)

to_location = FieldMap(
    Location,
    {
        "external_id": Field("id", str),
        "name": Field("title", convert.text),
        "kind": Derived(lambda store, config: "store" if str(store["id"]) in config.shops else "warehouse"),
        "address": Field("address", convert.text),
    },
    ignored=frozenset({
        "active", "code", "dateCreate", "dateModify", "description", "email", "gpsN", "gpsS", "imageId",
        "issuingCenter", "modifiedBy", "phone", "schedule", "sort", "userId", "xmlId",
    }),
)  # fmt: skip

to_stock_level = FieldMap(
    StockLevel,
    {
        "variant": Field("productId", str),
        "location": Field("storeId", str),
        "on_hand": Field("amount", convert.quantity),
        "reserved_by_source": Field("quantityReserved", convert.quantity),
    },
    ignored=frozenset({"id"}),
    # nobody has counted where the amount is null: that is not zero
    when=lambda row, config: config.stock == "stores" and at(row, "amount") is not None,
)
