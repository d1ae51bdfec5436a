"""kill -9 at every stage of a delivery, then a rerun: no write twice, none lost."""

from itertools import count

import pytest

GOODS = ["TEA", "MUG", "POT", "CUP", "JAR"]
STAGES = [
    "before a commit",
    "after a commit",
    "before a request",
    "before the wait for an answer",
    "after the wait for an answer",
    "after a request",
]


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_sender_is_killed_every_count_is_written_once(stall, a_worker, clock, stage):
    stall.displays(*GOODS)
    worker = a_worker()
    for time in count(1):
        stall.platform.sandbox.journal.clear()
        stall.wants(dict.fromkeys(GOODS, time))
        first = worker.delivers(stall, batch=2, die=(stage, time))
        stall.has_handled(first["left"])
        clock.passes(minutes=6)
        for _ in range(3):
            stall.delivers()
            clock.passes(minutes=1)
        assert stall.shows() == dict.fromkeys(GOODS, time), (stage, time)
        assert set(stall.writes().values()) == {1}, (stage, time)
        assert len(stall.writes()) == len(GOODS), (stage, time)
        assert stall.states() == {"in_sync": len(GOODS)}, (stage, time)
        if not first["killed"]:
            break
    assert time > 3, "it was killed at every such step of three requests"


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_whenever_the_sender_is_killed_every_order_is_accepted_once(stall, a_worker, clock, stage):
    stall.displays("TEA")
    worker = a_worker()
    for time in count(1):
        orders = [stall.platform.sell([("TEA", 1)]) for _ in range(2)]
        subjects = {f"bazaar:{order['id']}": {"status": "confirmed"} for order in orders}
        stall.platform.sandbox.journal.clear()
        stall.wants(subjects, "order.status")
        first = worker.delivers(stall, "order.status", die=(stage, time))
        stall.has_handled(first["left"])
        clock.passes(minutes=6)
        for _ in range(3):
            stall.delivers("order.status")
            clock.passes(minutes=1)
        moves = stall.platform.sandbox.requests("POST", "set_status")
        assert sorted(move.json["ids"][0] for move in moves) == [order["id"] for order in orders], (stage, time)
        assert {order["status"] for order in orders} == {"received"}, (stage, time)
        assert set(stall.states("order.status")) == {"in_sync"}, (stage, time)
        if not first["killed"]:
            break
    assert time > 2, "it was killed at every such step of two requests"
