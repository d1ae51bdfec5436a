"""The same cards by the newer methods: camel case and types, refusals with a code (contract bitrix24 6.1 and 6.8)."""

from collections.abc import Iterable
from typing import Any

from connectors.bitrix24.simulator.cards import fields_of, kept, lacking, several, writable
from connectors.bitrix24.simulator.door import Refusal, Rows, as_map, listed
from connectors.bitrix24.simulator.lists import field_of, fitting, page_of
from connectors.bitrix24.simulator.portal import BLANK, MULTI, Portal, Row

KINDS = {"1": "LEAD", "2": "DEAL", "3": "CONTACT", "4": "COMPANY"}
NUMBERS = {kind: int(number) for number, kind in KINDS.items()}
RENAMED = {
    "DATE_CREATE": "createdTime", "DATE_MODIFY": "updatedTime", "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy", "STATUS_ID": "stageId", "STATUS_SEMANTIC_ID": "stageSemanticId",
}  # fmt: skip
IDS = {"ID", "CATEGORY_ID", "LEAD_ID", "ASSIGNED_BY_ID", "CREATED_BY_ID", "MODIFY_BY_ID"}
NOBODY = {"CONTACT_ID", "COMPANY_ID"}
"""Links that are 0 where they lead nowhere."""
SUMS = {"OPPORTUNITY", "TAX_VALUE"}
IMPORTED = 20
"""Items of one import."""


def spelled(name: str, original: bool = False) -> str:
    """`ORIGIN_ID` → `originId`; one's own `UF_CRM_CITY` → `ufCrmCity`, or as it is where that was asked for."""
    if name in RENAMED or (original and name.startswith("UF_")):
        return RENAMED.get(name, name)
    first, *rest = name.lower().split("_")
    return first + "".join(f"_{part}" if part.isdigit() else part.capitalize() for part in rest)


def names_of(kind: str) -> dict[str, str]:
    """As a newer method spells it → as the card has it."""
    names = sorted({"ID", "DATE_CREATE", "DATE_MODIFY", *BLANK[kind], *writable(kind)} - {*MULTI})
    return {spelling: name for name in names for spelling in (spelled(name), spelled(name, original=True))}


def typed(name: str, value: Any) -> Any:
    if name in IDS | NOBODY and str(value or "").isdigit():
        return int(value)
    if name in NOBODY:
        return 0
    return float(value or 0) if name in SUMS else value


def item(portal: Portal, kind: str, key: int, *, original: bool = False, contacts: bool = True) -> Row:
    row = portal.crm[kind][key]
    shown = {spelled(name, original): typed(name, value) for name, value in row.items() if name not in MULTI}
    told = {"fm": [_multi(one) for name in MULTI for one in row.get(name) or ()]} if contacts else {}
    return {**shown, **(told if kind != "DEAL" else {}), "entityTypeId": NUMBERS[kind]}


def _multi(element: Row) -> Row:
    return {"id": int(element["ID"]), "valueType": element["VALUE_TYPE"], "value": element["VALUE"],
            "typeId": element["TYPE_ID"]}  # fmt: skip


def kind_of(params: Row) -> str:
    if params.get("entityTypeId") in (None, ""):
        raise Refusal(400, "100", "Could not find value for parameter {entityTypeId}")
    kind = KINDS.get(str(params["entityTypeId"]))
    if kind is None:
        raise Refusal(400, "ENTITY_TYPE_NOT_SUPPORTED", "The entity type is not supported")
    return kind


def meant(portal: Portal, kind: str, params: Row) -> int:
    key = int(params.get("id") or 0)
    if key not in portal.crm[kind]:
        raise Refusal(400, "NOT_FOUND", "Element not found")
    return key


def original(params: Row) -> bool:
    return params.get("useOriginalUfNames") == "Y"


def items_list(portal: Portal, params: Row) -> Rows:
    """Phones and e-mails stand in a list only where everything is selected."""
    kind, select = kind_of(params), listed(params.get("select")) or ["*"]
    where = as_map(params.get("filter") or {})
    if odd := next(strange(where, {*names_of(kind)}), None):
        raise Refusal(400, "INVALID_ARG_VALUE", f"Invalid filter: field '{odd}' is not allowed in filter")
    groups = fitting({name: inner for name, inner in where.items() if name.isdigit()})
    rows = [item(portal, kind, key, original=original(params), contacts="*" in select) for key in portal.crm[kind]]
    body = page_of([row for row in rows if groups(row)], params, key="id", wrap="items")
    if "*" not in select:
        found = body["result"]["items"]
        body["result"]["items"] = [{name: row[name] for name in ("id", *select) if name in row} for row in found]
    return body


