"""What holds whatever happens: in full or by bits the ledger is the same, no unit is promised twice, no row is lost."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from connectors.sdk.errors import ConfigError
from dagster_project.steps.decide import decide_all
from dagster_project.store.ledger import STATES
from dagster_project.store.tables import TABLES

AUTO = "push: {stock: auto, price: auto, order: auto, first: auto}"
CHANNELS = f"""
market: {{connector: market, {AUTO}, stock: {{safety: 1}}, price: {{markup: 0.05, floor: minimum}}}}
site: {{connector: site, {AUTO}, offers: {{has: [price]}}, stock: {{allocation: quota, share: 0.5}}}}
points: {{connector: points, {AUTO}, locations: {{P: Almaty-1, Q: Astana-1}}}}
"""
SKUS, PLACES, ORDERS = ["SKU-1", "SKU-2"], ["Almaty-1", "Astana-1"], ["A", "B", "C"]

skus, places, units = st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(0, 6)
orders = st.tuples(
    st.just("order"),
    st.sampled_from(ORDERS),
    st.sampled_from(["placed", "placed", "confirmed", "assembling", "shipped", "completed", "cancelled"]),
    st.lists(st.tuples(skus, st.integers(1, 3)), min_size=1, max_size=2),
)
happenings = st.one_of(
    st.tuples(st.just("count"), skus, places, units),
    st.tuples(st.just("price"), skus, st.sampled_from([None, 0, 900, 1000, 20_000])),
    st.tuples(st.just("floor"), skus, st.sampled_from([None, 950])),
    st.tuples(st.just("product"), skus, st.sampled_from(["active", "archived"])),
    st.tuples(st.just("listing"), skus),
    st.tuples(st.just("copy"), st.sampled_from(ORDERS), st.sampled_from(["placed", "assembling", "shipped"])),
    st.tuples(st.just("delivery")),
    st.tuples(st.just("hours"), st.integers(1, 3)),
    orders,
    orders,
)


def happens(shop: Any, what: str, *said: Any) -> None:
    match what, said:
        case "count", (sku, place, quantity):
            shop.counts(sku, quantity, place)
        case "price", (sku, amount):
            shop.prices(sku, amount)
        case "floor", (sku, amount):
            shop.prices(sku, amount, "minimum")
        case "product", (sku, status):
            shop.product(sku, status=status)
        case "listing", (sku,):
            listed = shop.all("select deleted_at from canonical.listing where sku = :s", s=sku)
            flip = (
                "update canonical.listing set deleted_at = case when deleted_at is null then now() end where sku = :s"
            )
            shop.say(flip, s=sku)
            if not listed:
                shop.lists("site", sku, stock=3)
            shop.dirty("listing", sku)
        case "order", (number, status, lines):
            shop.order(number, *lines, status=status)
        case "copy", (number, status):
            lines = shop.all("select sku, quantity from canonical.order_line where external_id = :n", n=number)
            copy = {"at": "erp", "copy_of": f"market:{number}", "place": "Almaty-1"}
            shop.order(f"copy of {number}", *lines, status=status, **copy)
            shop.dirty("order", f"market:{number}")
        case "delivery", ():
            shop.delivers()
        case "hours", (hours,):
            shop.passes(hours=hours)


def empty(shop: Any) -> None:
    shop.say(
        "truncate " + ", ".join(f'{table.schema}."{table.name}"' for table in TABLES.values()) + " restart identity"
    )


def decides_by_bits(shop: Any) -> None:
    shop.decides()


def decides_everything(shop: Any) -> None:
    shop.say("delete from hub.dirty")
    shop.folds()
    decide_all(shop.store, shop.hub, now=shop.now)


def ledger(shop: Any) -> list[tuple[Any, ...]]:
    """Why a change waits may be told in other words: who was dirty is known only to a decision by bits."""
    rows = shop.all(
        "select connection, capability, subject, external_id, state, "
        "case when state = 'pending' then null else reason end, desired::text, acknowledged::text, version "
        "from ledger.item order by connection, capability, subject"
    )
    return [tuple(row) for row in rows]


def positions(shop: Any) -> list[tuple[Any, ...]]:
    stock = shop.all("select sku, location, on_hand, reserved, as_of from position.stock order by 1, 2")
    promised = shop.all(
        "select connection, external_id, line, sku, location, quantity, state from canonical.reservation "
        "order by connection, external_id, line"
    )
    return [tuple(row) for row in (*stock, *promised)]


def lives(shop: Any, story: list[tuple[Any, ...]], decides: Callable[[Any], None]) -> None:
    empty(shop)
    start = shop.now
    for sku in SKUS:
        shop.product(sku)
        shop.prices(sku, 1000)
    shop.lists("site", SKUS[0], stock=3)
    for happening in story:
        happens(shop, *happening)
        decides(shop)
    shop.now = start


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(happenings, min_size=4, max_size=8))
def test_bit_by_bit_gives_the_ledger_that_everything_at_once_gives(shop: Any, story: list[tuple[Any, ...]]) -> None:
    shop.opens(CHANNELS, hub="authority: {order: erp}, guards: {fresh: 4h}", erp=f"{{connector: warehouse, {AUTO}}}")
    lives(shop, story, decides_everything)
    at_once = ledger(shop), positions(shop)
    lives(shop, story, decides_by_bits)
    assert (ledger(shop), positions(shop)) == at_once
    conserved(shop)


def conserved(shop: Any) -> None:
    """Every subject is in exactly one of six states, and has a reason unless it is in sync."""
    assert not shop.all("select from ledger.item where not state = any(:s)", s=list(STATES))
    assert not shop.all("select from ledger.item where state <> 'in_sync' and coalesce(reason, '') = ''")
    counted = shop.all("select connection, capability, count(*) from ledger.item where capability <> 'order.status' "
                       "and capability <> 'order.push' group by 1, 2")  # fmt: skip
    assert {row.count for row in counted} <= {len(SKUS)}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=st.lists(orders, min_size=4, max_size=10),
    there=st.fixed_dictionaries({(sku, place): units for sku in SKUS for place in PLACES}),
)
def test_no_unit_is_ever_promised_twice(shop: Any, story: list[tuple[Any, ...]], there: dict[Any, int]) -> None:
    shop.opens("market: {connector: market}")
    empty(shop)
    for (sku, place), on_hand in there.items():
        shop.has(sku, on_hand, place)
    shop.folds()
    for _, number, status, lines in story:
        shop.passes(minutes=1)
        shop.order(number, *lines, status=status)
        shop.folds(skus=[], orders=[f"market:{number}"])
        for row in shop.all(
            "select s.on_hand, s.reserved, coalesce(sum(r.quantity), 0) as promised "
            "from position.stock s left join canonical.reservation r "
            "on r.sku = s.sku and r.location = s.location and r.state = 'active' group by s.sku, s.location"
        ):
            assert row.reserved == row.promised <= row.on_hand
        assert not shop.all(
            "select from canonical.reservation r join position.stock s using (sku) "
            "where r.state = 'short' and s.on_hand - s.reserved >= r.quantity"
        ), "a line waits for units that are free"


# ── two processes ─────────────────────────────────────────────────────────────────────────────────────────────────────

RIVAL = """
import sys
from datetime import UTC, datetime
from dagster_project.steps.reserve import promise
from dagster_project.store.database import engine
from mappings.stock.reservation import Line
now = datetime.now(UTC)
with engine().begin() as db:
    print(promise(db, Line("market", sys.argv[1], "1", "placed", now, now, "SKU-1"), now))
