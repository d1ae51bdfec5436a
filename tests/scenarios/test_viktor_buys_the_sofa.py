"""Viktor sees ads, looks at sofas on the site, opens a letter, comes to the shop with his loyalty QR and buys one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Sink
from connectors.sdk.registry import discover
from dagster_project.connections import Hub, parse
from dagster_project.home import home
from dagster_project.steps.marts import fill
from dagster_project.steps.people import membership
from dagster_project.steps.status import violations
from dagster_project.steps.sync import sync

TITLE = {"ru": "Диван", "kk": "Диван", "en": "Sofa"}
EMAIL, PHONE = "viktor@mail.example", "+77000000007"
CARD = "5001"
SEEKERS = {
    "segment": "sofa_seekers",
    "title": TITLE,
    "where": {
        "all": [
            {"field": "contact.viewed", "op": "within", "value": "30d"},
            {"not": {"bought": {"category": "Sofas", "within": "30d"}}},
        ]
    },
    "consent": {"channel": "ads", "purpose": "marketing"},
    "activate": [{"channel": "ads", "audience": "sofa seekers"}],
}
CARE = {
    "segment": "care_set",
    "title": TITLE,
    "where": {"bought": {"category": "Sofas", "older_than": "14d", "within": "30d", "without": {"category": "Care"}}},
    "hours": {"from": 10, "to": 20},
    "consent": {"channel": "email", "purpose": "marketing"},
    "activate": [{"channel": "letters", "audience": "care set"}],
}


@dataclass
class Screen:
    """An ad network, or a mailer, that takes whoever it is told of. Receipts are numbers."""

    people: list[str] = field(default_factory=list)
    shown: dict[str, set[str]] = field(default_factory=dict)
    told: list[Change] = field(default_factory=list)

    def deliver(self, config: Any, changes: Sequence[Change]) -> Iterator[Accepted]:
        for change in changes:
            self.told.append(change)
            contact = change.about.get("email")
            if not change.external_id and contact not in self.people:
                self.people.append(contact)
            number = change.external_id or f"n-{self.people.index(contact)}"
            members = self.shown.setdefault(change.value["audience"], set())
            (members.add if change.value["member"] else members.discard)(number)
            yield Accepted(change, number)

    def shows(self, audience: str) -> list[str]:
        return [self.people[int(number[2:])] for number in sorted(self.shown.get(audience, ()))]


@dataclass
class Showroom:
    """Files of the shop's systems, two channels, one clock."""

    store: Engine
    clock: Any
    ads: Screen = field(default_factory=Screen)
    letters: Screen = field(default_factory=Screen)
    entries: dict[str, Any] = field(default_factory=dict)

    def opens(self) -> None:
        self.reads("goods", "products")
        self.reads("crm", "customers")
        self.reads("site", "customers")
        for name, whose in (("clicks", "site"), ("ad_log", "crm"), ("mail_log", "crm"), ("door", "crm")):
            self.reads(name, "events", customers_of=whose)
        for name in ("till", "outlet"):
            self.reads(name, "receipts", customers_of="crm", currency="KZT")
        self.reads("forms", "consents", customers_of="crm")
        push = {"segment": "auto", "first": "auto"}
        self.entries |= {name: {"connector": name, "push": push, "country": "KZ"} for name in ("ads", "letters")}
        self.drops("goods", "sku,name,category", "SOFA-1,Sofa Altai,Sofas", "CARE-1,Care set,Care")
        self.drops("crm", "external_id,name,phone,email,loyalty_id", f"101,Viktor Kim,{PHONE},{EMAIL},{CARD}")
        self.drops("site", "external_id,name,email", f"S-7,Viktor Kim,{EMAIL}")
        for said in (SEEKERS, CARE):
            self.writes(said)
        self.syncs()
        for said in (SEEKERS, CARE):
            membership.activate(self.store, self.hub, said["segment"], who="Aigul", now=self.clock())

    def reads(self, name: str, layout: str, **settings: Any) -> None:
        (home() / name).mkdir()
        said = {"path": f"{name}/*.csv", "layout": layout, "timezone": "Asia/Almaty", **settings}
        self.entries[name] = {"connector": "files", "settings": said, "guards": {"shrink": 1.0}}

    def writes(self, segment: dict[str, Any]) -> None:
        folder = home() / "segments"
        folder.mkdir(exist_ok=True)
        (folder / f"{segment['segment']}.yaml").write_text(yaml.safe_dump(segment, allow_unicode=True), "utf-8")

    def drops(self, name: str, *lines: str) -> None:
        file = home() / name / f"{len(list((home() / name).iterdir()))}.csv"
        file.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def hears(self, name: str, who: str, *events: str) -> None:
        """Events as `channel,kind`, of somebody by `external_id` or `identifier`."""
        column = "identifier" if "@" in who else "external_id"
        self.drops(name, f"{column},at,channel,kind", *(f"{who},{self.local},{event}" for event in events))

    def agrees(self, *channels: str, state: str = "granted") -> None:
        said = (f"{EMAIL},{channel},marketing,{state},{self.local},v1,form" for channel in channels)
        self.drops("forms", "identifier,channel,purpose,state,at,text_version,source", *said)

    def sells(self, where: str, receipt: str, sku: str = "SOFA-1", *, kind: str = "sale", whose: str = CARD) -> None:
        quantity, total = ("-1", "-350000") if kind == "return" else ("1", "350000")
        self.drops(where, "receipt,placed_at,type,sku,quantity,total,loyalty_id",
                   f"{receipt},{self.local},{kind},{sku},{quantity},{total},{whose}")  # fmt: skip

    @property
    def local(self) -> str:
        return f"{self.clock().astimezone(ZoneInfo('Asia/Almaty')):%Y-%m-%d %H:%M}"

    @property
    def hub(self) -> Hub:
        specs = dict(discover().specs)
        for name, screen, reaches in (("ads", self.ads, "ads"), ("letters", self.letters, "email")):
            sink = Sink("segment.push", deliver=screen.deliver, reaches=reaches)
            specs[name] = ConnectorSpec(name, name.title(), ConnectionConfig, sinks=(sink,))
        return parse(yaml.safe_dump(self.entries), specs, folder=home())

    def syncs(self, **later: float) -> None:
        self.clock.passes(**later)
        assert sync(self.store, self.hub, clock=self.clock).errors == []
        assert violations(self.store, self.hub) == []

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query))]


