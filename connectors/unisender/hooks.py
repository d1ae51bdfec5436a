"""UniSender's calls to us: proven by their signature, then told apart. Both products sign alike (contract, 1 and 2).

UniSender Go tells of each letter what happened to it; its records have no other way to us. What UniSender itself calls
with is not described, so a call of it is a hint: somebody unsubscribed, the refusals are read at once.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from hashlib import md5
from typing import Any

from pydantic import SecretStr

from connectors.sdk import Call, ContractError, Heard, Record, RejectedError
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.mapping import direction, identifier
from connectors.unisender.records import pseudonym
from connectors.unisender.source import moment
from mappings.canonical import ConsentEvent, ContactEvent
from mappings.tables import Constant, Derived, Field, FieldMap

AUTH = re.compile(rb'("auth"\s*:\s*")([0-9A-Fa-f]{32})(")')
LETTER = "transactional_email_status"
LEFT = "unsubscribe"
"""Event of UniSender itself: somebody left."""

KIND = {
    "sent": "sent", "delivered": "delivered", "opened": "opened", "clicked": "clicked", "unsubscribed": "unsubscribed",
    "soft_bounced": "bounced", "hard_bounced": "bounced", "spam": "complained",
}  # fmt: skip
STATE = {"unsubscribed": "refused", "spam": "refused", "subscribed": "granted"}


def heard(config: UniSenderConfig, call: Call) -> Iterator[Heard]:
    """What a call says of letters, or that refusals are to be read. Raises as `connectors.sdk.calls.Hear` has it."""
    if config.go_key is not None and verified(call.body, config.go_key):
        yield Heard("go_letters", records=go_events(call.body, config.go_key))
    elif verified(call.body, config.api_key):
        if any(name == LEFT for name, _ in _signed_events(call.body)):
            yield Heard("unsubscribes", keys=("",))
    else:
        words = "a call is signed neither with `api_key` nor with `go_key`"
        raise RejectedError(f"{config.connection}: {words}", code="signature")


def verified(body: bytes, key: SecretStr) -> bool:
    """Whether `auth` is the MD5 of the body with the key in its place. The body must be as it came, byte for byte."""
    found = AUTH.search(body)
    if found is None:
        return False
    secret = key.get_secret_value().encode()
    # MD5 is what UniSender signs with; there is nothing to choose.
    signed = md5(body[: found.start(2)] + secret + body[found.end(2) :], usedforsecurity=False).hexdigest()
    return hmac.compare_digest(signed.encode(), found[2].lower())


def go_events(body: bytes, key: SecretStr) -> list[Record]:
    """Events of letters in a call of UniSender Go, those of domains left out; the same call again gives the same ids.

    Raises RejectedError for a call that is not UniSender's, ContractError for one of another shape.
    """
    if not verified(body, key):
        raise RejectedError("a call to the webhook is not signed with the key of UniSender Go", code="signature")
    try:
        return [_record(data) for name, data in _signed_events(body) if name == LETTER]
    except (KeyError, TypeError) as error:
        raise ContractError(f"a call of UniSender Go tells of a letter without {error.args[0]}") from None


def saved_calls(reply: Any) -> list[Record] | None:
    """Events of letters in a saved call; None where it is something else."""
    try:
        return [_record(data) for name, data in _events(reply) if name == LETTER]
    except (KeyError, TypeError):
        return None


def _signed_events(body: bytes) -> list[tuple[str, Any]]:
    """Raises ContractError where a call that is proven has another shape than the one we know."""
    try:
        return _events(json.loads(body))
    except (ValueError, KeyError, TypeError):
        raise ContractError("a call of UniSender without `events_by_user` and their `events`") from None


def _events(said: Any) -> list[tuple[str, Any]]:
    """Name and data of each. Raises KeyError and TypeError."""
    return [
        (event["event_name"], event.get("event_data")) for user in said["events_by_user"] for event in user["events"]
    ]


def _record(event: Mapping[str, Any]) -> Record:
    """Calls are repeated until we answer, so an event is known by what it says."""
    said = (
        event["job_id"],
        str(event["email"]).strip().lower(),
        event["status"],
        event["event_time"],
        event.get("url"),
    )
    return {"id": hmac.digest(b"unisender go", json.dumps(said).encode(), "sha256").hex()[:32], **event}


def _told(event: Mapping[str, Any], config: Any) -> Iterator[Mapping[str, Any]]:
    if event["status"] != "subscribed":
        yield {**event, "kind": KIND[event["status"]], "address": event["email"]}


def _payload(event: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """What we put into the letter comes back in `metadata`; the reader's browser and address are nobody's business."""
    told = (event.get("delivery_info") or {}).get("delivery_status")
    bounce = {"soft_bounced": "soft", "hard_bounced": "hard"}.get(event["status"])
    found = {"metadata": event.get("metadata"), "url": event.get("url"), "delivery_status": told, "bounce": bounce}
    return {name: value for name, value in found.items() if value}


to_event = FieldMap(
    ContactEvent,
    {
        "external_id": Field("id", str),
        "customer": Derived(lambda event, config: pseudonym(config, event["email"])),
        "identifier_kind": Constant("email"),
        "identifier": Derived(identifier, ("email",)),
        "at": Field("event_time", moment),
        "channel": Constant("email"),
        "kind": Field("kind"),
        "direction": Derived(direction),
        "reference": Field("job_id", str),
        "payload": Derived(_payload, ("metadata", "url", "delivery_info", "status")),
    },
    each=_told,
)


def _said(event: Mapping[str, Any], config: Any) -> Iterator[Mapping[str, Any]]:
    """Only the person can follow the link in a letter, so both a refusal and a consent are their own word."""
    if event["status"] in STATE:
        yield {**event, "state": STATE[event["status"]], "address": event["email"]}


to_consent = FieldMap(
    ConsentEvent,
    {
        "external_id": Field("id", str),
        "customer": Derived(lambda event, config: pseudonym(config, event["email"])),
        "identifier_kind": Constant("email"),
        "identifier": Derived(identifier, ("email",)),
        "channel": Constant("email"),
        "state": Field("state"),
        "by": Constant("person"),
        "at": Field("event_time", moment),
        "evidence": Derived(lambda event, config: {"status": event["status"], "job_id": event["job_id"]}),
    },
    each=_said,
)
