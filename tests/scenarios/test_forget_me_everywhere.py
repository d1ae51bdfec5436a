"""Aliya is erased here, and leaves every channel that took her; the demand is met when the last of them has said so."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.meta_audiences import sandbox as meta
from connectors.sdk import Accepted, Change, ConnectionConfig, ConnectorSpec, Sink
from connectors.sdk.registry import discover
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.unisender import sandbox as unisender
from dagster_project.connections import Hub, parse
from dagster_project.home import home
from dagster_project.steps.people import membership
from dagster_project.steps.people.erase import erase
from dagster_project.steps.status import violations
from dagster_project.steps.sync import sync
from dagster_project.store.people import erasure
from tests.clear import clear

ALIYA, MARAT, NEW_ADDRESS = "aliya.t@shop.example", "marat.t@shop.example", "aliya.new@shop.example"
CARDS = {"a1": f"a1,Алия Тестовая,+77000000001,{ALIYA}", "a2": f"a2,Марат Тестовый,+77000000002,{MARAT}"}
BUYERS = {
    "segment": "buyers",
    "title": dict.fromkeys(("ru", "kk", "en"), "Buyers"),
    "where": {"field": "orders.count", "op": ">=", "value": 1},
    "consent": {"channel": "email", "purpose": "marketing"},
    "activate": [{"channel": name, "audience": "Buyers"} for name in ("ads", "letters", "desk")],
}


@dataclass
class Desk:
    """A help desk that takes people and cannot be told to delete anybody."""

    told: list[Change] = field(default_factory=list)

    def deliver(self, config: Any, changes: Sequence[Change]) -> Iterator[Accepted]:
        self.told += changes
        yield from (Accepted(change, f"client-{change.subject[-4:]}") for change in changes)

    @property
    def spec(self) -> ConnectorSpec:
        sink = Sink("segment.push", deliver=self.deliver, needs_listing=False, by_hand="Clients > Forget.")
        return ConnectorSpec("desk", "Desk", ConnectionConfig, sinks=(sink,))


@dataclass
class Shop:
    """Files of the shop, an ad account, a mailer, a help desk, one clock."""

    store: Engine
    clock: Any
    ads: meta.Meta
    letters: unisender.UniSender
    desk: Desk = field(default_factory=Desk)
    entries: dict[str, Any] = field(default_factory=dict)

    @property
    def hub(self) -> Hub:
        return parse(yaml.safe_dump(self.entries), {**discover().specs, "desk": self.desk.spec}, folder=home())

    def gets(self, name: str, layout: str, *lines: str, **settings: Any) -> None:
        folder = home() / name
        folder.mkdir(exist_ok=True)
        (folder / f"{len(list(folder.iterdir()))}.csv").write_text("\n".join([*lines, ""]), "utf-8")
        said = {"path": f"{name}/*.csv", "layout": layout, "timezone": "Asia/Almaty", **settings}
        self.entries[name] = {"connector": "files", "settings": said, "guards": {"shrink": 1.0}}

    def gets_cards(self, *cards: str) -> None:
        self.gets("crm", "customers", "external_id,name,phone,email", *cards)

    def syncs(self, **later: float) -> list[str]:
        """Gives what went wrong."""
        self.clock.passes(**later)
        errors = sync(self.store, self.hub, clock=self.clock, full=True).errors
        assert violations(self.store, self.hub) == []
        return errors

    def rows(self, query: str) -> list[Any]:
        with self.store.connect() as db:
            return list(db.execute(text(query)).all())

    def waits_for(self) -> list[str]:
        with self.store.connect() as db:
            return [one["what"].partition(":")[0] for one in erasure.requests(db, now=self.clock())]

    def confirms(self, connection: str, **said: str) -> None:
        with self.store.begin() as db:
            [duty] = [
                one["duty"] for one in erasure.requests(db, now=self.clock()) if one["what"].startswith(connection)
            ]
            erasure.done_by_hand(db, duty, who="Aigul", why="deleted", now=self.clock())

    @property
    def in_ads(self) -> set[str]:
        """Hashes of e-mails in the audience."""
        return {dict(row)["EMAIL"] for row in self.ads.named("Buyers").rows}

    @property
    def request(self) -> Any:
        [row] = self.rows("select state, report from privacy.erasure_request")
        return row


def hashed(email: str) -> str:
    return sha256(email.encode()).hexdigest()


@pytest.fixture
def shop(store: Engine, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Two people bought, agreed, and are in the audience of every channel."""
    made = Shop(store, clock, meta.sandbox(limits="off", clock=clock), unisender.sandbox(limits="off", clock=clock))
    made.letters.listed("Buyers")
    made.gets_cards(*CARDS.values())
    made.gets("till", "receipts", "receipt,location,sku,quantity,total,placed_at,customer",
              "R1,Almaty-1,MUG,1,4000,2026-02-20 12:00,a1", "R2,Almaty-1,MUG,1,900,2026-02-20 12:00,a2",
              customers_of="crm", currency="KZT")  # fmt: skip
    made.gets("forms", "consents", "external_id,identifier,channel,state,at",
              *(f"{card},{email},{channel},granted,2026-02-01 10:00" for card, email in (("a1", ALIYA), ("a2", MARAT))
                for channel in ("email", "ads")), customers_of="crm")  # fmt: skip
    (home() / "segments").mkdir()
    (home() / "segments" / "buyers.yaml").write_text(yaml.safe_dump(BUYERS), "utf-8")
    with ExitStack() as opened, using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):
        for name, vendor, module in (("ads", made.ads, meta), ("letters", made.letters, unisender)):
            settings = {**module.DEMO.settings, **module.DEMO.unlimited}
            settings["base_url"] = opened.enter_context(served(vendor.sandbox))
            for secret, value in module.DEMO.secrets.items():
                monkeypatch.setenv(f"{name}_{secret}".upper(), value)
            secrets = {secret: f"{name}_{secret}".upper() for secret in module.DEMO.secrets}
            connector = module.__name__.split(".")[1]
            made.entries[name] = {"connector": connector, "settings": settings, "secrets": secrets}
        made.entries["desk"] = {"connector": "desk"}
        for name in ("ads", "letters", "desk"):
            push = {"segment": "auto", "first": "auto"}
            made.entries[name] |= {"push": push, "country": "US", "transfer": "contract 12 of 2026-01-15"}
        assert made.syncs() == []
        membership.activate(store, made.hub, "buyers", who="Aigul", now=clock())
        assert made.syncs(minutes=1) == []
        yield made


