"""The methods of a portal, and how they refuse (contract bitrix24 6 to 9)."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from connectors.bitrix24.simulator import about, cards, items, prices
from connectors.bitrix24.simulator.door import Method, Refusal, Rows, listed
from connectors.bitrix24.simulator.lists import page_of
from connectors.bitrix24.simulator.portal import GOODS, KINDS, LINK, OFFERS, Portal, Row

EVENTS = 50
"""Of one look into the queue."""
ORDER_FIELDS = ("statusId", "canceled", "reasonCanceled", "xmlId", "externalOrder", "comments", "responsibleId")
CROWD = 20
"""Hits of one type that suppress those of the others."""


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


def rows_list(portal: Portal, params: Row) -> Rows:
    where = params.get("filter") or {}
    if not any(name.endswith("ownerId") for name in where):
        raise Refusal(400, "100", "Could not find value for parameter {ownerId}")
    return page_of(_owned(portal, where), params, key="id", wrap="productRows")


def _owned(portal: Portal, where: Row) -> list[Row]:
    deal = next(value for name, value in where.items() if name.endswith("ownerId"))
    others = [value for name, value in where.items() if name.endswith("ownerType") and value != "D"]
    return [] if others else portal.rows.get(int(deal or 0), [])


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
    return {"order": _order(portal, params)}


def order_update(portal: Portal, params: Row) -> Row:
    row, given = _order(portal, params), params.get("fields") or {}
    row.update({name: given[name] for name in ORDER_FIELDS if name in given}, dateUpdate=portal.stamp())
    return {"order": row}


def _order(portal: Portal, params: Row) -> Row:
    found = next((row for row in portal.catalogue["orders"] if str(row["id"]) == str(params.get("id"))), None)
    if found is None:
        raise Refusal(400, 200540400001, "order does not exist")
    return found


def offline_events(portal: Portal, params: Row) -> Row:
    """With `clear=0` events are kept for whoever took them, under a number, until they are confirmed."""
    names = listed((params.get("filter") or {}).get("EVENT_NAME"))
    found = {key: event for key, event in portal.queue.items() if not names or event["EVENT_NAME"] in names}
    taken = dict(islice(found.items(), min(int(params.get("limit") or EVENTS), EVENTS)))
    for key in taken:
        del portal.queue[key]
    if str(params.get("clear", "1")) == "1":
        return {"process_id": None, "events": list(taken.values())}
    process = f"process-{portal.next('PROCESS')}"
    portal.reserved[process] = taken
    return {"process_id": process, "events": list(taken.values())}


def offline_done(portal: Portal, params: Row) -> bool:
    """Events of a process are confirmed: those that are named, else all of them."""
    taken = portal.reserved.get(str(params.get("process_id")))
    if taken is None:
        raise Refusal(400, "PROCESS_ID_NOT_FOUND", "Process is not found")
    named = {str(one) for name in ("id", "message_id") for one in listed(params.get(name))}
    for key in [key for key, event in taken.items() if not named or event["ID"] in named]:
        del taken[key]
    return True


METHODS: Mapping[str, Method] = {
    **cards.METHODS,
    **items.METHODS,
    **prices.METHODS,
    **about.METHODS,
    "crm.duplicate.findbycomm": find_by_contact,
    "crm.item.productrow.list": rows_list,
    "crm.item.productrow.set": rows_set,
    "catalog.catalog.list": catalogues,
    "catalog.product.list": product_list,
    "catalog.store.list": plain_list("stores"),
    "catalog.storeproduct.list": plain_list("storeProducts"),
    "sale.order.list": orders_list,
    "sale.order.get": order_get,
    "sale.order.update": order_update,
    "event.offline.get": offline_events,
    "event.offline.clear": offline_done,
}
