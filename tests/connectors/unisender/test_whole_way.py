"""The whole way: contacts, letters and consents into the hub, a refusal there, and what it means everywhere."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.sdk import Call
from connectors.sdk.runtime import current, using
from connectors.sdk.testing.sandbox import served
from connectors.unisender import CONNECTOR
from connectors.unisender.sandbox import DEMO, KEY, UniSender, sandbox
from connectors.unisender.source import stamp
from dagster_project.connections import Hub, parse
from dagster_project.steps.canonical import map_new
from dagster_project.steps.hear import hear
from dagster_project.steps.people import membership
from dagster_project.steps.people.optouts import hear_optouts
from dagster_project.steps.status import violations
from dagster_project.steps.sync import sync


@dataclass
class Shop:
    """A hub with one connection, and a clock that moves when it is told to."""

    store: Engine
    account: UniSender
    hub: Hub
    now: datetime

    def syncs(self, **passed: float) -> None:
        self.now += timedelta(**passed)
        report = sync(self.store, self.hub, clock=lambda: self.now, full=bool(passed))
        assert [part.error for part in (*report.resources, *report.capabilities) if part.error] == []

    def rows(self, query: str) -> list[Any]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query))]

    def states(self) -> Counter[tuple[str, str]]:
        return Counter(self.rows("select channel, state from privacy.consent_state"))  # type: ignore[arg-type]


@pytest.fixture
def shop(store: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Two people agreed, one of them with a confirmation; a letter went to both yesterday."""
    held: list[Shop] = []
    account = sandbox(limits="off", clock=lambda: held[0].now if held else now)
    everybody = account.listed("Общий список")
    account.contact("aigerim@example.kz", everybody, confirmed="2026-02-01 10:00:00", fields={"Name": "Айгерім"})
    account.contact("daniyar@example.kz", everybody, fields={"Name": "Данияр"})
    account.mailed(everybody, "Наурыз", now - timedelta(days=1))
    monkeypatch.setenv("LETTERS_KEY", KEY)
    monkeypatch.setenv("GO_KEY", "go key")
    with served(account.sandbox) as url:
        settings = {**DEMO.settings, **DEMO.unlimited, "base_url": url}
        entry = {"connector": "unisender", "settings": settings,
                 "secrets": {"api_key": "LETTERS_KEY", "go_key": "GO_KEY"},
                 "guards": {"share": 1.0}, **DEMO.connection}  # fmt: skip
        hub = parse(str({"letters": entry}), {"unisender": CONNECTOR}, folder=tmp_path)
        held.append(Shop(store, account, hub, now))
        # an export is asked for until it is ready, which the sandbox counts in askings
        with using(replace(current(), sleep=lambda seconds: None)):
            yield held[0]


def test_contacts_letters_and_consents_are_told_apart(shop):
    shop.syncs()
    assert shop.rows("select count(*) from canonical.customer") == [(2,)]
    assert shop.rows("select kind, count(*) from canonical.contact_event group by kind order by kind") == [
        ("delivered", 2), ("sent", 2)
    ]  # fmt: skip
    assert shop.states() == {("email", "granted"): 2}
    assert shop.rows("select * from ledger.quarantine") == []


def test_an_address_stands_nowhere_in_the_clear(shop):
    shop.syncs()
    told = shop.rows("select c::text from canonical.customer c union all select e::text from canonical.contact_event e "
                     "union all select s::text from canonical.consent_event s")  # fmt: skip
    assert len(told) == 8
    assert [one for (one,) in told if "@example.kz" in one] == []


def test_a_refusal_that_does_not_say_when_is_heard_once_and_counts_from_then(shop):
    shop.syncs()
    shop.account.contacts["daniyar@example.kz"].status = "unsubscribed"
    shop.syncs(minutes=20)
    heard = shop.now
    assert shop.states() == {("email", "granted"): 1, ("email", "refused"): 1}
    shop.account.contacts["daniyar@example.kz"].fields["Name"] = "Данияр Серік"
    shop.syncs(hours=5)
    refusals = shop.rows("select at from canonical.consent_event where state = 'refused'")
    assert len(refusals) == 1
    assert abs(refusals[0][0] - heard) < timedelta(minutes=20)


