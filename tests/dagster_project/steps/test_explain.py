"""Why something is as it is, and whether every subject is accounted for."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from connectors.sdk import ConfigError, UnansweredError
from connectors.sdk.runtime import Attempt, current
from dagster_project.connections import parse
from dagster_project.steps.approve import approve
from dagster_project.steps.explain import explain
from dagster_project.steps.status import conservation, status, violations

SOURCE = (
    '{"connection": "erp", "resource": "%s", "key": "%s", "observed_at": "2026-03-02T04:00:00Z", "load_id": "17.5"}'
)
GOODS = f"""
insert into canonical.product (sku, connection, external_id, name, status, source)
  values ('TEA', 'erp', '104', 'Шай Әсем 250 г', 'active', '{SOURCE % ("products", "104")}');
insert into canonical.price (sku, price_type, connection, valid_from, amount, currency, source)
  values ('TEA', 'retail', 'erp', '-infinity', 1250, 'KZT', '{SOURCE % ("products", "104")}');
insert into canonical.stock_level (sku, location, on_hand, as_of, connection, source)
  values ('TEA', 'Almaty-1', 7, '2026-03-02T04:00:00Z', 'erp', '{SOURCE % ("stock", "104")}');
insert into position.stock (sku, location, on_hand, reserved, as_of, connection)
  values ('TEA', 'Almaty-1', 7, 2, '2026-03-02T04:00:00Z', 'erp');
insert into hub.binding (connection, entity, external_id, our_id, how, since)
  values ('shop', 'variant', 'x-TEA', 'TEA', 'sku', '2026-03-02T04:00:00Z');
"""
BUYER = "Айгүл Серікқызы"
ORDER = f"""
insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, updated_at, status,
    contact_name, contact_phone, contact_email, total, currency, source, delivery)
  values ('shop', '8817', 'A-8817', 'sale', 'market', '2026-03-02T04:00:00Z', '2026-03-02T04:10:00Z', 'placed',
    '{BUYER}', '+77000000001', 'aigul@example.kz', 2500, 'KZT', '{SOURCE % ("orders", "8817")}',
    '{{"address": "Абай 10"}}');
insert into canonical.reservation (connection, external_id, line, sku, location, quantity, state, placed_at, changed_at)
  values ('shop', '8817', '1', 'TEA', 'Almaty-1', 2, 'active', '2026-03-02T04:00:00Z', '2026-03-02T04:01:00Z');
insert into canonical.order_event (connection, external_id, at, status, status_raw, source)
  values ('shop', '8817', '2026-03-02T04:00:00Z', 'placed', 'NEW', '{{}}');
"""


def told(story) -> str:
    return "\n".join(f"{hop['hop']} {hop['connection'] or '-'} {hop['detail']}" for hop in story["hops"])


@pytest.fixture
def shop(channel, clock):
    with channel.store.begin() as db:
        for statement in (GOODS + ORDER).split(";\n"):
            if statement.strip():
                db.exec_driver_sql(statement)
    return channel


def test_a_sku_is_followed_from_the_sources_record_to_the_channels_answer(shop, vendor, clock):
    def notes(changes):
        current().note(Attempt(clock(), "POST", "/offers", 200, "ok", 0.25))
        yield from vendor.takes(changes)

    vendor.answers = [notes]
    plan = shop.plan({"TEA": 5}, held="first sync").plan
    clock.passes(seconds=1)
    approve(shop.store, plan, who="Aigul", why="checked", now=clock())
    clock.passes(seconds=1)
    shop.deliver()
    story = explain(shop.store, "TEA")
    assert (story["kind"], story["id"]) == ("sku", "TEA")
    for said in [
        "source erp products 104, load 17.5",
        "mapping erp product: Шай Әсем 250 г, active (mapping 1)",
        "mapping erp price retail: 1250.00 KZT (mapping 1)",
        "mapping erp count in Almaty-1: 7 (mapping 1)",
        "mapping shop bound: x-TEA is this SKU, by sku",
        "position erp Almaty-1: 7 on hand, 2 reserved",
        "decision shop stock.push: in_sync, should show 5",
        "guard shop stock.push plan 1 held: nothing → 5 because the count changed, first sync",
        "guard shop stock.push plan 1 approved: nothing → 5 because the count changed, approved by Aigul: checked",
        "request shop stock.push: POST /offers → 200, ok, 0.25 s",
        "reply shop stock.push accepted: 5",
    ]:
        assert said in told(story).splitlines()
    hops = [hop["hop"] for hop in story["hops"]]
    assert (
        hops.index("source") < hops.index("mapping") < hops.index("guard") < hops.index("request") < hops.index("reply")
    )
    moments = [hop["at"] or "" for hop in story["hops"]]
    assert moments == sorted(moments)


def test_a_read_back_is_a_hop_of_its_own(shop, vendor):
    def arrives_unheard(changes):
        list(vendor.takes(changes))
        raise UnansweredError("no whole answer (ReadTimeout)")
        yield

    vendor.answers = [arrives_unheard]
    shop.plan({"TEA": 5})
    shop.deliver()
    story = told(explain(shop.store, "TEA"))
    assert "reply shop stock.push unknown: 5, no whole answer (ReadTimeout)" in story
    assert "read-back shop stock.push accepted: 5, read back: it arrived" in story
    assert "read-back shop stock.push: the channel shows 5" in story


def test_one_connection_can_be_asked_for_alone(shop):
    assert {hop["connection"] for hop in explain(shop.store, "TEA", connection="erp")["hops"]} == {"erp"}


@pytest.mark.parametrize("name", ["shop:8817", "8817", "A-8817"])
def test_an_order_is_told_by_any_of_its_names_without_a_word_about_the_buyer(shop, vendor, name):
    orders = replace(shop, capability="order.push")
    copy = {"status": "confirmed", "contact_name": BUYER, "contact_phone": "+77000000001"}
    orders.plan({"shop:8817": copy})
    story = explain(shop.store, name)
    assert (story["kind"], story["id"]) == ("order", "shop:8817")
    said = told(story)
    assert "mapping erp sale A-8817 of market: placed, 2500.00 KZT (mapping 1)" in said
    assert "mapping shop became placed (NEW)" in said
    assert "position shop line 1: 2 of TEA active in Almaty-1" in said
    assert "decision shop order.push plan 1 planned: nothing → confirmed because the count changed" in said
    for private in [BUYER, "+77000000001", "aigul@", "Абай"]:
        assert private not in said


def test_what_nobody_knows_is_said_to_be_unknown(shop):
    with pytest.raises(ConfigError, match="nothing is known of 'COFFEE'"):
        explain(shop.store, "COFFEE")
    with pytest.raises(ConfigError, match="ask for `sku ID`, `order ID` or `person ID`"):
        explain(shop.store, "TEA", kind="ghost")


def test_a_number_that_two_orders_bear_is_not_guessed(shop):
    with shop.store.begin() as db:
        db.execute(text(ORDER_TWIN))
    with pytest.raises(ConfigError, match="2 orders are called '8817'"):
        explain(shop.store, "8817")


ORDER_TWIN = """
insert into canonical."order"
  (connection, external_id, number, kind, channel, placed_at, status, total, currency, source)
