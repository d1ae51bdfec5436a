"""The methods the hub calls, and how they refuse (contract bitrix24 6 to 9)."""

from collections.abc import Mapping
from typing import Any

from connectors.bitrix24.simulator.door import Method, Refusal, Rows, listed
from connectors.bitrix24.simulator.lists import page_of, selected
from connectors.bitrix24.simulator.portal import GOODS, KINDS, LINK, OFFERS, OWN_FIELDS, SEMANTICS, Portal, Row

PLAIN_FIELDS = {
    "CONTACT": {
        "NAME", "SECOND_NAME", "LAST_NAME", "BIRTHDATE", "ORIGINATOR_ID", "ORIGIN_ID", "COMMENTS", "COMPANY_ID",
        "SOURCE_ID", "PHONE", "EMAIL", "DATE_CREATE", *OWN_FIELDS,
    },
}  # fmt: skip
DEAL_FIELDS = {
    "title": "TITLE", "categoryId": "CATEGORY_ID", "stageId": "STAGE_ID", "currencyId": "CURRENCY_ID",
    "opportunity": "OPPORTUNITY", "isManualOpportunity": "IS_MANUAL_OPPORTUNITY", "contactId": "CONTACT_ID",
    "originatorId": "ORIGINATOR_ID", "originId": "ORIGIN_ID", "comments": "COMMENTS",
}  # fmt: skip
CROWD = 20
"""Hits of one type that suppress those of the others."""


def crm_list(kind: str) -> Method:
    def method(portal: Portal, params: Row) -> Rows:
        body = page_of(portal.crm[kind].values(), params, key="ID")
        body["result"] = [selected(row, params.get("select")) for row in body["result"]]
        return body

    return method


def contact_add(portal: Portal, params: Row) -> int:
    fields = contact_fields(params)
    if missing := next((name for name in portal.required if not fields.get(name)), None):
        raise Refusal(400, "", f'The "{missing}" field is required')
    return portal.add("CONTACT", fields)


def contact_update(portal: Portal, params: Row) -> bool:
    key = int(params.get("id") or 0)
    if key not in portal.crm["CONTACT"]:
        raise Refusal(400, "", "Contact is not found")
    portal.change("CONTACT", key, contact_fields(params))
    return True


def contact_delete(portal: Portal, params: Row) -> bool:
    key = int(params.get("id") or 0)
    if key not in portal.crm["CONTACT"]:
        raise Refusal(400, "", "Contact is not found")
    portal.delete("CONTACT", key)
    return True


def contact_fields(params: Row) -> Row:
    """Names that no contact has are ignored without a word; a multiple field takes a list."""
    given = params.get("fields") or {}
    fields = {name: value for name, value in given.items() if name in PLAIN_FIELDS["CONTACT"]}
    for name in ("PHONE", "EMAIL", *(own for own, multiple in OWN_FIELDS.items() if multiple)):
        if name in fields:
            fields[name] = listed(fields[name])
    return fields


def fields_of_contacts(portal: Portal, params: Row) -> Row:
    about = {"type": "string", "isRequired": False, "isReadOnly": False, "isDynamic": False}
    return {
        name: {**about, "isMultiple": name in ("PHONE", "EMAIL") or OWN_FIELDS.get(name, False), "title": name}
        for name in PLAIN_FIELDS["CONTACT"]
    }


def find_by_contact(portal: Portal, params: Row) -> Any:
    """Normalised values; says which cards, not which value. Twenty hits or more of one type suppress the others."""
    kind, values = params.get("type"), listed(params.get("values"))
    if kind not in ("PHONE", "EMAIL") or len(values) > 20:
        raise Refusal(400, "", "Invalid parameters")
    kinds = [params["entity_type"]] if params.get("entity_type") else KINDS[:3]
    found = {one: portal.bearing(one, kind, values) for one in kinds}
    crowd = next((one for one, ids in found.items() if len(ids) >= CROWD), None)
    return {one: ids for one, ids in found.items() if ids and crowd in (None, one)} or []


# ── deals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def item_add(portal: Portal, params: Row) -> Row:
    fields = deal_fields(params)
    key = portal.add("DEAL", fields)
    return {"item": item(portal, key)}


def item_update(portal: Portal, params: Row) -> Row:
    fields, key = deal_fields(params), int(params.get("id") or 0)
    if key not in portal.crm["DEAL"]:
        raise Refusal(400, "NOT_FOUND", "Element not found")
    portal.change("DEAL", key, fields)
    return {"item": item(portal, key)}


