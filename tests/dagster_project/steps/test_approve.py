"""A person's word on held plans: released as frozen, refused, or taken back."""

import pytest
from sqlalchemy import text

from connectors.sdk import ConfigError, UnansweredError
from dagster_project.steps.approve import approve, reject


@pytest.fixture
def says(channel, clock):
    """`says(approve, plan, …)`: Aigul decides."""

    def decide(what, plan, rows=None, **options):
        return what(channel.store, plan, rows, who="Aigul", now=clock(), **options)

    return decide


def test_an_approved_plan_is_sent_as_it_was_frozen(channel, vendor, says):
    plan = channel.plan({"TEA": 5, "MUG": 1}, held="first sync").plan
    channel.deliver()
    assert vendor.requests == []
    assert says(approve, plan, why="checked").rows == 2
    channel.deliver()
    assert vendor.shows == {"TEA": 5, "MUG": 1}
    stored = channel.one("select * from ledger.plan")
    assert (stored.state, stored.held, stored.decided_by, stored.why) == ("released", 0, "Aigul", "checked")
    assert channel.journal("TEA") == ["held", "approved", "accepted"]


def test_some_rows_of_a_plan_may_go_while_the_others_wait(channel, vendor, says):
    plan = channel.plan({"TEA": 5, "MUG": 1}, held="first sync").plan
    says(approve, plan, ["TEA"])
    channel.deliver()
    assert vendor.received == ["TEA"]
    stored = channel.one("select state, held from ledger.plan")
    assert (stored.state, stored.held) == ("held", 1)
    says(approve, plan, ["MUG"])
    assert channel.one("select state, held from ledger.plan").state == "released"


def test_a_row_whose_desired_value_moved_since_is_dropped_and_planned_anew(channel, vendor, says):
    plan = channel.plan({"TEA": 5, "MUG": 1}, held="first sync").plan
    with channel.store.begin() as db:
        db.execute(text("update ledger.item set desired = '4', version = version + 1 where subject = 'TEA'"))
    decided = says(approve, plan)
    assert (decided.rows, decided.moved) == (1, 1)
    channel.deliver()
    assert vendor.received == ["MUG"]
    assert channel.journal("TEA") == ["held", "dropped"]
    assert channel.one("select entity, subject from hub.dirty") == ("stock", "TEA")


def test_approving_a_first_sync_does_not_wave_through_a_price_times_a_hundred(channel, vendor, says):
    values = {f"SKU-{number}": 1 for number in range(10)} | {"TYPO": 500}
    plan = channel.plan(values, guards={"TYPO": "step"}, held="first sync").plan
    decided = says(approve, plan)
    assert (decided.rows, decided.still_held) == (10, 1)
    assert str(decided) == "10 (1 still held by guards of their own)"
    channel.deliver()
    assert "TYPO" not in vendor.received
    assert says(approve, plan).rows == 1
    channel.deliver()
    assert vendor.shows["TYPO"] == 500


def test_thirty_seven_typed_prices_wait_while_the_other_rows_go(channel, vendor, says):
    typos = {f"SKU-{number}": "step" for number in range(37)}
    plan = channel.plan({f"SKU-{number}": 1000 for number in range(1200)}, guards=typos).plan
    assert channel.deliver().accepted == 1163
    assert channel.states() == {"in_sync": 1163, "held": 37}
    assert says(reject, plan, why="a hundred times too dear").rows == 37
    assert channel.states() == {"in_sync": 1163, "rejected": 37}
    assert channel.deliver().outcomes == 0


def test_a_refused_row_says_who_and_why_and_is_not_sent(channel, vendor, says):
    plan = channel.plan({"TEA": 5}, held="approval required").plan
    says(reject, plan, why="typing error")
    item = channel.item("TEA")
    assert (item.state, item.reason) == ("rejected", "declined by Aigul: typing error")
    assert channel.deliver().outcomes == 0
    assert channel.one("select state from ledger.plan").state == "rejected"
    channel.plan({"TEA": 6})
    assert channel.deliver().accepted == 1


def test_a_held_plan_that_a_newer_one_replaced_is_superseded(channel, says):
    old = channel.plan({"TEA": 5}, held="first sync").plan
    new = channel.plan({"TEA": 6}, held="first sync").plan
    with pytest.raises(ConfigError, match="superseded"):
        says(approve, old)
    assert says(approve, new).rows == 1


def test_an_unanswered_order_is_released_by_name_once_a_person_has_looked(a_channel, vendor, clock):
    channel = a_channel("order.status", read_back=None, batch=1)

    def unheard(changes):
        raise UnansweredError("no whole answer")
        yield

    vendor.answers = [unheard]
    plan = channel.plan({"market:1": {"status": "confirmed"}}).plan
    channel.deliver()
    assert channel.item("market:1").state == "unknown"
    approve(channel.store, plan, ["market:1"], who="Aigul", why="it is not there", now=clock())
    assert channel.deliver().accepted == 1


@pytest.mark.parametrize("decide", [approve, reject])
def test_a_wrong_plan_or_row_is_named_and_nothing_is_decided(channel, says, decide):
    plan = channel.plan({"TEA": 5}, held="first sync").plan
    with pytest.raises(ConfigError, match="there is no plan 4711"):
        says(decide, 4711)
    with pytest.raises(ConfigError, match="no row that waits for MUG"):
        says(decide, plan, ["TEA", "MUG"])
    assert channel.outbox() == {"TEA": "held"}


def test_a_plan_with_nothing_held_needs_no_decision(channel, says):
    plan = channel.plan({"TEA": 5}).plan
    with pytest.raises(ConfigError, match="released"):
        says(approve, plan)
