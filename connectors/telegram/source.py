"""What people do with the bot, as it is told: Telegram keeps updates for a day and forgets those it was thanked for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from connectors.sdk import (
    ConfigError,
    ContractError,
    Http,
    HubError,
    Page,
    Record,
    RejectedError,
    Since,
    TransientError,
    sample,
    standard_retry_after,
)
from connectors.telegram.config import TelegramConfig

MOST = 100
"""Updates of one answer."""
WANTED = ("message", "my_chat_member")
HAS_WEBHOOK = "409"
TIME = "%Y%m%d%H%M%S"
SILENCE = timedelta(days=6)
"""After a week without updates Telegram numbers them anew, perhaps from below."""


def http(config: TelegramConfig) -> Http:
    """The bot's client. Its token is part of the address, and hidden wherever an address is told."""
    return Http(
        str(config.base_url),
        account=f"telegram:{config.rate_account}",
        per_second=config.per_second,
        retry_after=asked_to_wait,
        classify=lambda response: _refused(config, response),
        secrets=tuple(filter(None, (config.token, config.link_secret, config.webhook_secret))),
    )


def ask(config: TelegramConfig, method: str, arguments: Mapping[str, Any]) -> Any:
    """The result of a method that changes nothing for anybody."""
    reply = http(config).ask(f"bot{config.token.get_secret_value()}/{method}", json=dict(arguments))
    body = reply.json()
    if not isinstance(body, dict) or "result" not in body:
        raise ContractError(f"{reply.request}: an answer without `result`", sample(reply.text, reply.secrets))
    return body["result"]


def updates(config: TelegramConfig, since: Since) -> Iterator[Page]:
    """Messages to the bot, shared contacts, and who blocked it or came back: at most a hundred at a time.

    To ask for what follows an update is to let Telegram forget it. So only what has landed in an earlier run is passed
    over, and the last of it is read once more; the next hundred waits for the next run. Nothing is asked of a bot with
    a webhook, whose updates come by calls.
    """
    if config.webhook_secret:
        return
    offset = after(since.value, since.now)
    found = ask(config, "getUpdates", {"limit": MOST, "timeout": 0, "allowed_updates": list(WANTED)}
                | ({"offset": offset} if offset is not None else {}))  # fmt: skip
    if not isinstance(found, list):
        raise ContractError(f"{config.connection}: getUpdates gave no list")
    if found:
        newest = max(one["update_id"] for one in found)
        yield Page(found, cursor=f"{since.now.astimezone(UTC).strftime(TIME)}:{newest:020d}")


def after(cursor: str | None, now: datetime) -> int | None:
    """From which update to read; None: from the oldest that Telegram has, which is never wrong."""
    if cursor is None:
        return None
    asked, _, newest = cursor.partition(":")
    fresh = now - datetime.strptime(asked, TIME).replace(tzinfo=UTC) < SILENCE
    return int(newest) if fresh else None


def saved(reply: Any) -> Sequence[Record] | None:
    """Updates of a saved answer, or one alone."""
    found = reply.get("result") if isinstance(reply, Mapping) and "result" in reply else reply
    found = found if isinstance(found, list) else [found]
    return found if found and all(isinstance(one, Mapping) and "update_id" in one for one in found) else None


def check(config: TelegramConfig) -> None:
    """One cheap read; nothing is forgotten by it. Raises ConfigError in words for the merchant."""
    try:
        ask(config, "getUpdates", {"limit": 1, "timeout": 0})
    except RejectedError as error:
        if error.code == HAS_WEBHOOK and config.webhook_secret:
            return
        raise ConfigError(f"{config.connection}: Telegram answered the check with: {error}") from error
    if config.webhook_secret:
        raise ConfigError(f"{config.connection}: the bot has no webhook; call setWebhook, or unset `webhook_secret`")


def asked_to_wait(response: requests.Response) -> float | None:
    """Seconds, in Telegram's own place: `parameters.retry_after`."""
    said = _said(response).get("parameters") or {}
    return float(said["retry_after"]) if "retry_after" in said else standard_retry_after(response)


def _refused(config: TelegramConfig, response: requests.Response) -> HubError | None:
    """`{ok: false, error_code, description}`, whatever the status, told apart by who must act."""
    said = _said(response)
    if said.get("ok") is not False:
        return None
    code, words = int(said.get("error_code") or response.status_code), sample(str(said.get("description")))
    why = f"{config.connection}: Telegram answers {code}: {words}"
    if code in (401, 404):
        return ConfigError(f"{why}; ask @BotFather for the token and put it into the secret `token`")
    if code == 409 and not config.webhook_secret:
        return ConfigError(f"{why}; the bot has a webhook or another reader: remove it, only one may ask for updates")
    if code == 429:
        return TransientError(why)
    return RejectedError(why, str(code)) if code < 500 else None


def _said(response: requests.Response) -> Mapping[str, Any]:
    if b'"ok"' not in response.content[:200]:
        return {}
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