def strange(where: Row, names: set[str]) -> Iterable[str]:
    """Fields of a filter that there are not, those of groups included."""
    for name, wanted in where.items():
        if name.isdigit() and isinstance(wanted, dict):
            yield from strange(wanted, names)
        elif name != "logic" and field_of(name) not in names:
            yield field_of(name)


def item_get(portal: Portal, params: Row) -> Row:
    kind = kind_of(params)
    return {"item": item(portal, kind, meant(portal, kind, params), original=original(params))}


def item_add(portal: Portal, params: Row) -> Row:
    kind = kind_of(params)
    fields = written(kind, params)
    if missing := lacking(portal, kind, fields):
        raise Refusal(400, "CRM_FIELD_ERROR_REQUIRED", f'The "{missing}" field is required')
    return {"item": item(portal, kind, portal.add(kind, fields), original=original(params))}


def item_update(portal: Portal, params: Row) -> Row:
    kind = kind_of(params)
    key = meant(portal, kind, params)
    portal.change(kind, key, written(kind, params))
    return {"item": item(portal, kind, key, original=original(params))}


def item_delete(portal: Portal, params: Row) -> list[Any]:
    kind = kind_of(params)
    portal.delete(kind, meant(portal, kind, params))
    return []


def item_fields(portal: Portal, params: Row) -> Row:
    names = names_of(kind_of(params))
    return {"fields": {spelling: {"type": "string", "isMultiple": several(name), "title": name, "upperName": name}
                       for spelling, name in names.items()}}  # fmt: skip


def written(kind: str, params: Row) -> Row:
    """Fields of a card. `fm` is an object: under `n0` what is new, under its id what is edited or, empty, deleted."""
    given, names = as_map(params.get("fields") or {}), names_of(kind)
    fields = {names[name]: value for name, value in given.items() if name in names}
    multi: dict[str, list[Row]] = {}
    for key, one in as_map(given.get("fm") or {}).items():
        told = {"VALUE": one.get("value"), "VALUE_TYPE": one.get("valueType") or "WORK"}
        multi.setdefault(str(one.get("typeId")), []).append({**({"ID": key} if key.isdigit() else {}), **told})
    return fields_of(kind, {"fields": {**fields, **multi}})


def import_many(portal: Portal, params: Row) -> Row:
    """An answer for each; what is refused costs no other. When the card was made may be said."""
    kind, data = kind_of(params), listed(params.get("data"))
    if len(data) > IMPORTED:
        raise Refusal(400, "MAX_IMPORT_BATCH_SIZE_EXCEEDED", f"At most {IMPORTED} items")
    return {"items": [_imported(portal, kind, one) for one in data]}


def _imported(portal: Portal, kind: str, given: Row) -> Row:
    fields = written(kind, {"fields": given})
    if missing := lacking(portal, kind, fields):
        return {"error": "CRM_FIELD_ERROR_REQUIRED", "error_description": f'The "{missing}" field is required'}
    made = kept({"DATE_CREATE": given["createdTime"]}) if given.get("createdTime") else {}
    return {"item": {"id": portal.add(kind, {**fields, **made})}}


def merged(portal: Portal, params: Row) -> Row:
    """The first survives; the others are gone for ever."""
    told = params.get("params") or {}
    kind, keys = kind_of(told), [int(key) for key in listed(told.get("entityIds"))]
    if len(keys) < 2 or not portal.crm[kind].keys() >= {*keys}:
        return {"STATUS": "ERROR", "ENTITY_IDS": keys}
    for key in keys[1:]:
        portal.delete(kind, key)
    return {"STATUS": "SUCCESS", "ENTITY_IDS": keys}


METHODS = {
    "crm.item.list": items_list,
    "crm.item.get": item_get,
    "crm.item.add": item_add,
    "crm.item.update": item_update,
    "crm.item.delete": item_delete,
    "crm.item.fields": item_fields,
    "crm.item.batchimport": import_many,
    "crm.entity.mergebatch": merged,
}