@pytest.fixture
def showroom(store: Engine, clock: Any) -> Showroom:
    """Monday, ten in the morning. Viktor has a card and an account; he has agreed to nothing yet."""
    made = Showroom(store, clock)
    made.opens()
    return made


@pytest.fixture
def interested(showroom: Showroom) -> Showroom:
    """He agreed to letters and ads, and looks at sofas."""
    showroom.agrees("email", "ads")
    showroom.hears("ad_log", EMAIL, "ads,ad_view")
    showroom.hears("clicks", "S-7", "site,product_view")
    showroom.syncs(minutes=1)
    return showroom


@pytest.fixture
def bought(interested: Showroom) -> Showroom:
    interested.sells("till", "77")
    interested.syncs(minutes=1)
    return interested


@pytest.fixture
def visited(interested: Showroom) -> Showroom:
    """He opened a letter, came to the shop with his card, and bought the sofa there."""
    interested.hears("mail_log", EMAIL, "email,opened")
    interested.clock.passes(hours=2)
    interested.hears("door", "101", "store,visit")
    interested.clock.passes(minutes=20)
    interested.sells("till", "77")
    interested.syncs(minutes=1)
    return interested


def test_everything_he_did_is_one_journey_of_one_person(visited):
    journey = visited.rows("""
      select kind from (
        select at, kind, person_id from canonical.contact_event
        union all select placed_at, 'purchase', person_id from canonical."order") steps
      where person_id = (select person_id from canonical.identity where connection = 'crm')
      order by at, kind""")
    assert [kind for (kind,) in journey] == ["ad_view", "product_view", "opened", "visit", "purchase"]
    assert visited.rows("select count(distinct person_id) from canonical.identity") == [(1,)]


