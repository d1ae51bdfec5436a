"""A small shop's people and segments, and a mailer in memory that keeps audiences."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Outcome, Shown, Sink
from connectors.sdk.spec import Resource
from dagster_project.connections import Hub, parse
from dagster_project.segment_files import segments
from dagster_project.steps.decide import Planned, decide, decide_dirty, preview
from dagster_project.steps.deliver import Delivered, deliver
from dagster_project.steps.status import violations
from dagster_project.steps.undo import undo
from dagster_project.store.dirty import mark
from dagster_project.store.people.keyring import keys
from tests.dagster_project.steps.asking import Asking

ALIYA, BORIS, DANA = "aliya", "boris", "dana"
PHONES = {name: f"+7700000000{place}" for place, name in enumerate((ALIYA, BORIS, DANA), start=1)}
Answer = Callable[[Sequence[Change]], Iterable[Outcome]]


def email(person: str) -> str:
    return f"{person}@example.com"


@dataclass
class Mailer:
    """Contacts by a number of its own, and who is in which audience. `answers` are used up one per request. `by`: the
    contact that it knows people by."""

    by: str = "email"
    contacts: dict[str, str] = field(default_factory=dict)
    audiences: dict[str, set[str]] = field(default_factory=dict)
    received: list[Change] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def deliver(self, config: Any, changes: Sequence[Change]) -> Iterator[Outcome]:
        self.received += changes
        yield from (self.answers.pop(0) if self.answers else self.takes)(changes)

    def takes(self, changes: Sequence[Change]) -> Iterator[Outcome]:
        for change in changes:
            number = self._who(change)
            members = self.audiences.setdefault(change.value["audience"], set())
            (members.add if change.value["member"] else members.discard)(number)
            yield Accepted(change, number)

    def _who(self, change: Change) -> str:
        """Who joins is written to by the address he has now; who goes is the one who was added."""
        if change.external_id and not change.value["member"]:
            return change.external_id
        return self.contacts.setdefault(change.about[self.by], f"c-{len(self.contacts)}")

    def read_back(self, config: Any, changes: Sequence[Change]) -> Mapping[str, Any]:
        found = {change.subject: (self._number(change), change.value) for change in changes}
        return {
            subject: Shown({**value, "member": number in self.audiences[value["audience"]]}, number)
            for subject, (number, value) in found.items()
            if number and value["audience"] in self.audiences
        }

    def _number(self, change: Change) -> str | None:
        known = self.contacts.get(change.about.get(self.by, ""))
        return known if change.value["member"] else change.external_id or known

    def addresses(self, audience: str) -> set[str]:
        """E-mails of the members."""
        by_number = {number: address for address, number in self.contacts.items()}
        return {by_number[number] for number in self.audiences.get(audience, ())}


@dataclass
class Circle(Asking):
    """`people` of the shop, known to the system `crm`; segments are files, memberships are said."""

    store: Engine
    now: datetime
    folder: Path
    mailer: Mailer
    guards: str = "share: 1.0"
    push: str = "segment: auto, customer: auto, first: auto"
    reaches: str | None = "email"
    resources: tuple[Resource, ...] = ()
    capability: str = "segment.push"
    batch: int = 10
    takes: tuple[str, ...] = ()
    forgets: bool = False
    listed: bool = False

    @property
    def hub(self) -> Hub:
        sinks = tuple(
            Sink(name, deliver=self.mailer.deliver, read_back=self.mailer.read_back, reaches=self.reaches,
                 batch=self.batch, takes=lambda config: self.takes, forgets=self.forgets, needs_listing=self.listed)
            for name in ("segment.push", "customer.push")
        )  # fmt: skip
        spec = ConnectorSpec("mailer", "Mailer", ConnectionConfig, resources=self.resources, sinks=sinks)
        crm = ConnectorSpec("crm", "CRM", ConnectionConfig)
        entry = f"connector: mailer, country: KZ, push: {{{self.push}}}, guards: {{{self.guards}}}"
        return parse(f"crm: {{connector: crm}}\nletters: {{{entry}}}", {"mailer": spec, "crm": crm}, folder=self.folder)

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    # ── what is known of people ───────────────────────────────────────────────────────────────────────────────────────

    def knows(self, *people: str) -> None:
        for person in people:
            address, values = email(person), {"p": person, "now": self.now}
            record = self.one("select count(*) + 1 as n from identity.source_record").n
            values |= {"record": record, "email": keys().seal(address, "email")}
            values["phone"] = keys().seal(PHONES.get(person, ""), "phone")
            self.say(
                "insert into canonical.customer (connection, external_id, emails, source) "
                "values ('crm', :p, array[:email], '{}')", **values,
            )  # fmt: skip
            self.say("insert into identity.source_record (record, connection, external_id) values (:record, 'crm', :p)",
                     **values)  # fmt: skip
            self.say("insert into identity.person (person_id, created_at) values (:p, :now)", **values)
            self.say("insert into identity.membership values (:record, :p, :now)", **values)
            self.say(
                "insert into identity.golden (person_id, first_name, email, emails, phone) "
                "values (:p, :p, :email, array[:email], :phone)", **values,
            )  # fmt: skip

    def cards(self, person: str, *, of: str) -> None:
        """That system has a card of the person as well."""
        record = self.one("select count(*) + 1 as n from identity.source_record").n
        self.say("insert into identity.source_record (record, connection, external_id) values (:record, :of, :p)",
                 record=record, of=of, p=person)  # fmt: skip
        self.say("insert into identity.membership values (:record, :p, :now)", record=record, p=person, now=self.now)

    def says(
        self, person: str, state: str = "granted", *, of: str | None = None, channel: str = "email",
        purpose: str = "marketing",
    ) -> None:  # fmt: skip
        """The person agrees, or refuses; the newest word counts."""
        address = of or email(person)
        values = {"subject": keys().subject("email", address), "sealed": keys().seal(address, "email")}
        self.say(
            "insert into privacy.consent_state (subject, channel, purpose, identifier_kind, identifier, state, since, "
            "as_of) values (:subject, :channel, :purpose, 'email', :sealed, :state, :now, :now) "
            "on conflict (subject, channel, purpose) do update set state = excluded.state",
            channel=channel, purpose=purpose, state=state, now=self.now, **values,
        )  # fmt: skip
        self.moved(person)

    def agree(self, *people: str) -> None:
        for person in people:
            self.says(person)

    def activates(self, segment: str, audience: str | None = None, *, channel: str = "letters", **more: Any) -> None:
        file = self.folder / "segments" / f"{segment}.yaml"
        file.parent.mkdir(exist_ok=True)
        said = {"segment": segment, "activate": [{"channel": channel, "audience": audience or segment}]}
        said |= {
            "consent": {"channel": "email", "purpose": "marketing"},
            "title": dict.fromkeys(("ru", "kk", "en"), "S"),
            **more,
        }
        file.write_text(yaml.safe_dump({"where": {"field": "orders.count", "op": ">=", "value": 1}, **said}), "utf-8")
        read = {one.name: one.segment.model_dump(mode="json", by_alias=True) for one in segments(self.hub)}
        if segment in read:
            self.say(
                "insert into segment.definition (segment, body, seen_at, live_since) values (:s, cast(:body as jsonb), "
                ":now, :now) on conflict (segment) do update set body = excluded.body",
                s=segment, body=json.dumps({"segment": read[segment]}), now=self.now,
            )  # fmt: skip

    def enter(self, segment: str, *people: str, hold_out: bool = False) -> None:
        for person in people:
            self.say("insert into segment.membership (segment, person_id, since, hold_out) values (:s, :p, :now, :h)",
                     s=segment, p=person, now=self.now, h=hold_out)  # fmt: skip
            self.dirty(f"{segment}/{person}")

    def leave(self, segment: str, *people: str) -> None:
        for person in people:
            self.say("delete from segment.membership where segment = :s and person_id = :p", s=segment, p=person)
            self.dirty(f"{segment}/{person}")

    def moved(self, person: str) -> None:
        """Whatever concerns the person's memberships is looked at again, as after a change of consent."""
        rows = self.all("select segment from segment.membership where person_id = :p", p=person)
        self.dirty(*(f"{row.segment}/{person}" for row in rows))

    def merges(self, person: str, into: str) -> None:
        self.say("update identity.membership set person_id = :into where person_id = :p", p=person, into=into)
        self.say("update identity.person set status = 'merged', merged_into = :into where person_id = :p",
                 p=person, into=into)  # fmt: skip
        self.say("delete from identity.golden where person_id = :p", p=person)

    # ── what the hub does ─────────────────────────────────────────────────────────────────────────────────────────────

    def decides(self) -> dict[tuple[str, str], Planned]:
        return decide_dirty(self.store, self.hub, now=self.now)

    def decides_in_full(self) -> Planned:
        return decide(self.store, self.hub, self.hub["letters"], self.capability, now=self.now)

    def looks(self) -> list[dict[str, Any]]:
        return preview(self.store, self.hub, self.hub["letters"], self.capability, now=self.now)

    def delivers(self, **options: Any) -> Delivered:
        hub = self.hub
        return deliver(self.store, hub, hub["letters"], self.capability, now=lambda: self.now, **options)

    def syncs(self) -> Delivered:
        self.decides()
        done = self.delivers()
        assert violations(self.store, self.hub) == []
        return done

    def takes_back(self, plan: int) -> list[dict[str, Any]]:
        return undo(self.store, self.hub, plan, who="Aigul", now=self.now)

    # ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────

    def states(self) -> dict[str, tuple[str, str | None]]:
        rows = self.all("select * from ledger.item where capability = :c order by subject", c=self.capability)
        return {row.subject: (row.state, row.reason) for row in rows}

    def waits(self) -> dict[str, tuple[Any, str]]:
        rows = self.all("select * from ledger.outbox where capability = :c order by subject", c=self.capability)
        return {row.subject: (row.becomes, row.state) for row in rows}

    def plans(self) -> list[Any]:
        return list(self.all("select * from ledger.plan where capability = :c order by plan", c=self.capability))

    def everything_stored(self) -> str:
        """The ledger and the hub's own tables as text."""
        tables = ("ledger.item", "ledger.outbox", "ledger.change", "ledger.plan", "ledger.attempt", "ledger.quarantine",
                  "hub.dirty", "hub.cursor")  # fmt: skip
        return json.dumps([str(row) for name in tables for row in self.all(f"select * from {name}")])

    # ── SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def dirty(self, *subjects: str, entity: str = "member") -> None:
        with self.store.begin() as db:
            mark(db, entity, subjects)


@pytest.fixture
def mailer() -> Mailer:
    return Mailer()


@pytest.fixture
def circle(store: Engine, now: datetime, tmp_path: Path, mailer: Mailer) -> Circle:
    """Three people who have said nothing yet, and a segment of sofa buyers shown to the mailer."""
    made = Circle(store, now, tmp_path, mailer)
    made.knows(ALIYA, BORIS, DANA)
    made.activates("sofas", "sofa buyers")
    return made
