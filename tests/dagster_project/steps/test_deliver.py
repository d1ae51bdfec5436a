"""Delivery: one outcome per change, nothing twice, nothing lost, and a channel in trouble left in peace."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    ContractError,
    Deferred,
    Outcome,
    Rejected,
    TransientError,
    UnansweredError,
    Unknown,
)
from connectors.sdk.runtime import Runtime, using
from dagster_project.store import outbox
from dagster_project.store.ledger import Queue

QUEUE = Queue("shop", "stock.push")


def fails(error: Exception) -> Callable[[Sequence[Change]], Iterator[Outcome]]:
    def answer(changes: Sequence[Change]) -> Iterator[Outcome]:
        raise error
        yield

    return answer


def test_an_accepted_change_is_in_sync_and_gone_from_the_outbox(channel, vendor):
    channel.plan({"TEA": 5, "MUG": 0})
    done = channel.deliver()
    assert (done.accepted, done.waiting) == (2, 0)
    assert vendor.shows == {"TEA": 5, "MUG": 0}
    item = channel.item("TEA")
    assert (item.state, item.reason, item.desired, item.sent, item.acknowledged) == ("in_sync", None, 5, 5, 5)
    assert channel.outbox() == {}
    assert channel.journal("TEA") == ["planned", "accepted"]


def test_with_nothing_changed_no_request_is_made(channel, vendor):
    channel.plan({"TEA": 5})
    channel.deliver()
    assert channel.deliver().outcomes == 0
    assert len(vendor.requests) == 1
    assert vendor.reads == []


def test_a_dry_run_sends_nothing_and_changes_nothing(channel, vendor):
    channel.plan({"TEA": 5})
    assert channel.deliver(dry_run=True).waiting == 1
    assert vendor.requests == []
    assert channel.item("TEA").sent is None


def test_a_request_carries_at_most_a_batch_and_the_limit_is_kept(channel, vendor):
    channel.plan({f"SKU-{number:02}": number for number in range(35)})
    assert channel.deliver(limit=25).accepted == 25
    assert [len(request) for request in vendor.requests] == [10, 10, 5]
    assert channel.deliver().accepted == 10


def test_the_channel_sees_what_was_frozen_under_its_own_name_with_a_key_of_the_version(channel, vendor):
    channel.plan({"TEA": 5})
    channel.deliver()
    channel.plan({"TEA": 4})
    channel.deliver()
    first, second = vendor.requests[0][0], vendor.requests[1][0]
    assert (second.external_id, second.value, second.was) == ("x-TEA", 4, 5)
    assert (first.key, second.key) == ("shop:stock.push:x-TEA:1", "shop:stock.push:x-TEA:2")


def test_what_may_have_left_is_on_record_before_the_request_leaves(channel, vendor):
    seen: list[Any] = []

    def looks(changes: Sequence[Change]) -> Iterator[Outcome]:
        seen.append(channel.one("select state, becomes from ledger.outbox"))
        yield from vendor.takes(changes)

    vendor.answers = [looks]
    channel.plan({"TEA": 5})
    channel.deliver()
    assert seen == [("sending", 5)]
    assert channel.item("TEA").sent == 5


def test_a_price_reaches_the_connector_as_exact_decimal_text(a_channel, vendor):
    channel = a_channel("price.push")
    channel.plan({"TEA": 1250, "MUG": 1990.10})
    channel.deliver()
    assert vendor.shows == {"TEA": "1250", "MUG": "1990.1"}


def test_a_refusal_keeps_the_vendors_words_without_a_buyers_phone(channel, vendor):
    vendor.answers = [
        lambda changes: (Rejected(one, "no_such", "ask +7 700 000 00 01: no such offer") for one in changes)
    ]
    channel.plan({"TEA": 5})
    assert channel.deliver().rejected == 1
    item = channel.item("TEA")
    assert (item.state, item.acknowledged) == ("rejected", None)
    assert item.reason == "ask ***: no such offer"
    aside = channel.one("select * from ledger.quarantine")
    assert (aside.resource, aside.key, aside.rule, aside.state) == ("stock.push", "TEA", "no_such", "open")


def test_one_refusal_does_not_hold_up_the_other_ninety_nine(a_channel, vendor):
    channel = a_channel(batch=100)
    vendor.answers = [
        lambda changes: (
            Rejected(one, "odd", "not this one") if one.subject == "SKU-13" else Accepted(one) for one in changes
        )
    ]
    channel.plan({f"SKU-{number}": 1 for number in range(100)})
    done = channel.deliver()
    assert (done.accepted, done.rejected) == (99, 1)
    assert channel.states() == {"in_sync": 99, "rejected": 1}


def test_a_mended_row_closes_its_quarantine(channel, vendor):
    vendor.answers = [lambda changes: (Rejected(one, "odd", "no") for one in changes)]
    channel.plan({"TEA": 5})
    channel.deliver()
    channel.plan({"TEA": 6})
    channel.deliver()
    assert channel.one("select state from ledger.quarantine").state == "replayed"


def test_a_deferred_change_waits_as_long_as_the_channel_asked(channel, vendor, clock):
    vendor.answers = [fails(TransientError("too many requests (429)", retry_after=90))]
    channel.plan({"TEA": 5})
    assert channel.deliver().deferred == 1
    assert channel.item("TEA").state == "pending"
    clock.passes(seconds=89)
    channel.deliver()
    assert len(vendor.requests) == 1
    clock.passes(seconds=1)
    assert channel.deliver().accepted == 1


def test_after_a_long_retry_after_the_rest_of_the_queue_is_not_even_tried(channel, vendor):
    vendor.answers = [fails(TransientError("too many requests (429)", retry_after=90))]
    channel.plan({f"SKU-{number}": 1 for number in range(30)})
    channel.deliver()
    assert len(vendor.requests) == 1
    reasons = {row.reason for row in channel.all("select distinct reason from ledger.item")}
    assert reasons == {"the channel asked to wait 90 s"}


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


def test_a_newer_plan_replaces_what_waits(channel, vendor):
    channel.plan({"TEA": 5})
    channel.plan({"TEA": 3})
    channel.deliver()
    assert [change.value for change in vendor.requests[0]] == [3]
    assert channel.journal("TEA") == ["planned", "superseded", "planned", "accepted"]


def test_held_rows_stay(channel, vendor):
    channel.plan({"TEA": 500, "MUG": 1}, guards={"TEA": "step"})
    channel.deliver()
    assert vendor.received == ["MUG"]
    assert (channel.item("TEA").state, channel.item("TEA").reason) == ("held", "step")


def test_a_wrong_setting_defers_everything_with_its_sentence_and_marks_the_connection(channel, vendor, clock):
    sentence = "shop: credentials not accepted (401); put valid ones in the connection's secrets"
    vendor.answers = [fails(ConfigError(sentence))]
    channel.plan({f"SKU-{number}": 1 for number in range(30)})
    with pytest.raises(ConfigError, match="401"):
        channel.deliver()
    assert len(vendor.requests) == 1
    assert channel.states() == {"pending": 30}
    assert {row.reason for row in channel.all("select distinct reason from ledger.item")} == {sentence}
    mark = "select error from hub.cursor where resource = 'deliver:stock.push'"
    assert channel.one(mark).error == sentence
    clock.passes(minutes=1)
    assert channel.deliver().accepted == 30
    assert channel.one(mark).error is None


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


def test_no_batch_begins_in_the_last_seconds_of_a_tick(channel, vendor):
    channel.plan({"TEA": 5})
    with using(Runtime(deadline=0.0)):
        done = channel.deliver()
    assert (vendor.requests, done.waiting, channel.outbox()) == ([], 1, {"TEA": "ready"})


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


def test_every_request_is_on_record_with_the_changes_it_carried(channel, vendor, clock):
    from connectors.sdk.runtime import Attempt, current

    def notes(changes: Sequence[Change]) -> Iterator[Outcome]:
        current().note(Attempt(clock(), "POST", "/stock", 200, "ok", 0.1))
        yield from vendor.takes(changes)

    vendor.answers = [notes, notes]
    channel.plan({f"SKU-{number:02}": 1 for number in range(15)})
    channel.deliver()
    joined = channel.all(
        "select a.path, count(*) from ledger.attempt a join ledger.change c using (batch) group by a.attempt, a.path"
    )
    assert sorted((row.path, row.count) for row in joined) == [("/stock", 5), ("/stock", 10)]


def test_unanswered_rows_of_an_interrupted_read_back_do_not_fill_the_journal(channel, vendor, clock):
    vendor.answers = [fails(UnansweredError("no answer"))]
    vendor.blind = TransientError("down")
    channel.plan({"TEA": 5})
    for _ in range(5):
        channel.deliver()
        clock.passes(hours=1)
    assert channel.journal("TEA") == ["planned", "unknown"]


def test_due_names_queues_with_something_to_do_and_no_others(channel, vendor, clock):
    assert outbox.due(channel.store, now=clock()) == []
    channel.plan({"TEA": 5})
    assert outbox.due(channel.store, now=clock()) == [QUEUE]
    vendor.answers = [fails(TransientError("busy", retry_after=60))]
    channel.deliver()
    assert outbox.due(channel.store, now=clock()) == []
    clock.passes(minutes=1)
    assert outbox.due(channel.store, now=clock()) == [QUEUE]


def test_some_deferred_among_accepted_do_not_slow_the_queue(channel, vendor):
    vendor.answers = [
        lambda changes: (Deferred(one, 600, "busy") if one.subject == "SKU-0" else Accepted(one) for one in changes)
    ] * 3
    channel.plan({f"SKU-{number}": 1 for number in range(30)})
    done = channel.deliver()
    assert (done.accepted, done.deferred) == (29, 1)


def test_an_unknown_among_accepted_is_settled_alone(channel, vendor):
    vendor.answers = [
        lambda changes: (Unknown(one, "named nowhere") if one.subject == "TEA" else Accepted(one) for one in changes)
    ]
    vendor.shows = {"TEA": 5}
    channel.plan({"TEA": 5, "MUG": 1})
    assert channel.deliver().accepted == 2
    assert [one.subject for one in vendor.reads[0]] == ["TEA"]
