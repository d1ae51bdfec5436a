"""Delivery: one outcome per change, and each is kept with its reason."""

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.sdk import Accepted, Change, Outcome, Rejected


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
