"""What is written by the bot: one message to whoever enters a segment (contract messengers-and-audiences, A1).

A message is no absolute value: two of them are two. Telegram knows no idempotency key and shows nothing that was sent,
so what may have arrived is not sent again by itself: at most one message, rather than at least one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.sdk import Accepted, Change, ContractError, Outcome, Rejected, RejectedError, sample
from connectors.telegram.config import TelegramConfig
from connectors.telegram.source import http

BLOCKED = "403"
"""Blocked by the person, or the account is gone. No update tells of an account, nor of what happened before a day."""


def push_segment(config: TelegramConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """The segment's text to whoever enters; the receipt is the message's number. Who leaves gets nothing."""
    for change in changes:
        if not change.value["member"]:
            yield Accepted(change)
        else:
            yield _written_to(config, change)


def _written_to(config: TelegramConfig, change: Change) -> Outcome:
    audience, account = str(change.value["audience"]), str(change.about.get("account") or "")
    text = config.messages.get(audience)
    if text is None:
        return Rejected(change, "no_text", f"the setting `messages` has no text for {audience}")
    if not account.isdigit():
        return Rejected(change, "no_account", "the person has not started the bot")
    try:
        sent = send(config, {"chat_id": int(account), "text": text})
    except RejectedError as error:
        if error.code == BLOCKED:
            return Rejected(change, error.code, "the person blocked the bot or is gone", unreachable="account")
        return Rejected(change, error.code, str(error))
    return Accepted(change, str(sent["message_id"]))


def send(config: TelegramConfig, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message as sent, once. A successful answer is all that is ever known of its arrival."""
    reply = http(config).send("POST", f"bot{config.token.get_secret_value()}/sendMessage", json=dict(arguments))
    if not reply.ok:
        raise RejectedError(f"{reply.request}: {reply.status} {sample(reply.text, reply.secrets)}", str(reply.status))
    body = reply.json()
    sent = body.get("result") if isinstance(body, dict) else None
    if not isinstance(sent, dict) or "message_id" not in sent:
        raise ContractError(f"{reply.request}: an answer without `message_id`", sample(reply.text, reply.secrets))
    return sent