@pytest.fixture
def forgotten(shop: Shop) -> Shop:
    assert shop.in_ads == {hashed(ALIYA), hashed(MARAT)}
    assert set(shop.letters.contacts) == {ALIYA, MARAT}
    report = erase(shop.store, shop.hub, "crm:a1", basis="letter 1", now=shop.clock())
    assert report["state"] == "owed"
    assert report["proof"] == {"tables": {}, "files": {}}
    return shop


def test_the_demand_is_met_when_the_last_channel_has_confirmed_and_not_before(forgotten):
    assert forgotten.waits_for() == ["ads", "desk", "letters", "desk"]
    forgotten.ads.sandbox.faults.set("500", match="DELETE", times=1)

    forgotten.syncs(minutes=1)
    assert hashed(ALIYA) in forgotten.in_ads
    assert set(forgotten.letters.contacts) == {MARAT}
    assert forgotten.waits_for() == ["ads", "desk"]
    assert forgotten.request.state == "owed"

    forgotten.syncs(minutes=20)
    assert forgotten.in_ads == {hashed(MARAT)}
    assert forgotten.waits_for() == ["desk"], "nobody but a person can do that"
    forgotten.confirms("desk")

    state, report = forgotten.request
    assert (state, report["owed"]) == ("done", [])
    assert [one["by"] for one in report["confirmed"]] == ["ads", "desk", "letters", "Aigul"]
    assert all(one["at"] for one in report["confirmed"])


