"""A channel in trouble is left in peace, and its queue waits."""

import pytest

from connectors.sdk import Accepted, ConfigError, Deferred, TransientError
from connectors.sdk.runtime import Runtime, using
from dagster_project.store import outbox
from tests.dagster_project.steps.deliver.conftest import QUEUE, fails


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


def test_no_batch_begins_in_the_last_seconds_of_a_tick(channel, vendor):
    channel.plan({"TEA": 5})
    with using(Runtime(deadline=0.0)):
        done = channel.deliver()
    assert (vendor.requests, done.waiting, channel.outbox()) == ([], 1, {"TEA": "ready"})


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
