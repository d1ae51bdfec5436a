"""Telegram → canonical (contract messengers-and-audiences, A1)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.telegram.config import bare
from connectors.telegram.links import linked
from mappings.canonical import ConsentEvent, ContactEvent, Customer
from mappings.tables import Constant, Derived, Field, FieldMap, at, convert

Payload = Mapping[str, Any]

MEMBERSHIP = {"kicked": "unsubscribed", "member": None}
"""What a person did to the bot → the contact it is. Coming back is no word of consent: that is what start is for."""


def said(update: Payload) -> Payload:
    """The part of an update that tells who did it and when."""
    found = update.get("message") or update.get("my_chat_member")
    return found if isinstance(found, Mapping) else {}


def private(update: Payload, config: Any) -> bool:
    """A person alone with the bot: what is said in a group is not said to us."""
    return at(said(update), "chat.type") == "private" and at(said(update), "from.is_bot") is not True


def person(update: Payload, config: Any = None) -> str:
    """The account's id: up to 52 bits, so it is text for everybody."""
    return str(int(said(update)["from"]["id"]))


def moment(update: Payload, config: Any = None) -> datetime:
    return datetime.fromtimestamp(int(said(update)["date"]), UTC)


def command(update: Payload) -> tuple[str, str]:
    """The first word of a message, lower-cased, without the bot's name, and the rest."""
    text = str(said(update).get("text") or "").strip()
    word, _, rest = text.partition(" ")
    return word.partition("@")[0].casefold() if word.startswith("/") else word.casefold(), rest.strip()


def started(update: Payload) -> bool:
    return command(update)[0] == "/start"


def stopped(update: Payload, config: Any) -> bool:
    """A stop word alone, with whatever marks; a command also with words behind it, as it is one all the same."""
    word, _ = command(update)
    whole = bare(str(said(update).get("text") or ""))
    return whole in config.stop_words or (word.startswith("/") and word in config.stop_words)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def people(update: Payload, config: Any) -> Iterator[Payload]:
    """Who it is by name; apart from it the phone, and whom a link was given to.

    Apart, because the next message says nothing of them, and what is not said must not be taken for gone. All are of
    one account, by which they are one person.
    """
    account, sender = person(update), said(update)["from"]
    yield {**sender, "id": account, "account": account, "at": moment(update)}
    if phone := shared_phone(update):
        yield {"id": f"{account}:phone", "account": account, "at": moment(update), "phone": phone}
    if customer := started(update) and linked(config, command(update)[1], moment(update)):
        ref = f"{config.links_to}\x1f{customer}"
        yield {"id": f"{account}:link", "account": account, "at": moment(update), "ref": ref}


def shared_phone(update: Payload) -> str | None:
    """The sender's own phone. A contact of somebody else from the sender's address book is nobody's consent."""
    contact = said(update).get("contact")
    if not isinstance(contact, Mapping) or str(contact.get("user_id")) != person(update):
        return None
    digits = str(contact.get("phone_number") or "").strip().lstrip("+")
    return convert.phone(f"+{digits}") if digits else None


REST = frozenset(
    {
        "update_id", "message.message_id", "message.chat", "message.from", "message.date", "message.entities",
        "message.text", "message.contact", "message.from.is_bot", "my_chat_member.chat", "my_chat_member.from",
        "my_chat_member.date", "my_chat_member.old_chat_member", "my_chat_member.new_chat_member",
    }
)  # fmt: skip
"""Read by functions, or of no use here. What somebody wrote stays in raw."""

to_customer = FieldMap(
    Customer,
    {
        "external_id": Field("id"),
        "account_id": Field("account"),
        "first_name": Field("first_name", convert.text),
        "last_name": Field("last_name", convert.text),
        "language": Field("language_code"),
        "phones": Field("phone", lambda phone: (phone,)),
        "refs": Field("ref", lambda ref: (ref,)),
        "updated_at": Field("at"),
    },
    ignored=REST,
    each=people,
    when=private,
)


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def consent(update: Payload, config: Any) -> str | None:
    """Granted by starting the bot where its page says so; refused by blocking it or by a word; else nothing."""
    if stopped(update, config) or membership(update) == "kicked":
        return "refused"
    return "granted" if started(update) and config.consent_text else None


def membership(update: Payload) -> str | None:
    found = at(update, "my_chat_member.new_chat_member.status")
    return None if found is None else str(found)


def evidence(update: Payload, config: Any) -> dict[str, Any]:
    how = "blocked" if membership(update) == "kicked" else command(update)[0]
    return {"how": how, "update_id": update["update_id"]}


to_consent = FieldMap(
    ConsentEvent,
    {
        "external_id": Field("update_id", str),
        "customer": Derived(person),
        "identifier_kind": Constant("account"),
        "identifier": Derived(person),
        "channel": Constant("telegram"),
        "state": Derived(consent),
        "by": Constant("person"),
        "at": Derived(moment),
        "text_version": Derived(lambda update, config: config.consent_text if started(update) else None),
        "evidence": Derived(evidence),
    },
    ignored=REST,
    when=lambda update, config: private(update, config) and consent(update, config) is not None,
)


# ── contacts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def kind(update: Payload, config: Any) -> str | None:
    """None for a person who came back: the start that follows tells. Raises KeyError for what nobody knows."""
    status = membership(update)
    return "message" if status is None else MEMBERSHIP[status]


def reference(update: Payload, config: Any) -> str | None:
    """The token of the link that was followed: whoever gave it out knows what for."""
    return command(update)[1] or None if started(update) else None


def payload(update: Payload, config: Any) -> dict[str, Any]:
    """What was done, never what was written."""
    word = command(update)[0]
    told = {"command": word if word.startswith("/") else None, "shared_phone": shared_phone(update) is not None}
    return {name: value for name, value in told.items() if value}


to_event = FieldMap(
    ContactEvent,
    {
        "external_id": Field("update_id", str),
        "customer": Derived(person),
        "identifier_kind": Constant("account"),
        "identifier": Derived(person),
        "at": Derived(moment),
        "channel": Constant("telegram"),
        "kind": Derived(kind),
        "direction": Constant("in"),
        "reference": Derived(reference),
        "payload": Derived(payload),
    },
    ignored=REST,
    when=lambda update, config: private(update, config) and kind(update, config) is not None,
)
