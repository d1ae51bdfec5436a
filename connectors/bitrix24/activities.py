"""Activities of the CRM → contacts with people: calls, letters and meetings that took place.

The contract names no method for them. Fields and codes are those of the vendor's own pages
(apidocs.bitrix24.com: crm.activity.list, crm.activity.fields, crm.enum.activitytype, crm.enum.activitydirection).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.canonical import ContactEvent
from mappings.tables import Derived, Field, FieldMap, convert

Payload = Mapping[str, Any]

TYPES = {"call": "2", "email": "4", "meeting": "1"}
"""Name in the settings → TYPE_ID."""
CHANNEL = {"2": "call", "4": "email", "1": "store"}
KIND = {"2": "call", "4": "message", "1": "consultation"}
DIRECTION = {"1": "in", "2": "out"}
DEAL = "2"
PEOPLE = {"3": "", "1": "L_", "4": "CO_"}
"""OWNER_TYPE_ID of contact, lead and company → what stands before its id in the hub."""
IDENTIFIER = {"PHONE": ("phone", convert.phone), "EMAIL": ("email", convert.email)}


def took_place(activity: Payload, config: Any) -> bool:
    """What is only planned is no contact yet; other kinds (tasks, notes) are none at all."""
    return activity.get("COMPLETED") == "Y" and str(activity.get("TYPE_ID")) in KIND


def customer(activity: Payload, config: Any) -> str | None:
    """Whom it was with: who stands among its communications, else its owner. An activity of a deal alone has nobody."""
    talked = ((str(one.get("ENTITY_TYPE_ID")), one.get("ENTITY_ID")) for one in activity.get("COMMUNICATIONS") or ())
    owner = (str(activity.get("OWNER_TYPE_ID")), activity.get("OWNER_ID"))
    found = (PEOPLE[kind] + str(key) for kind, key in (*talked, owner) if kind in PEOPLE and str(key or "0") != "0")
    return next(found, None)


def identifiers(activity: Payload) -> Iterator[tuple[str, str]]:
    for one in activity.get("COMMUNICATIONS") or ():
        if one.get("TYPE") in IDENTIFIER:
            kind, normal = IDENTIFIER[one["TYPE"]]
            if value := normal(one.get("VALUE")):
                yield kind, value


def direction(code: Any) -> str | None:
    return DIRECTION.get(str(code))


def deal(activity: Payload, config: Any) -> str | None:
    """The order it was about."""
    return str(activity["OWNER_ID"]) if str(activity.get("OWNER_TYPE_ID")) == DEAL else None


to_event = FieldMap(
    ContactEvent,
    {
        "external_id": Field("ID", lambda key: f"A_{key}"),
        "customer": Derived(customer, ("OWNER_TYPE_ID", "OWNER_ID", "COMMUNICATIONS")),
        "identifier_kind": Derived(lambda activity, config: next(identifiers(activity), (None, None))[0]),
        "identifier": Derived(lambda activity, config: next(identifiers(activity), (None, None))[1]),
        "at": Field("START_TIME", convert.aware),
        "channel": Field("TYPE_ID", lambda code: CHANNEL[str(code)]),
        "kind": Field("TYPE_ID", lambda code: KIND[str(code)]),
        "direction": Field("DIRECTION", direction),
        "reference": Derived(deal),
        "payload": Derived(lambda activity, config: {"provider": activity.get("PROVIDER_ID")}, ("PROVIDER_ID",)),
    },
    # what was said, and in whose words, stays in raw
    ignored=frozenset({
        "COMPLETED", "SUBJECT", "DESCRIPTION", "DESCRIPTION_TYPE", "CREATED", "LAST_UPDATED", "END_TIME", "DEADLINE",
        "STATUS", "RESPONSIBLE_ID", "PRIORITY", "NOTIFY_TYPE", "NOTIFY_VALUE", "LOCATION", "SETTINGS", "ORIGINATOR_ID",
        "ORIGIN_ID", "AUTHOR_ID", "EDITOR_ID", "PROVIDER_TYPE_ID", "PROVIDER_GROUP_ID", "PROVIDER_PARAMS",
        "PROVIDER_DATA", "ASSOCIATED_ENTITY_ID", "RESULT_MARK", "RESULT_VALUE", "RESULT_SUM", "RESULT_CURRENCY_ID",
        "RESULT_STATUS", "RESULT_STREAM", "RESULT_SOURCE_ID", "AUTOCOMPLETE_RULE", "FILES", "BINDINGS",
    }),
    when=took_place,
)  # fmt: skip
