"""UniSender → canonical (contract email-platforms, 1 and 8)."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from connectors.unisender.records import listed, pseudonym
from connectors.unisender.source import moment
from mappings.canonical import ConsentEvent, ContactEvent, Customer
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, convert

Payload = Mapping[str, Any]

CHANNEL = {"email": "email", "phone": "sms"}
STANDING = {
    "active": "granted", "unsubscribed": "refused", "blocked": "refused",
    "new": None, "invited": None, "activation_requested": None, "inactive": None,
}  # fmt: skip
"""Status of an address → what it says of consent; None: nothing yet. An unknown one is set aside."""

PATH = {
    "not_sent": (),
    "ok_sent": ("sent",),
    "ok_delivered": ("sent", "delivered"),
    "ok_spam_folder": ("sent", "delivered"),
    "ok_read": ("sent", "delivered", "opened"),
    "ok_link_visited": ("sent", "delivered", "opened", "clicked"),
    "ok_unsubscribed": ("sent", "delivered", "unsubscribed"),
    "ok_fbl": ("sent", "delivered", "complained"),
}
"""A letter's state → the events it went through: the last is told, those before it follow from it."""

BOUNCE = {
    "err_user_unknown": "hard", "err_user_inactive": "hard", "err_domain_inactive": "hard",
    "err_mailbox_full": "soft", "err_will_retry": "soft", "err_delivery_failed": "soft",
}  # fmt: skip
NOTHING = {
    "err_spam_rejected", "err_spam_folder", "err_resend", "err_skip_letter", "err_spam_skipped", "err_spam_retry",
    "err_unsubscribed", "err_src_invalid", "err_dest_invalid", "err_not_allowed", "err_not_available", "err_lost",
    "err_internal",
}  # fmt: skip
"""Letters that never reached anybody, for reasons that say nothing of the address: no contact took place."""

REFUSED_BY = {"ok_unsubscribed": "person", "ok_fbl": "person", "err_unsubscribed": "platform"}
"""States that are a refusal; a complaint is one too."""


def own_field(name: str) -> Derived:
    """The own field that the settings name for it."""
    return Derived(lambda contact, config: convert.text(contact.get(_field(config, name)) or ""))


def _field(config: Any, name: str) -> str | None:
    return config.fields.get(name) if config else {"name": "Name"}.get(name)


def birth_date(contact: Payload, config: Any) -> date | None:
    """A date that cannot be read must not cost the contact."""
    said = str(contact.get(_field(config, "birth_date")) or "").strip()
    for notation in ("%Y-%m-%d", "%d.%m.%Y"):
        with suppress(ValueError):
            return datetime.strptime(said, notation).date()  # noqa: DTZ007 - a day has no zone
    return None


def contact_id(contact: Payload, config: Any) -> str:
    """As landed, or of a row of the vendor's own file."""
    return str(contact.get("id") or pseudonym(config, contact.get("email") or contact["phone"]))


def tags(contact: Payload, config: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*map(str, contact.get("lists") or ()), *listed(contact.get("tags")))))


def added(contact: Payload, config: Any) -> datetime | None:
    found = contact.get("email_add_time") or contact.get("phone_add_time")
    return moment(found) if found else None


CONSENT_PARTS = frozenset(
    f"{kind}_{part}"
    for kind in CHANNEL
    for part in ("status", "add_time", "confirm_time", "confirm_ip", "unsubscribed_list_ids")
)

to_customer = FieldMap(
    Customer,
    {
        "external_id": Derived(contact_id, ("id",)),
        "name": Derived(own_field("name").make, ("Name",)),
        "first_name": own_field("first_name"),
        "last_name": own_field("last_name"),
        "city": own_field("city"),
        "birth_date": Derived(birth_date),
        "emails": Field("email", lambda value: tuple(filter(None, (convert.email(value),)))),
        "phones": Field("phone", lambda value: tuple(filter(None, (convert.phone(value),)))),
        "tags": Derived(tags, ("lists", "tags", "email_list_ids")),
        "created_at": Derived(added, ("email_add_time", "phone_add_time")),
    },
    ignored=frozenset({"email_availability", *CONSENT_PARTS}),
)


# ── consents ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def statements(contact: Payload, config: Any) -> Iterator[Payload]:
    """What a contact's addresses say, one part each: nothing where nobody agreed or refused yet."""
    person = contact_id(contact, config)
    for kind in CHANNEL:
        status = contact.get(f"{kind}_status")
        if not contact.get(kind) or status is None:
            continue
        state = STANDING[status]
        if left_a_list(contact, kind, config):
            state, status = "refused", "left_a_list"
        if state:
            yield _statement(contact, kind, state, status, person)


