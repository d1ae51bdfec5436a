"""A message cannot be taken back: whatever is undone, renamed or merged, nobody reads the same one twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.sdk.testing.sandbox import served
from connectors.telegram import CONNECTOR
from connectors.telegram.sandbox import DEMO, TOKEN, Telegram, a_user, sandbox
from dagster_project.connections import Hub, parse
from dagster_project.steps.people import membership, verdicts
from dagster_project.steps.status import violations
from dagster_project.steps.sync import sync
from dagster_project.steps.undo import WRITTEN, undo
from dagster_project.store.people.verdicts import By
from tests.connectors.telegram.test_whole_way import SOFA_CARE

TEXT = "Набор по уходу"
USER, SILENT = a_user(), a_user(7, "Marat")


@dataclass
class Care:
    """The bot of a shop, and a segment that is shown to it; Aigerim started the bot, Marat only wrote to it."""

    store: Engine
    bot: Telegram
    url: str
    folder: Path
    now: datetime

    @property
    def hub(self) -> Hub:
        settings = {**DEMO.settings, **DEMO.unlimited, "base_url": self.url, "messages": {"care": TEXT, "after": TEXT}}
        entry = {"connector": "telegram", "settings": settings, "secrets": {"token": "BOT_TOKEN"},
                 "push": {"segment": "auto", "first": "auto"}, "guards": {"share": 1.0}, "country": "KZ"}  # fmt: skip
        return parse(str({"bot": entry}), {"telegram": CONNECTOR}, folder=self.folder)

    def segment(self, audience: str = "care", op: str = "exists") -> None:
        said = {**SOFA_CARE, "where": {"field": "contact.asked", "op": op},
                "activate": [{"channel": "bot", "audience": audience}]}  # fmt: skip
        (self.folder / "segments").mkdir(exist_ok=True)
        (self.folder / "segments" / "sofa_care.yaml").write_text(yaml.safe_dump(said), "utf-8")

    def syncs(self, times: int = 2) -> None:
        for _ in range(times):
            self.now += timedelta(minutes=1)
            report = sync(self.store, self.hub, clock=lambda: self.now)
            assert [part.error for part in (*report.resources, *report.capabilities) if part.error] == []
        assert violations(self.store, self.hub) == []

    def undoes(self) -> list[dict[str, Any]]:
        with self.store.connect() as db:
            plan = db.execute(text("select max(plan) from ledger.plan where capability = 'segment.push'")).scalar_one()
        return undo(self.store, self.hub, plan, who="Aigul", now=self.now)

    def person(self, user: dict[str, Any]) -> str:
        with self.store.connect() as db:
            return verdicts.known(db, f"bot:{user['id']}")

    def merges(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        """Somebody knows that both accounts are one person's: that of the first, who is known for longer."""
        was = self.person(one)
        desk = verdicts.Desk(self.store, self.hub, By("Aigul", "she called", self.now))
        assert verdicts.merge(desk, f"bot:{one['id']}", f"bot:{other['id']}") == was

    def read(self) -> list[int]:
        """Who got a message, once for each."""
        return [one["chat"]["id"] for one in self.bot.sent]


@pytest.fixture
def care(store: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Care]:
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    bot = sandbox(limits="off", clock=lambda: made.now)
    with served(bot.sandbox) as url:
        made = Care(store, bot, url, tmp_path, now)
        made.segment()
        bot.writes(SILENT, "Сәлем!", at=now - timedelta(minutes=12))
        made.syncs(1)
        bot.starts(USER, at=now - timedelta(minutes=9))
        made.syncs(1)
        membership.activate(store, made.hub, "sofa_care", who="Aigul", now=made.now)
        made.syncs()
        assert made.read() == [USER["id"]]
        yield made


def test_who_left_a_segment_is_not_written_to_again_when_that_is_undone(care):
    care.segment(op="absent")
    care.syncs()
    [row] = care.undoes()
    care.syncs()
    assert row["left_alone"] == WRITTEN
    assert care.read() == [USER["id"]]


def test_a_message_that_went_out_is_told_as_what_cannot_be_taken_back(care):
    [row] = care.undoes()
    assert (row["left_alone"], row["plan"], row["becomes"]) == (WRITTEN, None, None)


def test_whoever_is_in_an_audience_that_is_renamed_is_not_written_to_again(care):
    care.segment("after")
    care.syncs()
    assert care.read() == [USER["id"]]


def test_a_message_without_an_answer_is_not_sent_again_under_a_new_name_of_its_audience(care):
    late = a_user(1, "Dana")
    care.bot.starts(late, at=care.now)
    care.bot.sandbox.faults.set("lost_reply", match="sendMessage", times=1)
    care.syncs(1)
    care.segment("after")
    care.syncs()
    care.now += timedelta(hours=1)
    care.syncs()
    assert care.read() == [USER["id"], late["id"]]


def test_a_message_without_an_answer_is_not_sent_again_to_whom_its_reader_is_merged_into(care):
    late = a_user(1, "Dana")
    care.bot.starts(late, at=care.now)
    care.bot.sandbox.faults.set("lost_reply", match="sendMessage", times=1)
    care.syncs(1)
    care.merges(SILENT, late)
    care.syncs()
    assert care.read() == [USER["id"], late["id"]]


def test_whoever_starts_the_bot_with_a_second_account_is_written_to_at_one_of_them(care):
    work = a_user(1, "Aigerim")
    care.bot.writes(work, "Сәлем!", at=care.now)
    care.syncs(1)
    care.merges(USER, work)
    care.bot.starts(work, at=care.now)
    care.syncs()
    assert care.read() == [USER["id"]]


def test_whoever_is_merged_into_a_member_who_was_silent_is_not_written_to_under_that_name(care):
    care.merges(SILENT, USER)
    care.syncs()
    assert care.read() == [USER["id"]]