def test_the_journey_is_in_its_mart_from_the_first_advertisement_to_the_till(visited):
    fill(visited.store, visited.hub, ["journey"], now=visited.clock())
    [(order, person, path, touches, minutes)] = visited.rows("""
      select "order", person_id, path, touches, round(value * 24 * 60)::int from mart.journey""")
    assert order == "till:77"
    assert [(person,)] == visited.rows("select distinct person_id from canonical.identity")
    assert path == ["ads", "site", "email", "store"]
    assert touches == {"ads": 1, "site": 1, "email": 1, "store": 1}
    assert minutes == 141, "from the advertisement to the receipt"


def test_the_whole_story_from_the_advertisement_to_the_care_set(visited):
    assert visited.ads.shows("sofa seekers") == []
    assert [change.value["member"] for change in visited.ads.told] == [True, False]
    visited.syncs(days=13)
    assert visited.letters.told == []
    visited.syncs(days=1)
    assert visited.letters.shows("care set") == [EMAIL]
    visited.sells("outlet", "78", kind="return")
    visited.syncs(minutes=1)
    assert visited.letters.shows("care set") == [], "the sofa came back: he is not reminded any more"


def test_ads_stop_with_the_pass_that_brings_the_receipt(interested):
    assert interested.ads.shows("sofa seekers") == [EMAIL]
    interested.sells("till", "77")
    interested.syncs(seconds=30)
    assert interested.ads.shows("sofa seekers") == []
    assert [change.value["member"] for change in interested.ads.told] == [True, False]
    assert interested.ads.told[-1].external_id == "n-0", "by what the network gave for his addition"


def test_the_care_set_is_offered_after_a_fortnight_at_a_polite_hour(bought):
    bought.syncs(days=13)
    assert bought.letters.told == []
    bought.syncs(hours=22)
    assert bought.letters.told == [], "it is eight in the morning"
    bought.syncs(hours=4)
    assert bought.letters.shows("care set") == [EMAIL]
    bought.syncs(hours=1)
    assert len(bought.letters.told) == 1, "once"


@pytest.mark.parametrize("shop", ["till", "outlet"])
def test_the_offer_is_cancelled_when_the_sofa_comes_back_to_any_shop(bought, shop):
    bought.syncs(days=10)
    bought.sells(shop, "78", kind="return")
    bought.syncs(hours=1)
    for _ in range(6):
        bought.syncs(days=1)
    assert bought.letters.told == []


def test_an_offer_that_waits_is_not_sent_once_the_sofa_is_back(bought):
    bought.entries["letters"]["push"] = {"segment": "approve", "first": "auto"}
    bought.syncs(days=14, hours=2)
    assert bought.rows("select state from ledger.outbox") == [("held",)]
    bought.sells("outlet", "78", kind="return")
    bought.syncs(hours=1)
    assert bought.rows("select state from ledger.outbox") == []
    assert bought.letters.told == []


def test_who_bought_the_care_set_elsewhere_is_not_offered_it(bought):
    bought.sells("outlet", "79", sku="CARE-1")
    bought.syncs(days=14, hours=2)
    assert bought.letters.told == []


def test_without_consent_nothing_is_sent(showroom):
    showroom.hears("clicks", "S-7", "site,product_view")
    showroom.syncs(minutes=1)
    showroom.sells("till", "77")
    showroom.syncs(days=14, hours=2)
    assert showroom.ads.told == []
    assert showroom.letters.told == []
    states = showroom.rows("select capability, reason from ledger.item where connection = 'letters'")
    assert states == [("segment.push", "consent: may not be reached by email for marketing")]


def test_who_unsubscribes_in_time_gets_no_offer(bought):
    bought.syncs(days=5)
    bought.agrees("email", state="refused")
    bought.syncs(days=9, hours=2)
    assert bought.letters.told == []
