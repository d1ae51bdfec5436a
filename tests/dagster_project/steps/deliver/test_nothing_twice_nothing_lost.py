"""What had no answer, was overtaken or interrupted is read back: nothing is sent twice, and nothing is lost."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from connectors.sdk import Accepted, Change, ContractError, Deferred, Outcome, TransientError, UnansweredError, Unknown
from dagster_project.store import outbox
from tests.dagster_project.steps.deliver.conftest import QUEUE, fails


def test_a_write_without_an_answer_that_arrived_is_never_sent_again(channel, vendor):
    def arrives_unheard(changes: Sequence[Change]) -> Iterator[Outcome]:
        list(vendor.takes(changes))
        raise UnansweredError("no whole answer (ReadTimeout)")
        yield

    vendor.answers = [arrives_unheard]
    channel.plan({"TEA": 5})
    done = channel.deliver()
    assert (done.accepted, done.unknown) == (1, 0)
    assert len(vendor.requests) == 1
    item = channel.item("TEA")
    assert (item.state, item.acknowledged, item.observed) == ("in_sync", 5, 5)
    assert channel.journal("TEA") == ["planned", "unknown", "accepted"]


def test_a_write_without_an_answer_that_did_not_arrive_is_sent_again_under_the_same_key(channel, vendor):
    vendor.answers = [fails(UnansweredError("no whole answer (ReadTimeout)"))]
    channel.plan({"TEA": 5})
    assert channel.deliver().accepted == 0
    assert channel.deliver().accepted == 1
    assert [request[0].key for request in vendor.requests] == ["shop:stock.push:x-TEA:1"] * 2


def test_nothing_is_sent_for_a_subject_before_it_could_be_read_back(channel, vendor, clock):
    vendor.answers = [fails(UnansweredError("500 after a write"))]
    vendor.blind = TransientError("the vendor fails (503)")
    channel.plan({"TEA": 5})
    channel.deliver()
    clock.passes(minutes=10)
    channel.deliver()
    assert (channel.item("TEA").state, len(vendor.requests)) == ("unknown", 1)
    vendor.blind = None
    clock.passes(minutes=30)
    channel.deliver()
    assert channel.item("TEA").state == "in_sync"


def test_an_order_that_nobody_can_read_back_waits_for_a_person(a_channel, vendor, clock):
    channel = a_channel("order.status", read_back=None, batch=1)
    vendor.answers = [fails(UnansweredError("no whole answer"))]
    channel.plan({"market:1": {"status": "confirmed"}})
    for _ in range(3):
        channel.deliver()
        clock.passes(hours=30)
    item = channel.item("market:1")
    assert (item.state, len(vendor.requests)) == ("unknown", 1)
    assert "look there" in item.reason


def test_a_count_that_nobody_can_read_back_is_sent_again(a_channel, vendor):
    channel = a_channel(read_back=None)
    vendor.answers = [fails(UnansweredError("no whole answer"))]
    channel.plan({"TEA": 5})
    channel.deliver()
    channel.deliver()
    assert (channel.item("TEA").state, len(vendor.requests)) == ("in_sync", 2)


def test_read_back_knows_that_1990_tenge_are_1990_00(a_channel, vendor):
    channel = a_channel("price.push")
    vendor.answers = [fails(UnansweredError("no whole answer"))]
    vendor.shows = {"TEA": 1990.00}
    channel.plan({"TEA": 1990})
    assert channel.deliver().accepted == 1


def test_a_connector_that_forgets_a_row_has_not_delivered_it(channel, vendor):
    vendor.answers = [lambda changes: [Accepted(changes[0])]]
    vendor.blind = TransientError("not now")
    channel.plan({"MUG": 1, "TEA": 5})
    done = channel.deliver()
    assert (done.accepted, done.unknown) == (1, 1)


def test_a_newer_value_planned_while_the_old_one_is_under_way_is_planned_anew_not_lost(channel, vendor):
    def meanwhile(changes: Sequence[Change]) -> Iterator[Outcome]:
        channel.plan({"TEA": 3})
        yield from vendor.takes(changes)

    vendor.answers = [meanwhile]
    channel.plan({"TEA": 5})
    channel.deliver()
    item = channel.item("TEA")
    assert (item.state, item.acknowledged, item.desired) == ("pending", 5, 3)
    assert channel.one("select entity, subject from hub.dirty") == ("stock", "TEA")


def test_a_row_that_comes_back_is_dropped_where_its_item_wants_something_else_by_now(channel, vendor):
    def meanwhile(changes: Sequence[Change]) -> Iterator[Outcome]:
        channel.overtake("TEA", 3)
        yield from (Deferred(change, retry_after=60) for change in changes)

    vendor.answers = [meanwhile]
    channel.plan({"TEA": 5, "MUG": 1})
    channel.deliver()
    channel.clock.passes(seconds=61)
    done = channel.deliver()
    assert (done.superseded, done.accepted, done.waiting) == (1, 1, 0)
    assert [change.subject for change in vendor.requests[1]] == ["MUG"]
    assert channel.journal("TEA") == ["planned", "deferred", "superseded"]
    assert channel.one("select subject from hub.dirty").subject == "TEA"


def test_what_a_broken_connector_gave_no_outcome_for_is_read_back(channel, vendor):
    def breaks(changes: Sequence[Change]) -> Iterator[Outcome]:
        yield from vendor.takes(changes[:1])
        raise KeyError("aigul@example.kz")

    vendor.answers = [breaks]
    channel.plan({"MUG": 1, "TEA": 5})
    channel.deliver()
    assert channel.item("TEA").reason == "read back: the channel shows nothing; sent again"
    said = channel.one("select message from ledger.change where outcome = 'unknown'").message
    assert "KeyError" in said
    assert "aigul" not in said
    channel.deliver()
    assert channel.states() == {"in_sync": 2}


def test_an_answer_in_an_unknown_shape_is_not_taken_for_a_no(channel, vendor):
    vendor.answers = [fails(ContractError("no processed_ids"))]
    vendor.shows = {"TEA": 5}
    channel.plan({"TEA": 5})
    assert channel.deliver().accepted == 1


def test_what_was_claimed_and_did_not_leave_is_given_back_when_the_run_is_stopped(channel, vendor):
    vendor.answers = [vendor.takes, fails(KeyboardInterrupt())]
    channel.plan({f"SKU-{number}": 1 for number in range(30)})
    with pytest.raises(KeyboardInterrupt):
        channel.deliver()
    assert sorted(channel.outbox().values()) == ["ready"] * 10 + ["unknown"] * 10
    assert channel.states() == {"in_sync": 10, "pending": 10, "unknown": 10}


def test_a_worker_that_slept_past_its_claim_sends_only_what_is_still_its_own(channel, vendor, clock):
    def sleeps(changes: Sequence[Change]) -> Iterator[Outcome]:
        yield from vendor.takes(changes)
        clock.passes(minutes=6)
        assert outbox.expire(channel.store, QUEUE, now=clock()) == 20

    vendor.answers = [sleeps]
    channel.plan({f"SKU-{number:02}": 1 for number in range(20)})
    done = channel.deliver()
    assert [len(request) for request in vendor.requests] == [10]
    assert done.accepted == 0
    assert channel.states() == {"unknown": 20}


def test_rows_of_a_dead_sender_are_read_back_and_only_the_missing_ones_sent(channel, vendor, clock):
    channel.plan({"TEA": 5, "MUG": 1})
    until = clock() + timedelta(minutes=5)
    outbox.claim(channel.store, QUEUE, "dead", limit=10, now=clock(), until=until)
    vendor.shows = {"TEA": 5}
    channel.deliver()
    assert vendor.requests == []
    clock.passes(minutes=6)
    channel.deliver()
    assert vendor.received == ["MUG"]
    assert channel.states() == {"in_sync": 2}


def test_unanswered_rows_of_an_interrupted_read_back_do_not_fill_the_journal(channel, vendor, clock):
    vendor.answers = [fails(UnansweredError("no answer"))]
    vendor.blind = TransientError("down")
    channel.plan({"TEA": 5})
    for _ in range(5):
        channel.deliver()
        clock.passes(hours=1)
    assert channel.journal("TEA") == ["planned", "unknown"]


def test_an_unknown_among_accepted_is_settled_alone(channel, vendor):
    vendor.answers = [
        lambda changes: (Unknown(one, "named nowhere") if one.subject == "TEA" else Accepted(one) for one in changes)
    ]
    vendor.shows = {"TEA": 5}
    channel.plan({"TEA": 5, "MUG": 1})
    assert channel.deliver().accepted == 2
    assert [one.subject for one in vendor.reads[0]] == ["TEA"]
