"""Events are hints: only an id travels, none is repeated, none is in order (contract bitrix24 9). The truth is read.

An event that is pushed is checked here and its record read again by the hot lane; events that the portal keeps in its
offline queue are fetched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl

from connectors.bitrix24.api import ask
from connectors.bitrix24.config import Bitrix24Config
from connectors.sdk import Call, Heard, RejectedError

CRM_EVENT = re.compile(r"ONCRM(LEAD|DEAL|CONTACT|COMPANY|ACTIVITY)(ADD|UPDATE|DELETE)")
MOST = 50
"""Events of one answer."""
OF_CRM = {
    "CONTACT": "contacts", "COMPANY": "companies", "LEAD": "leads", "DEAL": "deals", "ACTIVITY": "activities",
}  # fmt: skip
"""Kind → resource whose record is to be read again."""
OTHERS = {
    "ONORDERENTITYSAVED": "shop_orders",
    **{f"CATALOG.PRODUCT.ON.{what}": "products" for what in ("ADD", "UPDATE", "DELETE")},
    **{f"CATALOG.PRICE.ON.{what}": "prices" for what in ("ADD", "UPDATE", "DELETE")},
}
OFFLINE = "ONOFFLINEEVENT"
"""Says that the queue of offline events holds something, and nothing more."""


@dataclass(frozen=True)
class Hint:
    """Something happened to `id`: read it again. `kind`: a key of `OF_CRM`; None where the event is not of the CRM."""

    event: str
    kind: str | None
    id: str | None


def heard(config: Bitrix24Config, call: Call) -> Iterator[Heard]:
    """What a pushed event says is to be read again; nothing for an event of what is not read here."""
    found = pushed(config, call.body.decode(errors="replace"))
    if found.event == OFFLINE:
        yield from (Heard(resource, keys=("",)) for resource in OF_CRM.values())
    resource = OF_CRM.get(found.kind or "") or OTHERS.get(found.event)
    if resource and found.id and found.id.isdigit():
        yield Heard(resource, keys=(found.id,))


def pushed(config: Bitrix24Config, body: str) -> Hint:
    """The hint of a pushed event. Raises RejectedError where it does not prove to be the portal's own."""
    fields = dict(parse_qsl(body, keep_blank_values=True))
    token = config.application_token.get_secret_value() if config.application_token else ""
    if not token or not compare_digest(fields.get("auth[application_token]", "").encode(), token.encode()):
        raise RejectedError(f"{config.connection}: an event without the portal's application token", "not_ours")
    return hint(fields.get("event", ""), {"ID": fields.get("data[FIELDS][ID]")})


def hint(event: str, fields: Mapping[str, Any]) -> Hint:
    named = CRM_EVENT.fullmatch(event.upper())
    key = fields.get("ID")
    return Hint(event.upper(), named[1] if named else None, None if key in (None, "") else str(key))


def hinted(config: Bitrix24Config, kind: str) -> set[str]:
    """Ids of this kind in the offline queue, which is emptied of them; none where the queue is not used.

    What was deleted is among them and is not found again; the nightly full run takes it away (deals and orders by a
    look at ids alone), and reads what a run that failed after emptying the queue has missed.
    """
    if not config.offline_events:
        return set()
    ids: set[str] = set()
    names = [f"ONCRM{kind}{what}" for what in ("ADD", "UPDATE", "DELETE")]
    while True:
        asked = {"filter": {"EVENT_NAME": names}, "order": {"ID": "ASC"}, "limit": MOST, "clear": 1}
        result = ask(config, "event.offline.get", asked)["result"]
        events = result.get("events") if isinstance(result, dict) else None
        for event in events or []:
            data = event.get("EVENT_DATA")
            found = hint(str(event.get("EVENT_NAME")), data.get("FIELDS", data) if isinstance(data, dict) else {})
            ids.update([found.id] if found.id and found.id.isdigit() else [])
        if len(events or []) < MOST:
            return ids
