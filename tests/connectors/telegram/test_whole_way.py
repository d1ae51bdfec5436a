"""What somebody does with the bot becomes one person in the hub, with a phone, a word of consent and its end."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from connectors.sdk.testing.sandbox import served
from connectors.telegram import CONNECTOR
from connectors.telegram.sandbox import DEMO, TOKEN, a_user, sandbox
from dagster_project.connections import parse
from dagster_project.steps.sync import sync


def test_start_phone_and_block_are_one_person_who_agreed_and_refused(
    store: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    bot = sandbox(clock=lambda: now)
    bot.starts(a_user(), at=now - timedelta(minutes=9))
    bot.shares(a_user(), "77000000001", at=now - timedelta(minutes=8))
    bot.writes(a_user(), "Сәлем!", at=now - timedelta(minutes=7))
    with served(bot.sandbox) as url:
        settings = {**DEMO.settings, **DEMO.unlimited, "base_url": url}
        entry = {"connector": "telegram", "settings": settings, "secrets": {"token": "BOT_TOKEN"}}
        hub = parse(str({"bot": entry}), {"telegram": CONNECTOR})

        def syncs() -> None:
            report = sync(store, hub, clock=lambda: now)
            assert [part.error for part in report.resources if part.error] == []

        def rows(query: str) -> list[tuple]:
            with store.connect() as db:
                return [tuple(row) for row in db.execute(text(query))]

        syncs()
        assert rows("select count(distinct person_id), count(*) from canonical.identity") == [(1, 2)]
        assert rows("select cardinality(phones) from identity.golden") == [(1,)]
        assert rows("select state, channel from privacy.consent_state") == [("granted", "telegram")]
        bot.becomes(a_user(), "kicked", at=now - timedelta(minutes=1))
        syncs()
        assert rows("select state, channel from privacy.consent_state") == [("refused", "telegram")]
        assert rows("select kind, count(*) from canonical.contact_event group by kind order by kind") == [
            ("message", 3), ("unsubscribed", 1)
        ]  # fmt: skip
