"""Audiences on a vendor's loopback platform, and the people who come into one and leave it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

import yaml

from connectors.bitrix24 import sandbox as bitrix24
from connectors.meta_audiences import sandbox as meta_audiences
from connectors.sdk.audiences import META
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.unisender import sandbox as unisender
from dagster_project.connections import Hub, load
from dagster_project.steps.canonical import map_new
from dagster_project.steps.deliver import Delivered
from dagster_project.steps.land import land
from dagster_project.store.people.keyring import keys
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, Circle, email
from tests.scenarios.vendor import OnPlatform

SEGMENT, AUDIENCE = "sofas", "sofa buyers"
PEOPLE = (ALIYA, BORIS, DANA)
NEW_ADDRESS = "aliya.new@example.com"
ADDRESSES = (*map(email, PEOPLE), NEW_ADDRESS)


@dataclass(frozen=True)
class Network:
    """A vendor that keeps audiences.

    `channel`: of consent; None where a mere record about the person is changed. `shows`: addresses of who is in an
    audience there; `places`: how many bear its name; `joining`: requests that bring somebody in; `takes_out`: somebody
    does by hand, None where the platform does not tell who is in; `push`: what may be written there beside what its
    demo may; `meets`: the platform makes a card of somebody by itself, where only those are shown who have one.
    """

    module: ModuleType
    channel: str | None
    shows: Callable[[Any, str], set[str]]
    places: Callable[[Any, str], int]
    joining: str
    takes_out: Callable[[Any, str], None] | None = None
    push: Mapping[str, Any] = field(default_factory=dict)
    meets: Callable[[Any, str], Any] | None = None


def _listed(account: Any, title: str) -> set[str]:
    numbers = {number for number, name in account.lists.items() if name == title}
    return {one.email for one in account.contacts.values() if one.lists & numbers}


def _uploaded(account: Any, name: str) -> set[str]:
    rows = [dict(row) for one in account.audiences.values() if one.name == name for row in one.rows]
    assert len(rows) == len({row["EXTERN_ID"] for row in rows}), "one row for each person"
    clear = {META.email(address): address for address in ADDRESSES}
    return {clear[row["EMAIL"]] for row in rows}


def _marked(portal: Any, title: str) -> set[str]:
    return {_address(card) for card in portal.crm["CONTACT"].values() if title in _segments(card)}


def _address(card: Mapping[str, Any]) -> str:
    [mail] = card["EMAIL"]
    return str(mail["VALUE"])


def _segments(card: Mapping[str, Any]) -> list[str]:
    return card.get(bitrix24.SEGMENTS) or []


def _unmarked(portal: Any, address: str) -> None:
    for key, card in portal.crm["CONTACT"].items():
        if _address(card) == address:
            portal.change("CONTACT", key, {bitrix24.SEGMENTS: []})


def _contact(portal: Any, person: str) -> int:
    return int(portal.add("CONTACT", {"NAME": person, "EMAIL": [{"VALUE": email(person)}]}))


NETWORKS = {
    "unisender": Network(
        unisender, "email", _listed, lambda account, title: list(account.lists.values()).count(title),
        "importContacts", lambda account, address: account.contacts[address].lists.clear(),
    ),
    "meta_audiences": Network(
        meta_audiences, "ads", _uploaded,
        lambda account, name: [one.name for one in account.audiences.values()].count(name), "/users",
    ),
    "bitrix24": Network(
        bitrix24, None, _marked,
        lambda portal, title: max(_segments(card).count(title) for card in portal.crm["CONTACT"].values()),
        "write", _unmarked, meets=_contact,
    ),
}  # fmt: skip


@dataclass
class Audience(OnPlatform, Circle):
    """A segment of three people who agreed, shown to one audience of a real connector."""

    network: Network = NETWORKS["unisender"]
    platform: Any = None
    name: str = "letters"
    naps: list[float] = field(default_factory=list)

    @property
    def hub(self) -> Hub:
        return load()

    def clock(self) -> datetime:
        return self.now

    def connects(self, vendor: str, base_url: str, secret: Callable[[str, str], None]) -> None:
        demo = self.network.module.DEMO
        for name, value in demo.secrets.items():
            secret(f"{self.name}_{name}".upper(), value)
        entry = {
            **demo.connection,
            "push": {**demo.connection["push"], **self.network.push},
            "connector": vendor,
            "settings": {**demo.settings, **demo.unlimited, "base_url": base_url},
            "secrets": {name: f"{self.name}_{name}".upper() for name in demo.secrets},
            "guards": {"share": 1.0},
        }
        crm = {"connector": "files", "settings": {"path": "crm.csv", "layout": "customers"}}
        said = yaml.safe_dump({self.name: entry, "crm": crm})
        (self.folder / "connections.yaml").write_text(said, "utf-8")

    def gathers(self) -> None:
        self.knows(*PEOPLE)
        self.activates(SEGMENT, AUDIENCE)
        if self.network.channel:
            for person in PEOPLE:
                self.says(person, channel=self.network.channel)
        if self.network.meets:
            self.reads_cards()

    def reads_cards(self) -> None:
        """The platform's own cards of these people are pulled; identity knows whose they are."""
        for person in PEOPLE:
            self.network.meets(self.platform, person)
        connection = self.hub[self.name]
        cards = connection.spec.resource("contacts")
        land(self.store, connection, cards, now=self.now)
        map_new(self.store, self.hub, connection, cards, now=self.now)
        self.say(_KNOWN, n=self.name)
        self.say(_WHOSE, n=self.name, now=self.now)

    def has_another_address(self, person: str, address: str) -> None:
        """The CRM knows the person by it now, and the person agreed to it; as identity does it."""
        sealed = keys().seal(address, "email")
        self.say("update canonical.customer set emails = array[:e] where external_id = :p", e=sealed, p=person)
        self.say("update identity.golden set email = :e, emails = array[:e] where person_id = :p", e=sealed, p=person)
        self.says(person, of=address, channel=self.network.channel)

    def consists_of(self, *people: str) -> None:
        """Whoever else is in the segment leaves it, and the hub decides."""
        rows = self.all("select person_id from segment.membership where segment = :s", s=SEGMENT)
        were = {row.person_id for row in rows}
        self.leave(SEGMENT, *(were - set(people)))
        self.enter(SEGMENT, *(one for one in people if one not in were))
        self.decides()

    def delivers(self, **options: Any) -> Delivered:
        with using(Runtime(bucket=LocalBucket(), sleep=self.naps.append)):
            return super().delivers(**options)

    def shows(self, audience: str = AUDIENCE) -> set[str]:
        """Addresses of whoever is in it."""
        return self.network.shows(self.platform, audience)

    def settled(self) -> dict[str, str]:
        """Person → state."""
        return {subject.partition("/")[2]: state for subject, (state, _) in self.states().items()}


_KNOWN = """
insert into identity.source_record (record, connection, external_id)
select 100 + row_number() over (), connection, external_id from canonical.customer where connection = :n
on conflict do nothing
"""
_WHOSE = """
insert into identity.membership
select r.record, known.external_id, :now from identity.source_record r
join canonical.customer card using (connection, external_id)
join canonical.customer known on known.connection = 'crm' and known.emails = card.emails
where r.connection = :n
"""
