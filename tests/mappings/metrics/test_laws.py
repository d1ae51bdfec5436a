"""What holds for any facts: tables add up, order of rows is nothing, money is shared out and never made."""

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mappings.metrics.attribution import MODELS, attribution
from mappings.metrics.contacts import conversion, cross_conversion, decayed, engagement, interest, letters
from mappings.metrics.journeys import journey, steps
from mappings.metrics.purchases import average_check, frequency, retention
from mappings.metrics.surveys import csat, nps
from tests.mappings.metrics.facts import moment, some_contacts, some_members, some_orders

Table = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], pd.DataFrame]
TABLES: dict[str, Table] = {
    "nps": lambda contacts, orders, members: nps(contacts, members),
    "csat": lambda contacts, orders, members: csat(contacts, members),
    "average_check": lambda contacts, orders, members: average_check(orders, members),
    "frequency": lambda contacts, orders, members: frequency(orders, members),
    "retention": lambda contacts, orders, members: retention(orders, members),
    "conversion": conversion,
    "cross_conversion": cross_conversion,
    "letters": lambda contacts, orders, members: letters(contacts, members),
    "interest": lambda contacts, orders, members: interest(contacts, members),
    "journey": lambda contacts, orders, members: journey(contacts, orders),
    "attribution": attribution,
}
shuffles = some.integers(0, 10_000)
few = settings(max_examples=20)  # frames are slow to make: each example costs 30 ms


@pytest.mark.parametrize("name", TABLES)
@few
@given(some_contacts, some_orders, some_members, shuffles)
def test_the_order_of_rows_changes_nothing(name, contacts, orders, members, seed) -> None:
    mixed = [frame.sample(frac=1, random_state=seed) for frame in (contacts, orders, members)]
    table, again = TABLES[name](contacts, orders, members), TABLES[name](*mixed)
    pd.testing.assert_frame_equal(table, again, check_dtype=False)


@few
@given(some_contacts, some_orders, some_members)
def test_shares_of_every_model_are_the_money_of_the_orders(contacts, orders, members) -> None:
    table = attribution(contacts, orders, members)
    for model in MODELS if len(orders) else ():
        mine = table[(table["model"] == model) & (table["segment"] == "all")]
        assert mine["value"].sum() == pytest.approx(orders["total"].sum())
        assert mine["n"].sum() == pytest.approx(len(orders))
        assert (mine["value"] >= 0).all()


@few
@given(some_contacts, some_orders, some_members, some.integers(0, 120))
def test_orders_before_the_day_asked_for_are_shared_out_elsewhere(contacts, orders, members, days) -> None:
    since = moment(days).date()
    whole = attribution(contacts, orders, members)
    asked = attribution(contacts, orders, members, since)
    expected = whole[whole["day"] >= since] if len(whole) else whole
    pd.testing.assert_frame_equal(asked, expected.reset_index(drop=True), check_dtype=False)


@few
@given(some_orders, some_members)
def test_checks_add_up_over_days_and_channels(orders, members) -> None:
    table = average_check(orders, members)
    everybody = table[table["segment"] == "all"]
    assert everybody["total"].sum() == pytest.approx(orders["total"].sum())
    assert everybody["n"].sum() == len(orders)
    vip = orders[orders["person_id"].isin(members.loc[members["segment"] == "vip", "person_id"])]
    assert table.loc[table["segment"] == "vip", "n"].sum() == len(vip)


@few
@given(some_contacts, some_orders, some_members)
def test_orders_that_follow_a_contact_are_placed_within_its_channel_or_in_another(contacts, orders, members) -> None:
    keys = ["day", "channel", "segment"]
    whole = conversion(contacts, orders, members).groupby(keys)[["ordered", "within", "n"]].sum()
    crossed = cross_conversion(contacts, orders, members).set_index(keys)
    assert (whole["ordered"] == whole["within"] + crossed["converted"]).all()
    assert (whole["n"] == crossed["n"]).all()
    assert all(sum(row["to_channels"].values()) == row["converted"] for _, row in crossed.iterrows())


@few
@given(some_contacts, some_orders)
def test_a_touch_belongs_to_one_journey(contacts, orders) -> None:
    taken = steps(contacts, orders)
    assert journey(contacts, orders)["n"].sum() == taken["order"].notna().sum()
    assert (taken.dropna(subset=["order"])["at"] <= taken.dropna(subset=["order"])["order_at"]).all()


@few
@given(some_contacts, some.integers(0, 30))
def test_engagement_kept_in_place_is_that_of_all_contacts_at_once(contacts, cut) -> None:
    nothing = pd.DataFrame(columns=["person_id", "channel", "value", "at"])
    at_once = engagement(nothing, contacts).set_index(["person_id", "channel"])
    state = engagement(nothing, contacts[:cut]).set_index(["person_id", "channel"])
    fresh = engagement(state.reset_index(), contacts[cut:]).set_index(["person_id", "channel"])
    kept = pd.concat([fresh, state[~state.index.isin(fresh.index)]]).sort_index()
    assert kept["value"].to_list() == pytest.approx(at_once["value"].to_list())


@few
@given(some_contacts)
def test_decay_of_daily_sums_is_the_sum_of_decays(contacts) -> None:
    points = interest(contacts, pd.DataFrame(columns=["person_id", "segment"]))
    if not len(points):
        return
    running = decayed(points, ["channel", "segment"])
    for (_, group), last in zip(
        points.groupby("channel"), points.assign(v=running).groupby("channel")["v"], strict=True
    ):
        days = pd.to_datetime(group["day"])
        weights = 0.5 ** ((days.max() - days).dt.days / 30)
        assert last[1].iloc[-1] == pytest.approx((group["points"] * weights).sum())
