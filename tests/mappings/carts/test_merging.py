"""One person, several devices and a shop with a till: what he still means to buy, and what he has left behind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mappings.carts.merging import abandoned, wanted

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")
CART = pa.schema({
    "connection": pa.string(), "external_id": pa.string(), "person_id": pa.string(), "channel": pa.string(),
    "updated_at": MOMENT, "state": pa.string(), "deleted_at": MOMENT,
})  # fmt: skip
LINE = pa.schema({
    "connection": pa.string(), "external_id": pa.string(), "sku": pa.string(), "quantity": pa.decimal128(18, 3),
})  # fmt: skip
ORDER = pa.schema({
    "connection": pa.string(), "external_id": pa.string(), "person_id": pa.string(), "kind": pa.string(),
    "status": pa.string(), "placed_at": MOMENT, "deleted_at": MOMENT,
})  # fmt: skip


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Town:
    """Carts and orders as the store has them."""

    def __init__(self) -> None:
        self.carts: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []
        self.bought: list[dict[str, Any]] = []

    def fills(self, channel: str, minutes: int, person: str | None = "p1", state: str = "open", **goods: int) -> None:
        key = {"connection": channel, "external_id": f"c{len(self.carts)}"}
        self.carts.append({**key, "person_id": person, "channel": channel, "updated_at": at(minutes), "state": state})
        self.lines += [{**key, "sku": sku, "quantity": Decimal(count)} for sku, count in goods.items()]

    def buys(self, sku: str, minutes: int, person: str = "p1", kind: str = "sale", status: str = "completed") -> None:
        key = {"connection": "tills", "external_id": f"o{len(self.orders)}"}
        self.orders.append({**key, "person_id": person, "kind": kind, "status": status, "placed_at": at(minutes)})
        self.bought.append({**key, "sku": sku, "quantity": Decimal(1)})

    @property
    def tables(self) -> dict[str, pa.Table]:
        told = {
            "cart": (self.carts, CART), "cart_line": (self.lines, LINE), "order": (self.orders, ORDER),
            "order_line": (self.bought, LINE),
        }  # fmt: skip
        return {name: pa.Table.from_pylist(rows, schema=schema) for name, (rows, schema) in told.items()}

    def wants(self, person: str = "p1") -> dict[str, int]:
        return {
            row["sku"]: int(row["quantity"]) for row in wanted(**self.tables).to_pylist() if row["person_id"] == person
        }

    def left(self, minutes: int, idle: int = 60) -> list[str]:
        found = abandoned(**self.tables, idle=timedelta(minutes=idle), now=at(minutes))
        return list(found["sku"].to_pylist())


def test_the_same_goods_on_two_devices_are_meant_once():
    town = Town()
    town.fills("app", 0, tea=1, cup=2)
    town.fills("site", 10, tea=3)
    assert town.wants() == {"tea": 3, "cup": 2}


def test_what_was_ordered_or_emptied_last_is_wanted_no_more():
    town = Town()
    town.fills("app", 0, tea=1, cup=2, pot=1)
    town.fills("site", 10, state="ordered", tea=1)
    town.fills("site", 20, state="dropped", cup=2)
    assert town.wants() == {"pot": 1}


def test_goods_bought_at_the_till_since_are_not_reminded_of():
    town = Town()
    town.fills("site", 0, tea=1, cup=1)
    town.buys("tea", 30)
    assert town.wants() == {"cup": 1}


def test_an_earlier_purchase_a_return_a_cancelled_order_and_another_persons_purchase_change_nothing():
    town = Town()
    town.fills("site", 0, tea=1)
    town.buys("tea", -30)
    town.buys("tea", 30, kind="return")
    town.buys("tea", 30, status="cancelled")
    town.buys("tea", 30, person="p2")
    assert town.wants() == {"tea": 1}


def test_a_cart_of_nobody_known_reminds_nobody():
    town = Town()
    town.fills("site", 0, person=None, tea=1)
    assert wanted(**town.tables).num_rows == 0


def test_a_cart_is_left_behind_when_its_person_has_done_nothing_for_so_long():
    town = Town()
    town.fills("site", 0, tea=1)
    assert (town.left(59), town.left(60)) == ([], ["tea"])
    town.fills("app", 30, cup=1)
    assert (town.left(60), town.left(90)) == ([], ["cup", "tea"])


EVENTS = st.lists(
    st.tuples(st.sampled_from(["site", "app", "kiosk"]), st.integers(0, 500), st.sampled_from(["tea", "cup"]),
              st.integers(1, 9), st.sampled_from(["open", "ordered", "dropped"])),
    max_size=12, unique_by=lambda event: event[1],
)  # fmt: skip


@given(EVENTS, st.randoms())
def test_the_order_in_which_carts_are_learnt_does_not_matter_and_the_latest_alone_speaks(events, random):
    one, other = Town(), Town()
    for town, told in ((one, events), (other, random.sample(events, len(events)))):
        for channel, minutes, sku, count, state in told:
            town.fills(channel, minutes, state=state, **{sku: count})
    latest = {event[2]: event for event in sorted(events, key=lambda event: event[1])}
    assert one.wants() == other.wants()
    assert one.wants() == {sku: count for sku, (_, _, _, count, state) in latest.items() if state == "open"}


@given(EVENTS, st.integers(0, 600), st.integers(1, 300))
def test_what_is_left_behind_is_wanted_and_waiting_longer_only_adds_to_it(events, minutes, idle):
    town = Town()
    for channel, when, sku, count, state in events:
        town.fills(channel, when, state=state, **{sku: count})
    assert set(town.left(minutes, idle)) <= set(town.wants())
    assert set(town.left(minutes, idle)) <= set(town.left(minutes + 60, idle))


BOUGHT = st.lists(st.tuples(st.sampled_from(["tea", "cup"]), st.integers(0, 500)), max_size=4)


@given(EVENTS, BOUGHT)
def test_nobody_is_reminded_of_what_he_has_bought_anywhere_since_he_last_touched_it(events, bought):
    town = Town()
    for channel, minutes, sku, count, state in events:
        town.fills(channel, minutes, state=state, **{sku: count})
    before = town.wants()
    touched = {sku: max(event[1] for event in events if event[2] == sku) for sku in before}
    for sku, minutes in bought:
        town.buys(sku, minutes)
    since = {sku for sku, minutes in bought if sku in touched and minutes >= touched[sku]}
    assert town.wants() == {sku: count for sku, count in before.items() if sku not in since}
    assert set(town.left(10_000)) == before.keys() - since