def deal_fields(params: Row) -> Row:
    if str(params.get("entityTypeId")) != "2":
        raise Refusal(400, "ENTITY_TYPE_NOT_SUPPORTED", "Only deals are kept here")
    given = params.get("fields") or {}
    fields = {DEAL_FIELDS[name]: value for name, value in given.items() if name in DEAL_FIELDS}
    if "OPPORTUNITY" in fields:
        fields["OPPORTUNITY"] = f"{float(fields['OPPORTUNITY']):.2f}"
    stage = fields.get("STAGE_ID")
    return {**fields, "STAGE_SEMANTIC_ID": SEMANTICS.get(stage.rpartition(":")[2], "P")} if stage else fields


def item(portal: Portal, key: int) -> Row:
    row = portal.crm["DEAL"][key]
    return {"id": key, **{name: row.get(field) for name, field in DEAL_FIELDS.items()}}


def rows_list(portal: Portal, params: Row) -> Rows:
    where = params.get("filter") or {}
    if not any(name.endswith("ownerId") for name in where):
        raise Refusal(400, "100", "Could not find value for parameter {ownerId}")
    return page_of(_owned(portal, where), params, key="id", wrap="productRows")


def _owned(portal: Portal, where: Row) -> list[Row]:
    deal = next(value for name, value in where.items() if name.endswith("ownerId"))
    return portal.rows.get(int(deal or 0), [])


def rows_set(portal: Portal, params: Row) -> Row:
    key = int(params.get("ownerId") or 0)
    if params.get("ownerType") != "D" or key not in portal.crm["DEAL"]:
        raise Refusal(400, "NOT_FOUND", "Owner is not found")
    return {"productRows": portal.set_rows(key, listed(params.get("productRows")))}


# ── the catalogue ─────────────────────────────────────────────────────────────────────────────────────────────────────


def catalogues(portal: Portal, params: Row) -> Rows:
    """Goods, and the variations of them; only these are linked."""
    goods = {"id": GOODS, "iblockId": GOODS, "name": "Каталог", "productIblockId": None, "skuPropertyId": None}
    offers = {"id": OFFERS, "iblockId": OFFERS, "name": "Вариации", "productIblockId": GOODS, "skuPropertyId": LINK}
    return Rows(result={"catalogs": [goods, offers]}, total=2)


def product_list(portal: Portal, params: Row) -> Rows:
    select, where = listed(params.get("select")), params.get("filter") or {}
    if not {"id", "iblockId"} <= set(select) or "iblockId" not in where:
        raise Refusal(400, "100", "Required fields: id, iblockId")
    body = page_of(portal.catalogue["products"], params, key="id", wrap="products")
    body["result"]["products"] = [
        {name: value for name, value in row.items() if name in select} for row in body["result"]["products"]
    ]
    return body


def plain_list(name: str) -> Method:
    return lambda portal, params: page_of(portal.catalogue[name], params, key="id", wrap=name)


def orders_list(portal: Portal, params: Row) -> Rows:
    """Without baskets, clients and the like: these come with each order alone."""
    body = page_of(portal.catalogue["orders"], params, key="id", wrap="orders")
    parts = ("basketItems", "clients", "payments", "shipments", "propertyValues")
    body["result"]["orders"] = [
        {name: value for name, value in row.items() if name not in parts} for row in body["result"]["orders"]
    ]
    return body


def order_get(portal: Portal, params: Row) -> Row:
    found = next((row for row in portal.catalogue["orders"] if str(row["id"]) == str(params.get("id"))), None)
    if found is None:
        raise Refusal(400, 200540400001, "order does not exist")
    return {"order": found}


def offline_events(portal: Portal, params: Row) -> Row:
    names = listed((params.get("filter") or {}).get("EVENT_NAME"))
    found = [(key, event) for key, event in portal.queue.items() if not names or event["EVENT_NAME"] in names]
    found = found[: int(params.get("limit") or 50)]
    if str(params.get("clear", "1")) == "1":
        for key, _ in found:
            del portal.queue[key]
    return {"process_id": None, "events": [event for _, event in found]}


METHODS: Mapping[str, Method] = {
    **{f"crm.{kind.lower()}.list": crm_list(kind) for kind in KINDS},
    "crm.contact.add": contact_add,
    "crm.contact.update": contact_update,
    "crm.contact.delete": contact_delete,
    "crm.contact.fields": fields_of_contacts,
    "crm.duplicate.findbycomm": find_by_contact,
    "crm.item.add": item_add,
    "crm.item.update": item_update,
    "crm.item.productrow.list": rows_list,
    "crm.item.productrow.set": rows_set,
    "catalog.catalog.list": catalogues,
    "catalog.product.list": product_list,
    "catalog.price.list": plain_list("prices"),
    "catalog.store.list": plain_list("stores"),
    "catalog.storeproduct.list": plain_list("storeProducts"),
    "sale.order.list": orders_list,
    "sale.order.get": order_get,
    "event.offline.get": offline_events,
}