def test_who_leaves_by_a_letter_has_both_the_contact_and_the_refusal(shop):
    shop.syncs()
    shop.account.turns(1001, "daniyar@example.kz", "ok_unsubscribed")
    shop.syncs(minutes=40)
    assert shop.rows("select kind, count(*) from canonical.contact_event group by kind order by kind") == [
        ("delivered", 2), ("sent", 2), ("unsubscribed", 1)
    ]  # fmt: skip
    assert shop.states() == {("email", "granted"): 1, ("email", "refused"): 1}


@pytest.mark.parametrize("result", ["ok_fbl", "ok_unsubscribed"])
def test_who_complained_since_the_letters_were_read_is_heard_before_anything_is_written(shop, result):
    shop.syncs()
    shop.now += timedelta(minutes=1)
    shop.account.turns(1001, "daniyar@example.kz", result)
    shop.account.contacts["daniyar@example.kz"].status = "active"
    shop.account.sandbox.journal.clear()
    hear_optouts(shop.store, shop.hub, shop.hub["letters"], now=shop.now)
    assert shop.states() == {("email", "granted"): 1, ("email", "refused"): 1}
    asked = Counter(seen.path.rpartition("/")[2] for seen in shop.account.sandbox.requests("POST"))
    assert (asked["exportContacts"], asked["getCampaignDeliveryStats"]) == (4, 1), "what the README promises it costs"


READERS = {
    "segment": "readers",
    "title": dict.fromkeys(("ru", "kk", "en"), "Readers"),
    "where": {"field": "contact.opened", "op": "exists"},
    "consent": {"channel": "email", "purpose": "marketing"},
    "activate": [{"channel": "letters", "audience": "Читатели"}],
}


def test_who_opens_a_letter_comes_into_the_readers_list_and_who_refuses_goes_out_of_it(shop):
    (shop.hub.folder / "segments").mkdir()
    (shop.hub.folder / "segments" / "readers.yaml").write_text(yaml.safe_dump(READERS), "utf-8")
    shop.account.turns(1001, "aigerim@example.kz", "ok_read")
    shop.account.turns(1001, "daniyar@example.kz", "ok_link_visited")
    shop.account.contacts["daniyar@example.kz"].status = "unsubscribed"
    shop.syncs()
    membership.activate(shop.store, shop.hub, "readers", who="Aigul", now=shop.now)
    shop.syncs(minutes=1)

    [readers] = [number for number, title in shop.account.lists.items() if title == "Читатели"]
    assert [one.email for one in shop.account.contacts.values() if readers in one.lists] == ["aigerim@example.kz"]
    assert shop.account.contacts["daniyar@example.kz"].status == "unsubscribed"

    shop.account.contacts["aigerim@example.kz"].status = "unsubscribed"
    shop.syncs(minutes=20)
    assert [one.email for one in shop.account.contacts.values() if readers in one.lists] == []
    assert shop.account.contacts["aigerim@example.kz"].lists == {"8"}
    assert violations(shop.store, shop.hub) == []


def test_a_contact_that_is_gone_there_takes_no_consent_with_it(shop):
    shop.syncs()
    del shop.account.contacts["daniyar@example.kz"]
    shop.syncs(hours=5)
    assert shop.rows("select count(*) from canonical.customer where deleted_at is null") == [(1,)]
    assert shop.states() == {("email", "granted"): 2}


def test_a_refusal_that_go_calls_about_stops_letters_at_once_and_once(shop):
    """The call lands, is mapped, and the person's own word ends the consent that was granted before."""
    shop.syncs()
    shop.now += timedelta(hours=1)
    data = {"job_id": "j-1", "email": "aigerim@example.kz", "status": "unsubscribed", "event_time": stamp(shop.now)}
    event = {"event_name": "transactional_email_status", "event_data": data}
    call = {"auth": "go key", "events_by_user": [{"user_id": 1, "events": [event]}]}
    body = json.dumps({**call, "auth": md5(json.dumps(call).encode()).hexdigest()}).encode()
    for _ in range(2):
        for resource in hear(shop.store, shop.hub["letters"], Call(body), now=shop.now):
            map_new(shop.store, shop.hub, shop.hub["letters"], resource, now=shop.now)
    assert shop.states() == {("email", "granted"): 1, ("email", "refused"): 1}
    assert shop.rows("select count(*) from raw_letters.go_letters") == [(1,)]
    assert shop.rows("select count(*) from canonical.contact_event where kind = 'unsubscribed'") == [(1,)]
