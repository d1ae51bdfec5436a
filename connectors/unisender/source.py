"""What is read from UniSender: contacts with their consents, refusals in between, and what became of letters."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk import ConfigError, ContractError, Page, Record, Since
from connectors.unisender.api import ask, download, exported
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.records import columns, contact, letters, table

TIME = "%Y-%m-%d %H:%M:%S"
MOST = 10_000
"""Campaigns of one answer."""
OVERLAP = timedelta(minutes=15)
PAGE = 5000
REFUSED = (("email", "unsubscribed"), ("email", "blocked"), ("phone", "unsubscribed"), ("phone", "blocked"))
"""Kind of an address and its status: all that an export can be asked for and that `mapping.STANDING` calls refused.
An export each: of 20 in a minute."""


def moment(text: str) -> datetime:
    """UniSender's times are UTC and do not say so (contract, 0)."""
    return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime(TIME)


def titles(config: UniSenderConfig) -> dict[str, str]:
    """Lists of the account: id → title."""
    found = ask(config, "getLists")
    if not isinstance(found, list):
        raise ContractError(f"{config.connection}: getLists gave no list")
    return {str(one["id"]): str(one["title"]) for one in found}


def contacts(config: UniSenderConfig, since: Since) -> Iterator[Page]:
    """Contacts with lists, own fields and consents: an export, read whole, for UniSender tells of no changes."""
    known = titles(config)
    seen: set[str] = set()
    for scope in _scopes(config, known):
        found = (contact(config, row, known) for row in exported(config, columns(config), scope))
        fresh = [one for one in found if one.get("id") not in seen]
        seen.update(one["id"] for one in fresh if "id" in one)
        yield from (Page(fresh[start : start + PAGE]) for start in range(0, len(fresh), PAGE))


def _scopes(config: UniSenderConfig, known: dict[str, str]) -> list[dict[str, str]]:
    if not config.lists:
        return [{}]
    by_name = {**{title: number for number, title in known.items()}, **{number: number for number in known}}
    if missing := [one for one in config.lists if one not in by_name]:
        raise ConfigError(f"{config.connection}: UniSender has no list {missing[0]!r}; mend the setting `lists`")
    return [{"list_id": by_name[one]} for one in config.lists]


def unsubscribes(config: UniSenderConfig, since: Since) -> Iterator[Page]:
    """Contacts that refused or were blocked: read often, because a refusal must not wait for all the others."""
    known = titles(config)
    seen: set[str] = set()
    for kind, status in REFUSED:
        rows = exported(config, columns(config), {f"{kind}_status": status})
        fresh = [one for row in rows if (one := contact(config, row, known)).get("id") not in seen]
        seen.update(one["id"] for one in fresh if "id" in one)
        yield Page(fresh)


def deliveries(config: UniSenderConfig, since: Since) -> Iterator[Page]:
    """Letters of recent campaigns in their last state: UniSender keeps no log, what is read late replaced the rest."""
    begun = since.now - (since.backfill if since.first else config.campaign_days)
    changed = {"changed_since": since.value} if since.value and not since.full else {}
    for campaign in campaigns(config, begun, since.now):
        result = ask(config, "getCampaignDeliveryStats", {"campaign_id": campaign["id"], **changed})
        # The newer form of the method is a task like an export.
        asked = isinstance(result, dict) and "task_uuid" in result
        rows = download(config, result, "send_result") if asked else table(result)
        letter = {"letter_id": str(result["letter_id"])} if result.get("letter_id") else {}
        yield Page([{**one, **letter} for one in letters(config, campaign, rows)])


def campaigns(config: UniSenderConfig, begun: datetime, until: datetime) -> Iterator[Record]:
    """Campaigns that started in the meantime."""
    asked: dict[str, Any] = {"from": stamp(begun), "to": stamp(until), "limit": MOST}
    place, found = 0, MOST
    while found == MOST:
        rows = ask(config, "getCampaigns", {**asked, "offset": place})
        if not isinstance(rows, list):
            raise ContractError(f"{config.connection}: getCampaigns gave no list")
        yield from rows
        place, found = place + len(rows), len(rows)
