"""Whoever enters a segment is written to once, and only where they let the bot write."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sdk import Accepted, Call, Change, ConfigError, ContractError, Deferred, Heard, Rejected, Unknown
from connectors.sdk.errors import RejectedError
from connectors.sdk.testing.kit import settle
from connectors.telegram import CONNECTOR
from connectors.telegram.sandbox import a_user
from tests.connectors.telegram.conftest import page

SINK = CONNECTOR.sink("segment.push")
TEXT = {"care": "Диванға күтім жинағы. Набор по уходу за диваном."}


def member(user: dict[str, Any] | None, into: bool = True, audience: str = "care") -> Change:
    about = {"account": str(user["id"])} if user else {}
    return Change("segment.push", f"{audience}/p-1", "", {"audience": audience, "member": into}, key="k", about=about)


def test_who_enters_gets_the_segments_text_and_who_leaves_gets_nothing(bot, settings):
    bot.starts(a_user())
    [made] = settle(SINK, settings(messages=TEXT), [member(a_user())])
    assert made == Accepted(member(a_user()), "1")
    assert [(one["chat"]["id"], one["text"]) for one in bot.sent] == [(a_user()["id"], TEXT["care"])]
    assert isinstance(settle(SINK, settings(messages=TEXT), [member(a_user(), into=False)])[0], Accepted)
    assert len(bot.sent) == 1


@pytest.mark.parametrize(
    ("who", "audience", "code"),
    [
        (None, "care", "no_account"),
        (a_user(), "lapsed", "no_text"),
        (a_user(5), "care", "400"),
        (a_user(1), "care", "403"),
    ],
)
def test_who_cannot_be_written_to_is_told_with_the_reason(bot, settings, who, audience, code):
    bot.starts(a_user())
    bot.starts(a_user(1))
    bot.becomes(a_user(1), "kicked")
    [made] = settle(SINK, settings(messages=TEXT), [member(who, audience=audience)])
    assert isinstance(made, Rejected)
    assert made.code == code
    assert bot.sent == []


@pytest.mark.parametrize("how", ["blocked", "deleted"])
def test_who_blocked_the_bot_or_is_gone_cannot_be_reached_by_the_account(bot, settings, how):
    bot.starts(a_user())
    bot.becomes(a_user(), "kicked") if how == "blocked" else bot.deletes(a_user())
    [made] = settle(SINK, settings(messages=TEXT), [member(a_user())])
    assert (made.code, made.unreachable) == ("403", "account")


def test_a_text_or_an_account_that_telegram_does_not_know_says_nothing_of_being_reached(bot, settings):
    [made] = settle(SINK, settings(messages=TEXT), [member(a_user(5))])
    assert (made.code, made.unreachable) == ("400", "")


@pytest.mark.parametrize("fault", ["lost_reply", "500"])
def test_of_what_may_have_arrived_nothing_tells_whether_it_did(bot, settings, fault):
    bot.starts(a_user())
    bot.sandbox.faults.set(fault, times=1)
    [made] = settle(SINK, settings(messages=TEXT), [member(a_user())])
    assert isinstance(made, Unknown)
    assert SINK.read_back is None


def test_too_fast_waits_as_long_as_telegram_says(bot, settings):
    bot.starts(a_user())
    bot.sandbox.faults.set("429", size=14)
    [made] = settle(SINK, settings(messages=TEXT), [member(a_user())])
    assert isinstance(made, Deferred)
    assert made.retry_after == 14


def test_a_text_that_no_message_takes_is_refused_in_the_settings(settings):
    with pytest.raises(ValidationError, match="4096"):
        settings(messages={"care": "ұ" * 4097})


# ── updates that are posted ───────────────────────────────────────────────────────────────────────────────────────────

SECRET = {"x-telegram-bot-api-secret-token": "any-long-text"}
START = b'{"update_id": 10001, "message": {"message_id": 1, "date": 1772400000, "text": "/start"}}'


def test_a_call_with_the_secret_token_brings_its_update(settings):
    config = settings(webhook_secret="any-long-text")
    [heard] = CONNECTOR.hear(config, Call(START, SECRET))
    assert isinstance(heard, Heard)
    assert (heard.resource, [one["update_id"] for one in heard.records]) == ("updates", [10001])


def test_a_call_without_it_is_refused_also_where_no_webhook_is_set_up(settings):
    for config, headers in (
        (settings(webhook_secret="any-long-text"), {}),
        (settings(webhook_secret="any-long-text"), {"x-telegram-bot-api-secret-token": "another"}),
        (settings(), {"x-telegram-bot-api-secret-token": ""}),
    ):
        with pytest.raises(RejectedError, match="secret token"):
            list(CONNECTOR.hear(config, Call(START, headers)))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"ok": true}'])
def test_a_call_that_is_no_update_has_another_shape_than_the_one_we_know(settings, body):
    with pytest.raises(ContractError):
        list(CONNECTOR.hear(settings(webhook_secret="any-long-text"), Call(body, SECRET)))


def test_a_bot_with_a_webhook_is_not_asked_and_one_without_is_told(bot, settings, now):
    config = settings(webhook_secret="any-long-text")
    with pytest.raises(ConfigError, match="setWebhook"):
        CONNECTOR.check(config)
    bot.webhook = True
    bot.sandbox.journal.clear()
    assert page(config, now).records == []
    assert bot.sandbox.journal == []
    CONNECTOR.check(config)


def test_nobody_gets_two_messages_in_a_second_and_all_together_thirty(bot):
    """As the contract says of Telegram; the sandbox keeps to it where its limits are on."""
    bot.sandbox.limits = "contract"
    assert [bot.too_soon(chat) for chat in (1, 1, *range(2, 33))] == [False, True, *[False] * 29, True, True]
    assert bot.sandbox.too_fast == 3
