"""Settings of a UniSender account."""

from datetime import timedelta
from typing import Literal

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr

from connectors.sdk import ConnectionConfig

Canonical = Literal["name", "first_name", "last_name", "city", "birth_date"]


class UniSenderConfig(ConnectionConfig):
    """One account of UniSender, or of Selzy, which has the same API."""

    base_url: HttpUrl = Setting(
        HttpUrl("https://api.unisender.com"), description="Host of the API; Selzy: `https://api.selzy.com`."
    )
    api_key: SecretStr = Setting(description="Настройки аккаунта > Интеграция и API > Ключ доступа к API.")
    go_key: SecretStr | None = Setting(None, description="API key of UniSender Go, which signs its webhooks.")
    language: Literal["ru", "en"] = Setting("ru", description="Language in which UniSender words its refusals.")
    per_second: float = Setting(15.0, gt=0, description="Requests a second; UniSender allows 1200 a minute.")
    lists: tuple[str, ...] = Setting(
        (), description="Lists to read contacts of, by id or title; empty: every contact of the account."
    )
    fields: dict[Canonical, str] = Setting(
        default_factory=lambda: {"name": "Name"},
        description="Own fields of contacts: name, first_name, last_name, city, birth_date → the field's name there.",
    )
    leaving_a_list: Literal["refuses_all", "is_ignored"] = Setting(
        "refuses_all", description="What it means that a person left one list by a letter's link."
    )
    membership: Literal["list", "field"] = Setting(
        "list", description="What a segment becomes: a list, or an own field that holds 1 or 0."
    )
    audiences: dict[str, str] = Setting(
        default_factory=dict,
        description="Segment's audience → list (id or title) or field, where it bears another name there.",
    )
    create_lists: bool = Setting(True, description="Make a list for a segment that has none yet.")
    new_addresses: Literal["new", "active", "confirm"] = Setting(
        "new",
        description="Addresses UniSender does not know yet: `new` waits for your invitation, `active` is mailed at "
        "once (where your account may), `confirm` gets a letter that asks (double opt-in).",
    )
    double_optin: Literal[0, 4] = Setting(
        0, description="Mode of `subscribe` that mails the request to confirm, with `new_addresses: confirm`."
    )
    """Not 3: it mails nothing, and whoever is not known yet becomes active at once."""
    campaign_days: timedelta = Setting(
        timedelta(days=30), description="How long after its start a campaign's letters are still watched."
    )
    pseudonym_key: SecretStr | None = Setting(
        None, description="Key of the contacts' ids, any long text; changing it later makes every contact a new one."
    )
