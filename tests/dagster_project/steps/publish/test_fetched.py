"""When rows of the feed count as shown: once their version was fetched whole, and nobody coming is an alarm."""

from dagster_project.steps.publish import fetch_silence
from dagster_project.store import outbox
from tests.dagster_project.steps.publish.conftest import BOTH


def test_rows_wait_until_their_version_was_fetched_whole(gazette):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    item = gazette.item("TEA")
    assert (item.state, item.reason, item.sent, item.acknowledged) == ("pending", "published, not fetched", 1250, None)
    gazette.is_fetched(complete=False)
    gazette.is_fetched(status=304)
    assert gazette.publish().settled == 0
    gazette.is_fetched()
    assert gazette.publish().settled == 2
    item = gazette.item("TEA")
    assert (item.state, item.reason, item.acknowledged, item.observed) == ("in_sync", None, 1250, None)
    assert gazette.channels["price.push"].outbox() == {}
    assert gazette.channels["price.push"].journal("TEA") == ["planned", "published", "accepted"]


def test_an_older_fetch_confirms_only_what_its_version_showed(gazette, clock):
    gazette.plan({"TEA": (1250, 5), "MUG": (500, 1)})
    first = gazette.publish().version
    clock.passes(minutes=5)
    gazette.plan({"TEA": (1300, None)})
    gazette.publish()
    gazette.is_fetched(version=first)
    gazette.publish()
    assert gazette.item("MUG").state == "in_sync"
    assert (gazette.item("TEA").state, gazette.item("TEA").acknowledged) == ("pending", None)
    gazette.is_fetched()
    gazette.publish()
    assert gazette.item("TEA").acknowledged == 1300


def test_published_rows_are_due_again_once_somebody_came(gazette, clock):
    store = gazette.channels["price.push"].store
    gazette.plan({"TEA": (1250, 5)})
    assert [capability for _, capability in outbox.due(store, now=clock())] == list(BOTH)
    gazette.publish()
    assert outbox.due(store, now=clock()) == []
    clock.passes(minutes=1)
    gazette.is_fetched()
    assert [capability for _, capability in outbox.due(store, now=clock())] == list(BOTH)


def test_silence_is_an_alarm_after_two_hours_and_not_before(gazette, clock):
    store = gazette.channels["price.push"].store
    assert fetch_silence(store, "shop", now=clock()) is None
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    clock.passes(hours=2)
    assert fetch_silence(store, "shop", now=clock()) is None
    clock.passes(minutes=6)
    gazette.plan({"TEA": (1300, None)})
    gazette.publish()
    assert "for 2.1 h" in fetch_silence(store, "shop", now=clock())
    gazette.is_fetched(status=304)
    assert fetch_silence(store, "shop", now=clock()) is None
    clock.passes(hours=3)
    gazette.is_fetched(status=401, complete=False)
    assert "for 3.0 h" in fetch_silence(store, "shop", now=clock())
