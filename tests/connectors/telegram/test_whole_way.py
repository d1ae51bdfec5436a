"""What somebody does with the bot becomes one person in the hub, with a phone, a word of consent and its end."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.sdk.testing.sandbox import served
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from connectors.telegram.links import start_token
from connectors.telegram.sandbox import DEMO, TOKEN, a_user, sandbox
from dagster_project.connections import Hub, parse
from dagster_project.steps.people import membership
from dagster_project.steps.status import violations
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


SOFA_CARE = {
    "segment": "sofa_care",
    "title": dict.fromkeys(("ru", "kk", "en"), "Sofa care"),
    "where": {"field": "contact.asked", "op": "exists"},
    "consent": {"channel": "telegram", "purpose": "marketing"},
    "activate": [{"channel": "bot", "audience": "care"}],
}


def a_hub(url: str, folder: Path, *, also: str | None = None, **given: str) -> Hub:
    """A hub with the bot and the segment `sofa_care`; `also`: another segment of the same people. `given`: settings."""
    (folder / "segments").mkdir()
    for name in filter(None, ("sofa_care", also)):
        shown = {"segment": name, "activate": [{"channel": "bot", "audience": "care"}]}
        (folder / "segments" / f"{name}.yaml").write_text(yaml.safe_dump({**SOFA_CARE, **shown}), "utf-8")
    settings = {**DEMO.settings, **DEMO.unlimited, "base_url": url, "messages": {"care": "Набор по уходу"}, **given}
    secrets = {"token": "BOT_TOKEN", **({"link_secret": "BOT_LINKS"} if given else {})}
    entry = {"connector": "telegram", "settings": settings, "secrets": secrets,
             "push": {"segment": "auto", "first": "auto"}, "guards": {"share": 1.0}, "country": "KZ"}  # fmt: skip
    return parse(str({"bot": entry}), {"telegram": CONNECTOR}, folder=folder)


def test_a_message_goes_to_who_agreed_and_not_to_who_only_wrote_or_said_stop(
    store: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    bot = sandbox(limits="off", clock=lambda: now)
    agreed, silent, stopped = (a_user(number, name) for number, name in enumerate(("Aigerim", "Dana", "Marat")))
    bot.starts(agreed, at=now - timedelta(minutes=9))
    bot.writes(silent, "Сәлем!", at=now - timedelta(minutes=8))
    bot.starts(stopped, at=now - timedelta(minutes=7))
    bot.writes(stopped, "/stop", at=now - timedelta(minutes=6))
    with served(bot.sandbox) as url:
        hub = a_hub(url, tmp_path)
        sync(store, hub, clock=lambda: now)
        membership.activate(store, hub, "sofa_care", who="Aigul", now=now)
        for minutes in (1, 2):
            report = sync(store, hub, clock=lambda: now + timedelta(minutes=minutes))  # noqa: B023
            assert [part.error for part in (*report.resources, *report.capabilities) if part.error] == []
    assert [(one["chat"]["id"], one["text"]) for one in bot.sent] == [(agreed["id"], "Набор по уходу")]
    assert violations(store, hub) == []


def test_who_blocked_the_bot_while_nobody_listened_is_written_to_once_and_never_again_until_he_starts_it(
    store: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    today = now + timedelta(days=3)
    clock = [now]
    bot = sandbox(limits="off", clock=lambda: clock[0])
    blocked, gone = a_user(0, "Aigerim"), a_user(1, "Dana")
    for user in (blocked, gone):
        bot.starts(user, at=now - timedelta(minutes=9))
    with served(bot.sandbox) as url:
        hub = a_hub(url, tmp_path, also="again")

        def syncs(minutes: int) -> None:
            clock[0] = today + timedelta(minutes=minutes)
            sync(store, hub, clock=lambda: clock[0])

        def consents() -> list[str]:
            with store.connect() as db:
                return list(db.execute(text("select state from privacy.consent_state order by state")).scalars())

        sync(store, hub, clock=lambda: now)
        bot.becomes(blocked, "kicked", at=now + timedelta(hours=1))
        bot.deletes(gone)
        syncs(0)
        assert consents() == ["granted", "granted"]
        membership.activate(store, hub, "sofa_care", who="Aigul", now=clock[0])
        bot.sandbox.faults.set("lost_reply", match="sendMessage", times=1)
        for minutes in (1, 2, 30):
            syncs(minutes)
        assert consents() == ["granted", "refused"], "of whom no answer came nothing is known"
        membership.activate(store, hub, "again", who="Aigul", now=clock[0])
        for minutes in (60, 61, 62):
            syncs(minutes)
        assert consents() == ["refused", "refused"]
        assert len(bot.sandbox.requests(path="sendMessage")) == 3
        assert bot.sent == []
        bot.starts(blocked)
        syncs(90)
    assert consents() == ["granted", "refused"]
    assert violations(store, hub) == []


def test_who_says_stop_with_one_account_is_not_written_to_at_another_and_no_longer_counts_as_shown(
    store: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    monkeypatch.setenv("BOT_LINKS", "any long text")
    clock = [now]
    bot = sandbox(limits="off", clock=lambda: clock[0])
    links = TelegramConfig(token="x", links_to="shop", link_secret="any long text")  # type: ignore[arg-type]
    token = start_token(links, "17", date(2026, 4, 1))
    private, work = a_user(0, "Aigerim"), a_user(1, "Aigerim")
    with served(bot.sandbox) as url:
        hub = a_hub(url, tmp_path, also="again", links_to="shop")

        def syncs(minutes: int) -> None:
            clock[0] = now + timedelta(minutes=minutes)
            sync(store, hub, clock=lambda: clock[0])

        def states() -> list[str]:
            with store.connect() as db:
                return list(db.execute(text("select distinct state from canonical.consent")).scalars())

        bot.starts(private, token, at=now - timedelta(minutes=9))
        bot.starts(work, token, at=now - timedelta(minutes=8))
        syncs(0)
        membership.activate(store, hub, "sofa_care", who="Aigul", now=clock[0])
        syncs(1), syncs(2)
        assert (len(bot.sent), states()) == (1, ["granted"])
        bot.writes(private, "/stop", at=clock[0])
        syncs(3)
        assert states() == ["refused"]
        with store.connect() as db:
            shown = db.execute(text("select acknowledged ->> 'member' from ledger.item")).scalars().all()
        assert shown == ["false"]
        membership.activate(store, hub, "again", who="Aigul", now=clock[0])
        syncs(4), syncs(5)
        assert len(bot.sent) == 1
