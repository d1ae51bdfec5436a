"""A Telegram bot: reads who started it, shared a phone, wrote or left; writes to whoever enters a segment."""

from connectors.sdk import ConnectorSpec, Resource, Sink
from connectors.telegram.calls import heard
from connectors.telegram.config import TelegramConfig
from connectors.telegram.mapping import to_consent, to_customer, to_event
from connectors.telegram.sink import push_segment
from connectors.telegram.source import check, saved, updates

UPDATES = Resource(
    "updates",
    extract=updates,
    key="update_id",
    map={"customer": to_customer, "consent_event": to_consent, "contact_event": to_event},
    reads=saved,
    hot=True,
    every="* * * * *",
)

CONNECTOR = ConnectorSpec(
    name="telegram",
    title="Telegram",
    config=TelegramConfig,
    resources=(UPDATES,),
    sinks=(
        Sink(
            "segment.push", deliver=push_segment, batch=1, needs_listing=False, reaches="telegram", messages=True,
            hint="Writes the segment's text to whoever enters it, once; who leaves gets nothing.",
            by_hand="Nothing is kept in Telegram but the person's own chat with the bot.",
        ),
    ),
    check=check,
    hear=heard,
)  # fmt: skip
