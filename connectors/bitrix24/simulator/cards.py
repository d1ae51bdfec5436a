"""Cards of the CRM by the older methods: capitals and text, and not a word about names nobody knows (contract 6)."""

from typing import Any

from connectors.bitrix24.mapping import birth_date
from connectors.bitrix24.simulator.door import Method, Refusal, Rows, listed
from connectors.bitrix24.simulator.lists import page_of, selected
from connectors.bitrix24.simulator.portal import BLANK, MULTI, OWN_FIELDS, SEMANTICS, Portal, Row

CARDS = ("CONTACT", "COMPANY", "LEAD", "DEAL")
READ_ONLY = {
    "ID", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "HAS_PHONE", "HAS_EMAIL", "HAS_IMOL", "STAGE_SEMANTIC_ID",
    "STATUS_SEMANTIC_ID",
}  # fmt: skip


def listing(kind: str) -> Method:
    def method(portal: Portal, params: Row) -> Rows:
        body = page_of(portal.crm[kind].values(), params, key="ID")
        body["result"] = [selected(row, params.get("select")) for row in body["result"]]
        return body

    return method


def getting(kind: str) -> Method:
    return lambda portal, params: portal.crm[kind][there(portal, kind, params, "Not found")]


def adding(kind: str) -> Method:
    def method(portal: Portal, params: Row) -> int:
        fields = fields_of(kind, params)
        if missing := lacking(portal, kind, fields):
            raise Refusal(400, "", f'The "{missing}" field is required')
        return portal.add(kind, fields)

    return method


def changing(kind: str) -> Method:
    def method(portal: Portal, params: Row) -> bool:
        portal.change(kind, there(portal, kind, params), fields_of(kind, params))
        return True

    return method


def deleting(kind: str) -> Method:
    def method(portal: Portal, params: Row) -> bool:
        portal.delete(kind, there(portal, kind, params))
        return True

    return method


def describing(kind: str) -> Method:
    """What fields a card has, those nobody may write included."""
    about = {"type": "string", "isRequired": False, "isDynamic": False}
    names = sorted(writable(kind) | {"DATE_CREATE", *(READ_ONLY & {"ID", *BLANK[kind]})})
    return lambda portal, params: {
        name: {**about, "isReadOnly": name in READ_ONLY, "isMultiple": several(name), "title": name} for name in names
    }


def there(portal: Portal, kind: str, params: Row, words: str | None = None) -> int:
    """The id of the card that is meant. Raises Refusal as the older methods do: no code, words alone."""
    key = int(params.get("id") or 0)
    if key not in portal.crm[kind]:
        raise Refusal(400, "", words or f"{kind.capitalize()} is not found")
    return key


def lacking(portal: Portal, kind: str, fields: Row) -> str | None:
    """A field that the portal asks for and that is not given."""
    return next((name for name in portal.required if kind == "CONTACT" and not fields.get(name)), None)


def fields_of(kind: str, params: Row) -> Row:
    """What is written of it; an import (`IMPORT=Y`) may also say when the card was made."""
    imported = (params.get("params") or {}).get("IMPORT") == "Y"
    names = writable(kind) | ({"DATE_CREATE"} if imported else set())
    return kept({name: value for name, value in (params.get("fields") or {}).items() if name in names})


def writable(kind: str) -> set[str]:
    own = {"CONTACT": {*MULTI, *OWN_FIELDS}, "DEAL": set[str]()}.get(kind, {*MULTI})
    return {*BLANK[kind], *own} - READ_ONLY


def kept(fields: Row) -> Row:
    """As a portal keeps it: text, lists where several values stand, a birthday as a moment in the portal's zone."""
    fields = {name: listed(value) if several(name) else as_text(value) for name, value in fields.items()}
    if born := fields.get("BIRTHDATE"):
        fields["BIRTHDATE"] = f"{birth_date(born).isoformat()}T05:00:00+05:00"
    if "OPPORTUNITY" in fields:
        fields["OPPORTUNITY"] = f"{float(fields['OPPORTUNITY'] or 0):.2f}"
    if stage := fields.get("STAGE_ID"):
        fields["STAGE_SEMANTIC_ID"] = SEMANTICS.get(stage.rpartition(":")[2], "P")
    return fields


def several(name: str) -> bool:
    return name in MULTI or OWN_FIELDS.get(name, False)


def as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, list | dict) else str(value)


METHODS = {
    f"crm.{kind.lower()}.{what}": method(kind)
    for kind in CARDS
    for what, method in (
        ("list", listing), ("get", getting), ("add", adding), ("update", changing), ("delete", deleting),
        ("fields", describing),
    )
} | {"crm.activity.list": listing("ACTIVITY")}  # fmt: skip