def left_a_list(contact: Payload, kind: str, config: Any) -> bool:
    strict = getattr(config, "leaving_a_list", "refuses_all") == "refuses_all"
    return strict and bool(listed(contact.get(f"{kind}_unsubscribed_list_ids")))


def _statement(contact: Payload, kind: str, state: str, status: str, person: str) -> Payload:
    """A refusal is shown without its time. Its id carries that of the consent before it: a new consent, then a new
    refusal, is another statement."""
    confirmed = contact.get(f"{kind}_confirm_time")
    since = confirmed or contact.get(f"{kind}_add_time")
    granted = state == "granted"
    return {
        "id": ":".join((person, kind, state, *((since,) if since else ()))),
        "customer": person,
        "via": kind,
        "address": contact[kind],
        "state": state,
        "by": "person" if granted and confirmed else "import" if granted else "platform",
        "at": since if granted else None,
        "evidence": {
            "status": status,
            **({"confirmed_at": confirmed} if confirmed else {}),
            **({"ip": contact[f"{kind}_confirm_ip"]} if contact.get(f"{kind}_confirm_ip") else {}),
        },
    }


def identifier(part: Payload, config: Any) -> str:
    """Raises Unusable: a refusal must not be lost because its address is odd, so somebody has to look."""
    kind = part.get("via", "email")
    found = convert.email(part["address"]) if kind == "email" else convert.phone(part["address"])
    if found is None:
        raise Unusable(f"the {kind} is none; correct it in UniSender", "no_address")
    return found


to_consent = FieldMap(
    ConsentEvent,
    {
        "external_id": Field("id", str),
        "customer": Field("customer", str),
        "identifier_kind": Field("via"),
        "identifier": Derived(identifier, ("email", "phone")),
        "channel": Field("via", CHANNEL.__getitem__),
        "state": Field("state"),
        "by": Field("by"),
        "at": Field("at", moment),
        "evidence": Field("evidence"),
    },
    ignored=frozenset({*CONSENT_PARTS, "email_list_ids", "email_availability", "lists", "tags", "Name"}),
    each=statements,
)


# ── letters ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def campaign(letter: Payload) -> str:
    """A saved answer names the letter alone."""
    return str(letter.get("campaign_id") or f"letter-{letter['letter_id']}")


def letter_events(letter: Payload, config: Any) -> Iterator[Payload]:
    """A letter's state as events. The last happened when it says; what must have gone before, when the campaign began.

    A click proves that the letter was opened, then at the latest.
    """
    result, person = letter["send_result"], letter.get("contact") or pseudonym(config, letter["email"])
    kinds = ("sent", "bounced") if result in BOUNCE else () if result in NOTHING else PATH[result]
    for kind in kinds:
        early = kind in ("sent", "delivered") and kind != kinds[-1]
        yield {
            "id": f"{campaign(letter)}:{person}:{kind}",
            "customer": person,
            "address": letter["email"],
            "at": (letter.get("start_time") if early else None) or letter["last_update"],
            "kind": kind,
            "campaign": campaign(letter),
            "letter_id": letter.get("letter_id"),
            "payload": {"send_result": result, **({"bounce": BOUNCE[result]} if kind == "bounced" else {})},
        }


def direction(event: Payload, config: Any) -> str:
    """Whether we or the person acted."""
    return "out" if event["kind"] in ("sent", "delivered", "bounced") else "in"


LETTER = frozenset(
    {"contact", "campaign_id", "start_time", "subject", "list_id", "send_result", "last_update", "email"}
)

to_event = FieldMap(
    ContactEvent,
    {
        "external_id": Field("id", str),
        "customer": Field("customer", str),
        "identifier_kind": Constant("email"),
        "identifier": Derived(identifier, ("email",)),
        "at": Field("at", moment),
        "channel": Constant("email"),
        "kind": Field("kind"),
        "direction": Derived(direction),
        "campaign": Field("campaign"),
        "reference": Field("letter_id", str),
        "payload": Field("payload"),
    },
    ignored=LETTER,
    each=letter_events,
)


def refusals(letter: Payload, config: Any) -> Iterator[Payload]:
    """The refusal in a letter's state, with its time: the person's own word, or what the platform knew before."""
    result = letter["send_result"]
    if result in REFUSED_BY:
        person = letter.get("contact") or pseudonym(config, letter["email"])
        yield {
            "id": f"{campaign(letter)}:{person}:refused",
            "customer": person,
            "via": "email",
            "address": letter["email"],
            "state": "refused",
            "by": REFUSED_BY[result],
            "at": letter["last_update"],
            "evidence": {"send_result": result, "campaign": campaign(letter)},
        }


to_refusal = FieldMap(
    ConsentEvent, to_consent.fields, ignored=LETTER | {"letter_id", "id"}, each=refusals
)  # fmt: skip
