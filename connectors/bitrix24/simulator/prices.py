"""Prices of the catalogue, and the trap in them: `modify` deletes what it is not told (contract bitrix24 7)."""

from connectors.bitrix24.simulator.door import Refusal, Rows, listed
from connectors.bitrix24.simulator.lists import page_of
from connectors.bitrix24.simulator.portal import Portal, Row

FIELDS = ("productId", "catalogGroupId", "price", "currency", "quantityFrom", "quantityTo", "extraId")


def price_list(portal: Portal, params: Row) -> Rows:
    return page_of(portal.catalogue["prices"], params, key="id", wrap="prices")


def price_get(portal: Portal, params: Row) -> Row:
    return {"price": _there(portal, params)}


def price_add(portal: Portal, params: Row) -> Row:
    return {"price": _made(portal, params.get("fields") or {})}


def price_update(portal: Portal, params: Row) -> Row:
    row = _there(portal, params)
    row.update(_told(params.get("fields") or {}), timestampX=portal.stamp())
    return {"price": row}


def price_delete(portal: Portal, params: Row) -> bool:
    portal.catalogue["prices"].remove(_there(portal, params))
    return True


def price_modify(portal: Portal, params: Row) -> Row:
    """All prices of a product anew: those that are left out are gone."""
    product = (params.get("fields") or {}).get("product") or {}
    told = listed(product.get("prices"))
    if not all(one.get("price") is not None and one.get("currency") for one in told):
        raise Refusal(400, 0, "Required fields: price, currency")
    before = {str(row["id"]): row for row in portal.catalogue["prices"] if row["productId"] == int(product["id"])}
    portal.catalogue["prices"] = [row for row in portal.catalogue["prices"] if row["productId"] != int(product["id"])]
    kept = [{**before.get(str(one.get("id")), {}), **one, "productId": product["id"]} for one in told]
    return {"prices": [_made(portal, one) for one in kept]}


def _there(portal: Portal, params: Row) -> Row:
    found = next((row for row in portal.catalogue["prices"] if str(row["id"]) == str(params.get("id"))), None)
    if found is None:
        raise Refusal(400, 0, "price is not exists")
    return found


def _made(portal: Portal, told: Row) -> Row:
    if missing := [name for name in FIELDS[:4] if told.get(name) in (None, "")]:
        raise Refusal(400, 0, f"Required fields: {', '.join(missing)}")
    key = int(told["id"]) if told.get("id") else portal.next("PRICE")
    row = {"id": key, **dict.fromkeys(FIELDS), **_told(told), "timestampX": portal.stamp()}
    portal.catalogue["prices"].append(row)
    portal.catalogue["prices"].sort(key=lambda one: int(one["id"]))
    return row


def _told(fields: Row) -> Row:
    """Numbers as numbers, however they were written."""
    told = {name: fields[name] for name in FIELDS if name in fields}
    kinds = {"productId": int, "catalogGroupId": int, "price": float}
    return {name: kinds[name](value) if name in kinds else value for name, value in told.items()}


METHODS = {
    "catalog.price.list": price_list,
    "catalog.price.get": price_get,
    "catalog.price.add": price_add,
    "catalog.price.update": price_update,
    "catalog.price.delete": price_delete,
    "catalog.price.modify": price_modify,
}
