"""Updates that Telegram posts to us, where the bot has a webhook (contract messengers-and-audiences, A1)."""

import json
from collections.abc import Iterator
from hmac import compare_digest

from connectors.sdk import Call, ContractError, Heard, RejectedError
from connectors.telegram.config import TelegramConfig
from connectors.telegram.source import saved

HEADER = "x-telegram-bot-api-secret-token"


def heard(config: TelegramConfig, call: Call) -> Iterator[Heard]:
    """The update of a call. Raises as `connectors.sdk.calls.Hear` has it."""
    secret = config.webhook_secret.get_secret_value() if config.webhook_secret else ""
    if not secret or not compare_digest(call.headers.get(HEADER, "").encode(), secret.encode()):
        raise RejectedError(f"{config.connection}: a call without the webhook's secret token", "not_ours")
    try:
        updates = saved(json.loads(call.body))
    except ValueError:
        updates = None
    if updates is None:
        raise ContractError(f"{config.connection}: a call of Telegram that is no update")
    yield Heard("updates", records=updates)