values ('other', '8817', 'B-1', 'sale', 'site', '2026-03-02T04:00:00Z', 'placed', 1, 'KZT', '{}')
"""


def test_every_configured_capability_has_its_row_zeros_included(channel, vendor):
    channel.plan({"TEA": 5, "MUG": 1, "POT": 9}, guards={"POT": "step"})
    channel.deliver(limit=1)
    hub = parse("shop: {connector: acme, push: {stock: auto}}\nnew: {connector: acme, push: {stock: auto}}\n",
                {"acme": channel.connection.spec})  # fmt: skip
    zeros = dict.fromkeys(("in_sync", "pending", "held", "rejected", "unknown", "excluded"), 0)
    assert status(channel.store, hub) == [
        {
            "connection": "shop",
            "capability": "stock.push",
            "subjects": 3,
            **zeros,
            "in_sync": 1,
            "pending": 1,
            "held": 1,
        },
        {"connection": "new", "capability": "stock.push", "subjects": 0, **zeros},
    ]


def test_the_law_holds_through_a_plan_and_its_delivery(channel, vendor):
    channel.plan({"TEA": 5, "MUG": 1, "POT": 9}, guards={"POT": "step"})
    assert violations(channel.store, channel.hub) == []
    channel.deliver()
    law = conservation(channel.store, "shop", "stock.push")
    assert (law.subjects, law.states["in_sync"], law.states["held"], law.violations) == (3, 2, 1, ())


@pytest.mark.parametrize(
    ("damage", "breach"),
    [
        ("update ledger.item set state = 'lost in space' where subject = 'TEA'", "state that does not exist"),
        ("update ledger.item set reason = '' where subject = 'POT'", "nor with a reason"),
        ("update ledger.item set desired = '6' where subject = 'TEA'", "was not confirmed"),
        (
            "update ledger.item set state = 'in_sync', acknowledged = desired where subject = 'POT'",
            "waits in the outbox",
        ),
        ("update ledger.item set state = 'unknown', reason = '?' where subject = 'TEA'", "unknown in the ledger"),
        ("update ledger.item set state = 'pending', reason = '?' where subject = 'TEA'", "nothing to be decided"),
        ("delete from ledger.item where subject = 'POT'", "not in the ledger"),
    ],
)
def test_whatever_is_not_accounted_for_breaks_the_law(channel, damage, breach):
    channel.plan({"TEA": 5, "POT": 9}, guards={"POT": "step"})
    channel.deliver()
    assert violations(channel.store, channel.hub) == []
    with channel.store.begin() as db:
        db.execute(text(damage))
    found = violations(channel.store, channel.hub)
    assert any(breach in one for one in found), found
