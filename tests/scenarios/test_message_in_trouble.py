"""A messenger that is busy or broken, or whose sender dies: nobody is written to twice, and of whom it cannot be known
whether he was, the ledger says just that."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.telegram.sandbox import DEMO, TOKEN, Telegram, a_user, sandbox
from dagster_project.connections import Hub, load
from dagster_project.home import home
from dagster_project.steps.approve import approve, reject
from dagster_project.steps.deliver import deliver
from dagster_project.steps.people import membership
from dagster_project.steps.people.due import people_due
from dagster_project.steps.pull import Pull
from dagster_project.steps.rules import decide_due
from dagster_project.steps.status import violations
from dagster_project.store.ledger import Queue
from dagster_project.store.outbox import claim
from tests.clock import Clock
from tests.connectors.telegram.test_whole_way import SOFA_CARE
from tests.scenarios.test_killed_while_delivering import STAGES
from tests.scenarios.vendor import OnPlatform

WRITE = "sendMessage"


@dataclass
class Bot(OnPlatform):
    """A shop's bot. Whoever starts it agrees to messages and enters the segment that is shown there."""

    store: Engine
    clock: Clock
    platform: Telegram
    name: str = "bot"
    users: "count[int]" = field(default_factory=count)

    @property
    def hub(self) -> Hub:
        return load()

    def connects(self, base_url: str) -> None:
        settings = {**DEMO.settings, **DEMO.unlimited, "base_url": base_url, "messages": {"care": "Набор по уходу"}}
        entry = {"connector": "telegram", "settings": settings, "secrets": {"token": "BOT_TOKEN"},
                 "push": {"segment": "auto", "first": "auto"}, "guards": {"share": 1.0}, "country": "KZ"}  # fmt: skip
        (home() / "segments").mkdir(parents=True)
        (home() / "segments" / "sofa_care.yaml").write_text(yaml.safe_dump(SOFA_CARE), "utf-8")
        (home() / "connections.yaml").write_text(yaml.safe_dump({self.name: entry}), "utf-8")

    def is_started_by(self, people: int) -> list[int]:
        """Their accounts; the hub knows them and is about to write to them."""
        newcomers = [a_user(number) for _, number in zip(range(people), self.users, strict=False)]
        for user in newcomers:
            self.platform.starts(user)
        self.decides()
        return [user["id"] for user in newcomers]

    def decides(self) -> None:
        hub, now = self.hub, self.clock()
        list(Pull(self.store, hub, self.clock, False, lambda connection, what: None).all([hub[self.name]]))
        people_due(self.store, hub, now=now)
        decide_due(self.store, hub, now=now)

    def delivers(self) -> None:
        with using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):
            deliver(self.store, self.hub, self.hub[self.name], "segment.push", now=self.clock)

    def recovers(self, passes: int = 4) -> None:
        for _ in range(passes):
            self.clock.passes(minutes=16)
            self.delivers()
        assert violations(self.store, self.hub) == []

    def written_to(self) -> Counter[int]:
        """How often each account got the message."""
        return Counter(one["chat"]["id"] for one in self.platform.sent)

    def states(self) -> dict[int, tuple[str, str | None]]:
        with self.store.connect() as db:
            return {int(row.account): (row.state, row.reason) for row in db.execute(_STATES)}

    def in_state(self, state: str) -> set[int]:
        return {account for account, (said, _) in self.states().items() if said == state}

    def is_told_of(self, account: int, word) -> None:  # type: ignore[no-untyped-def]
        """Somebody says `word` (approve, reject) of the row whose message had no answer."""
        with self.store.connect() as db:
            row = db.execute(_WAITS, {"account": str(account)}).one()
        word(self.store, row.plan, [row.subject], who="Aigul", now=self.clock())


_PEOPLE = """from canonical.identity i join ledger.item l on l.subject = 'sofa_care/' || i.person_id
where i.connection = 'bot' and i.external_id ~ '^[0-9]+$'"""
_STATES = text(f"select i.external_id as account, l.state, l.reason {_PEOPLE}")
_WAITS = text(f"""select o.plan, o.subject from ledger.outbox o where o.subject in (
  select l.subject {_PEOPLE} and i.external_id = :account)""")


