"""A bot on loopback, and the hub's settings for it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from connectors.sdk import Page, Since
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from connectors.telegram.sandbox import TOKEN, Telegram, sandbox

UPDATES = CONNECTOR.resource("updates")
Settings = Callable[..., TelegramConfig]


@pytest.fixture
def bot(now) -> Telegram:
    return sandbox(clock=lambda: now)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def settings(bot: Telegram, slept: list[float]) -> Iterator[Settings]:
    with served(bot.sandbox) as url, using(Runtime(bucket=LocalBucket(), sleep=slept.append)):

        def make(**given: Any) -> TelegramConfig:
            known = {"base_url": url, "token": TOKEN, "per_second": 1000, "consent_text": "start-1"}
            return TelegramConfig.model_validate({**known, **given}).named("bot")  # type: ignore[return-value]

        yield make


def page(config: TelegramConfig, now: datetime, cursor: str | None = None) -> Page:
    """What one run reads; an empty page where there is nothing."""
    return next(iter(UPDATES.extract(config, Since(value=cursor, now=now))), Page([]))