"""


def test_two_processes_that_reach_for_the_last_unit_cannot_both_have_it(
    shop: Any, somebody_waits: Callable[..., None]
) -> None:
    shop.opens("market: {connector: market}")
    shop.has("SKU-1", 0)
    for number in ("A", "B"):
        shop.order(number, ("SKU-1", 1))
    shop.folds()
    shop.say("update position.stock set on_hand = 1")
    with shop.store.begin() as db:
        db.execute(text("select from position.stock for update"))
        rivals = [
            subprocess.Popen(
                [sys.executable, "-c", RIVAL, number], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
            )
            for number in ("A", "B")
        ]
        somebody_waits(2)
    got = sorted(rival.communicate(timeout=60)[0].strip() for rival in rivals)
    assert got == ["Almaty-1", "None"]
    assert shop.position("SKU-1") == (1, 1)
    assert sorted(shop.promises().values()) == ["active", "short"]


# ── the cost follows the change ───────────────────────────────────────────────────────────────────────────────────────


def test_where_nothing_changed_only_the_dirty_table_is_read(shop: Any) -> None:
    shop.opens(CHANNELS)
    shop.has("SKU-1", 5)
    shop.syncs()
    others = ", ".join(f'{table.schema}."{table.name}"' for name, table in TABLES.items() if name != "hub.dirty")
    statements: list[str] = []
    with shop.store.begin() as locking:
        locking.execute(text(f"lock table {others} in access exclusive mode"))
        event.listen(shop.store, "before_cursor_execute", lambda *said: statements.append(said[2]))
        assert shop.decides() == {}, "it would wait for ever at any table but hub.dirty"
    assert len(statements) == 1
    assert "advisory" in statements[0]


def test_a_channel_that_cannot_be_decided_stops_no_other_and_nothing_is_forgotten(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_project.steps import case

    shop.opens(CHANNELS)
    decided = case.VARIANTS["stock.push"]

    def broken(hub: Any, connection: Any, *rest: Any) -> Any:
        if connection.name == "market":
            raise ConfigError("market needs the secret `token`")
        return decided(hub, connection, *rest)

    shop.has("SKU-1", 5)
    monkeypatch.setitem(case.VARIANTS, "stock.push", broken)
    plans = shop.syncs()
    assert plans["market", "stock.push"].error == "market needs the secret `token`"
    assert shop.shows("points") == {"SKU-1": {"P": 5}}
    monkeypatch.undo()
    shop.syncs()
    assert shop.shows("market") == {"SKU-1": 4}
