"""The simulator keeps Telegram's contract (messengers-and-audiences, A1), also where the connector does not go."""

import json
from typing import Any

import pytest
import requests

from connectors.telegram.sandbox import TOKEN, a_user


@pytest.fixture
def asks(settings) -> Any:
    root = str(settings().base_url).rstrip("/")

    def ask(method: str, *, by: str = "POST", token: str = TOKEN, **sent: Any) -> tuple[int, Any]:
        answer = requests.request(by, f"{root}/bot{token}/{method}", timeout=5, **sent)
        return answer.status_code, answer.json()

    return ask


def test_a_method_is_asked_by_the_address_a_form_or_json_and_in_any_case(bot, asks):
    bot.starts(a_user())
    bot.becomes(a_user(), "kicked")
    for sent in (
        {"by": "GET", "params": {"limit": 1}}, {"data": {"limit": "1"}}, {"json": {"limit": 1}},
        {"data": {"allowed_updates": json.dumps(["message"])}},
    ):  # fmt: skip
        status, body = asks("GETupdates", **sent)
        assert (status, [one["update_id"] for one in body["result"]]) == (200, [10_000])
    assert asks("getUpdates", by="GET")[1]["ok"] is True
    assert asks("getMe", by="GET")[1]["result"]["is_bot"] is True


def test_the_number_of_a_chat_may_be_text(bot, asks):
    bot.starts(a_user())
    status, body = asks("sendMessage", data={"chat_id": str(a_user()["id"]), "text": "Сәлем!"})
    assert (status, body["result"]["chat"]["id"]) == (200, a_user()["id"])


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"json": {"chat_id": [1]}}, {"json": ["x"]}, {"json": {"chat_id": "x", "text": "y"}},
        {"data": b"{", "headers": {"Content-Type": "application/json"}},
    ],
)  # fmt: skip
def test_what_nobody_can_read_is_refused_and_breaks_nothing(bot, asks, sent):
    try:
        status, body = asks("sendMessage", **sent)
    finally:
        assert bot.sent == []
    assert (status, body["ok"], body["error_code"]) == (400, False, 400)


def test_a_webhook_shuts_out_who_asks_for_updates(bot, asks):
    bot.starts(a_user())
    assert asks("setWebhook", json={"url": "http://shop.example.kz/hooks/bot"})[0] == 400
    assert asks("setWebhook", json={"url": "https://shop.example.kz/hooks/bot", "max_connections": 101})[0] == 400
    hook = {"url": "https://shop.example.kz/hooks/bot", "secret_token": "s", "max_connections": 40}
    assert asks("setWebhook", json=hook) == (200, {"ok": True, "result": True})
    assert asks("getUpdates")[1]["error_code"] == 409
    assert asks("deleteWebhook", json={"drop_pending_updates": True})[1]["ok"]
    assert asks("getUpdates")[1]["result"] == []


def test_nobody_comes_in_by_another_token(asks):
    assert asks("getUpdates", token="6000000001:another")[1]["error_code"] == 401
    assert asks("sendDice")[1]["error_code"] == 404
