"""A Telegram bot: reads who started it, shared a phone, wrote, said stop or blocked it."""

from connectors.sdk import ConnectorSpec, Resource
from connectors.telegram.config import TelegramConfig
from connectors.telegram.mapping import to_consent, to_customer, to_event
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
    check=check,
)