@pytest.fixture
def bot(store: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    """Somebody started it yesterday and was written to."""
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    made = Bot(store, clock, sandbox(limits="off", clock=clock))
    with served(made.platform.sandbox) as url:
        made.connects(url)
        made.is_started_by(1)
        membership.activate(store, made.hub, "sofa_care", who="Aigul", now=clock())
        made.decides()
        made.recovers(1)
        assert list(made.written_to().values()) == [1]
        yield made


def test_whoever_the_bot_was_too_busy_for_is_written_to_once_it_is_not(bot):
    people = bot.is_started_by(5)
    bot.platform.sandbox.faults.set("429", match=WRITE)
    bot.recovers()
    assert not bot.written_to().keys() & set(people)
    assert {bot.states()[one][0] for one in people} == {"pending"}, "a definite no: nothing was done"
    bot.platform.sandbox.faults.clear()
    bot.recovers()
    assert [bot.written_to()[one] for one in people] == [1] * 5
    assert bot.in_state("in_sync") >= set(people)


@pytest.mark.parametrize("fault", ["500", "lost_reply", "cut"])
def test_of_whom_no_answer_came_is_written_to_no_more_and_stays_unknown(bot, fault):
    people = bot.is_started_by(5)
    bot.platform.sandbox.faults.set(fault, match=WRITE, times=2)
    bot.recovers()
    unknown = bot.in_state("unknown")
    arrived = 0 if fault == "500" else 1
    assert len(unknown) == 2
    assert {one: bot.written_to()[one] for one in people} == {one: arrived if one in unknown else 1 for one in people}
    assert bot.in_state("in_sync") >= set(people) - unknown
    assert all("keruen approve" in bot.states()[one][1] for one in unknown)


def test_a_person_of_the_shop_decides_about_a_message_without_an_answer(bot):
    people = bot.is_started_by(2)
    bot.platform.sandbox.faults.set("500", match=WRITE, times=2)
    bot.recovers(1)
    again, enough = people
    bot.is_told_of(again, approve)
    bot.is_told_of(enough, reject)
    bot.decides()
    bot.recovers(1)
    assert [bot.written_to()[one] for one in people] == [1, 0]
    assert [bot.states()[one][0] for one in people] == ["in_sync", "rejected"]


def test_a_message_without_an_answer_keeps_nobody_else_waiting(bot):
    bot.is_started_by(1)
    bot.platform.sandbox.faults.set("lost_reply", match=WRITE, times=1)
    bot.recovers(1)
    [late] = bot.is_started_by(1)
    bot.recovers(1)
    assert bot.written_to()[late] == 1
    assert bot.in_state("unknown")


def test_whoever_stops_while_the_sender_dies_is_in_no_doubt(bot):
    [account] = bot.written_to()
    bot.platform.writes(a_user(0), "/stop")
    bot.decides()
    claim(bot.store, Queue(bot.name, "segment.push"), "who died", limit=1, now=bot.clock(), until=bot.clock())
    bot.recovers(1)
    assert bot.states()[account][0] == "excluded"


@pytest.mark.parametrize("fault", ["429", "500", "lost_reply", "cut"])
def test_while_the_bot_tells_nothing_of_who_stopped_nobody_is_written_to(bot, fault):
    people = bot.is_started_by(3)
    bot.platform.sandbox.faults.set(fault)
    bot.recovers()
    assert not bot.written_to().keys() & set(people)
    assert all(reason for state, reason in bot.states().values() if state != "in_sync")
    bot.platform.sandbox.faults.clear()
    bot.recovers()
    assert [bot.written_to()[one] for one in people] == [1] * 3


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_sender_is_killed_nobody_is_written_to_twice_and_one_at_most_is_in_doubt(bot, a_worker, stage):
    worker = a_worker()
    for time in count(1):
        people = bot.is_started_by(2)
        bot.platform.sandbox.journal.clear()
        before = bot.in_state("unknown")
        first = worker.delivers(bot, "segment.push", die=(stage, time))
        bot.has_handled(first["left"])
        bot.recovers(1)
        unknown = bot.in_state("unknown") - before
        assert len(unknown) <= 1, (stage, time)
        assert set(bot.written_to().values()) == {1}, (stage, time)
        assert set(people) - unknown <= bot.written_to().keys(), (stage, time)
        assert bot.in_state("in_sync") >= set(people) - unknown, (stage, time)
        if not first["killed"]:
            break
    assert time > 2, "it was killed at every such step of two messages"
