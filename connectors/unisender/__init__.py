"""UniSender, an e-mail platform: reads contacts, consents and letters' fates; writes contacts and segments."""

from functools import partial

from connectors.sdk import ConnectorSpec, Resource, Sink, by_calls
from connectors.unisender import hooks
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.mapping import to_consent, to_customer, to_event, to_refusal
from connectors.unisender.records import saved, saved_letters
from connectors.unisender.sink import ROWS, check, push_customers, push_segment, shown_customers, shown_segment
from connectors.unisender.source import OVERLAP, contacts, deliveries, moment, stamp, unsubscribes

CONTACTS = Resource(
    "contacts",
    extract=contacts,
    key="id",
    map={"customer": to_customer, "consent_event": to_consent},
    reads=partial(saved, mark="email_status"),
    complete=True,
    every="20 * * * *",
)

UNSUBSCRIBES = Resource(
    "unsubscribes",
    extract=unsubscribes,
    key="id",
    map=to_consent,
    reads=lambda reply: None,
    refusals=True,
    every="*/10 * * * *",
)

DELIVERIES = Resource(
    "deliveries",
    extract=deliveries,
    key="id",
    map={"contact_event": to_event, "consent_event": to_refusal},
    reads=saved_letters,
    cursor="last_update",
    lag=OVERLAP,
    parse_cursor=moment,
    format_cursor=stamp,
    refusals=True,
    every="*/30 * * * *",
)

GO_LETTERS = Resource(
    "go_letters",
    extract=by_calls,
    key="id",
    map={"contact_event": hooks.to_event, "consent_event": hooks.to_consent},
    reads=hooks.saved_calls,
    every="50 4 * * *",
)

CONNECTOR = ConnectorSpec(
    name="unisender",
    title="UniSender",
    config=UniSenderConfig,
    resources=(UNSUBSCRIBES, CONTACTS, DELIVERIES, GO_LETTERS),
    sinks=(
        Sink(
            "segment.push", deliver=push_segment, read_back=shown_segment, batch=ROWS, needs_listing=False,
            reaches="email", forgets=True,
            hint="Puts people into the segment's list and takes them out; sends no letter itself.",
        ),
        Sink(
            "customer.push", deliver=push_customers, read_back=shown_customers, batch=ROWS, needs_listing=False,
            forgets=True, hint="Writes names and own fields of contacts.",
        ),
    ),
    check=check,
    hear=hooks.heard,
)  # fmt: skip
