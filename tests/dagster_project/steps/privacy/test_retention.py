"""What has outlived its purpose goes by night; who was only known by it is known no more, and accounting stays."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from connectors.sdk.errors import ConfigError
from dagster_project.connections import parse
from dagster_project.steps.people.retention import retain
from dagster_project.store.people.access import logged
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import upsert
from mappings.privacy.terms import PROFILES

HUB = "hub: {privacy: {profile: kz, retention: {marketing: 365d}}}\nshop: {connector: files, settings: {path: x}}"


@pytest.fixture
def hub():
    return parse(HUB, {})


@pytest.fixture
def store(store, now):
    """A letter opened 400 days ago, a call of that day, an order of six years ago and one of yesterday, a cart."""
    fixed = {"connection": "shop", "source": {}}
    event = {**fixed, "identifier_kind": "phone", "identifier": "siv:x", "kind": "opened"}
    order = {**fixed, "kind": "sale", "channel": "site", "status": "completed", "total": 1000, "currency": "KZT",
             "customer": "c1", "contact_name": "Алия", "contact_phone": "siv:x",
             "delivery": {"address": "Абая 1", "city": "Алматы"}}  # fmt: skip
    rows = {
        "canonical.contact_event": [
            {**event, "external_id": "letter", "channel": "email", "at": now - timedelta(days=400)},
            {**event, "external_id": "call", "channel": "call", "at": now - timedelta(days=400)},
        ],
        "canonical.order": [
            {**order, "external_id": one, "number": one, "placed_at": now - timedelta(days=days)}
            for one, days in (("old", 6 * 366), ("new", 1))
        ],
        "canonical.cart": [{**fixed, "external_id": "k1", "customer": "c1", "channel": "site", "state": "open",
                            "updated_at": now - timedelta(days=200)}],
        "canonical.cart_line": [{"connection": "shop", "external_id": "k1", "line": "1", "quantity": 1}],
    }  # fmt: skip
    with store.begin() as db:
        for table, some in rows.items():
            upsert(db, TABLES[table], some, [column.name for column in TABLES[table].primary_key.columns])
        copy = json.dumps({"number": "old", "contact_name": "Алия", "contact_phone": "siv:x"})
        db.execute(text("insert into ledger.item (connection, capability, subject, state, desired, acknowledged) "
                        "select 'erp', 'order.push', 'shop:old', 'in_sync', copy, copy from cast(:copy as jsonb) copy"),
                   {"copy": copy})  # fmt: skip
    logged(store, actor="Aigul", purpose="x", object="y", fields=["z"], rows=1)
    return store


def rows(store, query: str) -> list[tuple]:
    with store.connect() as db:
        return [tuple(row) for row in db.execute(text(query))]


def test_a_dry_run_counts_and_removes_nothing(store, hub, now):
    found = {(one.kind, one.where): (one.past, one.removed) for one in retain(store, hub, now=now, dry_run=True)}
    assert {where: told for where, told in found.items() if told[0]} == {
        ("marketing", "canonical.contact_event"): (1, 0),
        ("carts", "canonical.cart"): (1, 0),
        ("carts", "canonical.cart_line"): (1, 0),
        ("buyers", "canonical.order"): (1, 0),
        ("buyers", "ledger.item"): (1, 0),
    }
    assert rows(store, "select count(*) from canonical.cart") == [(1,)]


def test_each_class_goes_by_its_own_term_and_the_books_stay(store, hub, now):
    retain(store, hub, now=now)
    assert rows(store, "select external_id from canonical.contact_event") == [("call",)], "service is kept for longer"
    assert (
        rows(store, "select count(*) from canonical.cart")
        == rows(store, "select count(*) from canonical.cart_line")
        == [(0,)]
    )
    buyers = rows(store, 'select external_id, contact_name, delivery, total from canonical."order" order by placed_at')
    assert [(one[0], one[1], sorted(one[2])) for one in buyers] == [
        ("old", None, ["city"]),
        ("new", "Алия", ["address", "city"]),
    ]
    assert [one[3] for one in buyers] == [1000, 1000]
    assert rows(store, "select desired, acknowledged from ledger.item") == [({"number": "old"},) * 2], (
        "nothing is sent again"
    )
    dirty = rows(store, "select distinct subject from hub.dirty where entity = 'customer' order by 1")
    assert dirty == [("shop:c1",), ("shop:contact_event:letter",)], "who he is may have hung on that"
    assert not any(one.past for one in retain(store, hub, now=now, dry_run=True))


def test_the_log_of_looks_ends_too_when_its_term_comes(store, hub, now):
    with store.begin() as db:
        db.execute(text("update privacy.access_log set at = :at"), {"at": now - timedelta(days=4 * 365)})
    retain(store, hub, now=now)
    assert rows(store, "select count(*) from privacy.access_log") == [(0,)]


def test_what_would_empty_a_table_waits_for_a_person(store, hub, now):
    with store.begin() as db:
        db.execute(text("insert into ledger.quarantine (connection, resource, key, rule, reason, state, at) "
                        "select 'shop', 'x', n::text, 'r', 'r', 'dropped', :at from generate_series(1, 20) n"),
                   {"at": now - timedelta(days=100)})  # fmt: skip
    [held] = [one for one in retain(store, hub, now=now) if one.kind == "quarantine"]
    assert (held.past, held.removed) == (20, 0)
    assert held.held.startswith("20 of 20 rows: see `keruen privacy retention --dry-run`")
    [done] = [one for one in retain(store, hub, now=now, asked=True) if one.kind == "quarantine"]
    assert (done.removed, done.held) == (20, None)


def test_a_class_that_nobody_knows_is_a_mistake_of_the_file():
    with pytest.raises(ConfigError, match=r"hub\.privacy\.retention"):
        parse("hub: {privacy: {retention: {everything: 1d}}}", {})


def test_terms_differ_by_law_and_the_owner_has_the_last_word():
    assert PROFILES["eu"].kept({})["buyers"] > PROFILES["kz"].kept({})["buyers"]
    assert PROFILES["kz"].kept({"buyers": timedelta(days=1)})["buyers"] == timedelta(days=1)