def test_what_is_owed_is_known_though_the_search_afterwards_was_cut_short(shop, monkeypatch):
    def power_fails(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("dagster_project.steps.people.erase.proof", power_fails)
    with pytest.raises(KeyboardInterrupt):
        erase(shop.store, shop.hub, "crm:a1", basis="letter 1", now=shop.clock())
    assert sorted(shop.waits_for()) == ["ads", "desk", "desk", "letters", "what is left was not searched for"]
    shop.syncs(minutes=1)
    for owed in ("desk", "what is left"):
        shop.confirms(owed)
    state, report = shop.request
    assert (state, report["owed"]) == ("done", [])


def test_the_contact_under_the_address_she_had_before_is_deleted_too(shop):
    shop.gets_cards(CARDS["a1"].replace(ALIYA, NEW_ADDRESS), CARDS["a2"])
    shop.gets("forms", "consents", "external_id,identifier,channel,state,at",
              *(f"a1,{NEW_ADDRESS},{channel},granted,2026-02-01 10:00" for channel in ("email", "ads")),
              customers_of="crm")  # fmt: skip
    for _ in range(2):
        assert shop.syncs(minutes=1) == []
    assert set(shop.letters.contacts) == {ALIYA, NEW_ADDRESS, MARAT}
    erase(shop.store, shop.hub, "crm:a1", basis="letter 1", now=shop.clock())
    shop.syncs(minutes=1)
    assert set(shop.letters.contacts) == {MARAT}


def test_the_contact_under_her_former_address_stays_where_it_is_her_husbands_now(shop):
    shop.gets_cards(CARDS["a1"].replace(ALIYA, NEW_ADDRESS), CARDS["a2"].replace(MARAT, ALIYA))
    shop.gets("forms", "consents", "external_id,identifier,channel,state,at",
              *(f"{card},{address},email,granted,2026-03-02 09:00"
                for card, address in (("a1", NEW_ADDRESS), ("a2", ALIYA))), customers_of="crm")  # fmt: skip
    for _ in range(2):
        assert shop.syncs(minutes=1) == []
    erase(shop.store, shop.hub, "crm:a1", basis="letter 1", now=shop.clock())
    shop.syncs(minutes=1)
    assert set(shop.letters.contacts) == {ALIYA, MARAT}


def test_who_cannot_delete_is_named_with_what_to_do(forgotten):
    [(what,)] = forgotten.rows("select what from privacy.erasure_duty where confirms is null")
    assert what.startswith("desk: delete the person there (known there as client-")
    assert what.endswith("Clients > Forget.")
    forgotten.syncs(minutes=1)
    [joined] = [
        one for one in forgotten.desk.told if one.value["member"] and one.subject == forgotten.desk.told[-1].subject
    ]
    left = forgotten.desk.told[-1]
    assert (left.value["member"], left.external_id, dict(left.about)) == (False, f"client-{joined.subject[-4:]}", {})


def test_not_even_a_hash_of_her_address_outlives_the_removal(forgotten):
    assert any(hashed(ALIYA) in str(row) for row in forgotten.rows("select * from ledger.item")), (
        "it is needed to leave"
    )
    forgotten.syncs(minutes=1)
    for table in ("ledger.item", "ledger.change", "ledger.outbox", "privacy.erasure_duty", "privacy.erasure_request"):
        assert not any(hashed(ALIYA) in str(row) for row in forgotten.rows(f"select * from {table}")), table


def test_no_later_full_load_of_any_system_brings_her_back_to_any_channel(forgotten):
    forgotten.syncs(minutes=1)
    forgotten.letters.contact(ALIYA, "8")
    forgotten.gets_cards(*CARDS.values())
    forgotten.gets_cards(CARDS["a1"].replace("a1", "a9"), CARDS["a2"])
    forgotten.syncs(hours=5)
    assert not any("Алия" in str(row) for row in clear(forgotten.store, "select * from canonical.customer"))
    assert forgotten.in_ads == {hashed(MARAT)}
    assert forgotten.rows("select 1 from segment.membership where person_id in "
                          "(select person_id from identity.person where status = 'erased')") == []  # fmt: skip
    assert len(forgotten.rows("select distinct person_id from segment.membership")) == 1
