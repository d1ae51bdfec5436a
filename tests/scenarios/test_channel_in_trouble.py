"""A platform that is slow, busy or broken, and what the hub does about it: never a second write, never a lost one."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from starlette.responses import Response

from connectors.sdk.runtime import LocalBucket, Runtime, using
from tests.scenarios.town import a_small_shop

MS = timedelta(milliseconds=1)
GOODS = {"TEA": 5, "MUG": 0, "POT": 2}


@pytest.fixture
def shop(stall):
    stall.displays(*GOODS)
    stall.wants(GOODS)
    return stall


def test_a_reply_lost_after_the_write_is_read_back_and_not_written_again(shop):
    shop.platform.sandbox.faults.set("lost_reply", match="products/edit", times=1)
    assert shop.delivers().accepted == 3
    assert set(shop.writes().values()) == {1}
    assert shop.shows() == GOODS
    assert shop.states() == {"in_sync": 3}


def test_a_price_whose_reply_was_lost_is_read_back_too(shop):
    shop.wants({"TEA": 1250}, "price.push")
    shop.platform.sandbox.faults.set("lost_reply", match="products/edit", times=1)
    assert shop.delivers("price.push").accepted == 1
    assert sum(shop.writes().values()) == 1


def test_an_order_whose_acceptance_was_not_heard_is_not_accepted_twice(shop):
    order = shop.platform.sell([("TEA", 1)])
    shop.wants({f"bazaar:{order['id']}": {"status": "confirmed"}}, "order.status")
    shop.platform.sandbox.faults.set("lost_reply", match="set_status", times=1)
    shop.delivers("order.status")
    shop.delivers("order.status")
    assert order["status"] == "received"
    assert len(shop.platform.sandbox.requests("POST", "set_status")) == 1
    assert shop.states("order.status") == {"in_sync": 1}


def test_an_answer_cut_in_the_middle_is_not_taken_for_a_refusal(shop):
    shop.platform.sandbox.faults.set("cut", match="products/edit", times=1)
    assert shop.delivers().accepted == 3
    assert set(shop.writes().values()) == {1}


def test_a_500_after_a_write_that_did_not_happen_is_read_back_then_sent_again(shop):
    shop.platform.sandbox.faults.set("500", match="products/edit", times=1)
    shop.delivers()
    assert shop.shows()["TEA"] == 0
    shop.delivers()
    assert shop.shows() == GOODS
    assert shop.states() == {"in_sync": 3}


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_429_is_obeyed_in_each_form_of_retry_after(shop, clock, form):
    """Ten minutes: longer than the hub would rest by itself."""
    until = format_datetime(clock() + timedelta(minutes=10), usegmt=True)
    answer = Response("slow down", 429, {"Retry-After": until if form == "date" else "600"})
    shop.platform.sandbox.limits = "contract"
    shop.platform.sandbox._limit = lambda request: answer
    assert shop.delivers().deferred == 3
    assert shop.states() == {"pending": 3}
    shop.platform.sandbox.limits = "off"
    clock.passes(minutes=9, seconds=55)
    shop.delivers()
    assert len(shop.platform.sandbox.journal) == 1
    clock.passes(seconds=6)
    assert shop.delivers().accepted == 3
    assert set(shop.writes().values()) == {1}


def test_a_429_that_counts_in_the_vendors_own_unit_is_obeyed_to_the_second(town, clock):
    """MoySklad says milliseconds: taken for seconds the catalogue would wait an hour."""
    erp, began = town.opens("erp", "moysklad", a_small_shop(5, 2)), clock()

    def rests(request):
        left = began + timedelta(seconds=4) - clock()
        return Response("slow down", 429, {"X-Lognex-Retry-After": str(left // MS)}) if left > timedelta(0) else None

    erp.sandbox.limits, erp.sandbox._limit = "contract", rests
    bucket = LocalBucket(clock=lambda: clock().timestamp())
    with using(Runtime(bucket=bucket, sleep=lambda seconds: clock.passes(seconds=seconds))):
        town.syncs()
    assert [seen.status for seen in erp.sandbox.journal].count(429) == 1
    assert town.one("select count(*) from canonical.product").count == 2
    assert timedelta(seconds=4) <= clock() - began < timedelta(minutes=1)


def test_a_429_that_does_not_say_how_long_is_tried_again_later(shop, clock):
    shop.platform.sandbox.limits = "contract"
    shop.platform.sandbox._limit = lambda request: Response("slow down", 429)
    assert shop.delivers().deferred == 3
    shop.platform.sandbox.limits = "off"
    assert shop.delivers().outcomes == 0
    clock.passes(minutes=1)
    assert shop.delivers().accepted == 3


def test_an_hour_of_500s_on_one_channel_leaves_the_others_at_their_pace(a_stall, clock):
    broken, healthy = a_stall("broken"), a_stall("healthy")
    for stall in (broken, healthy):
        stall.displays(*GOODS)
    broken.platform.sandbox.faults.set("500")
    for minute in range(60):
        for stall in (broken, healthy):
            stall.wants(dict.fromkeys(GOODS, minute))
            stall.delivers()
        assert healthy.shows() == dict.fromkeys(GOODS, minute)
        clock.passes(minutes=1)
    assert healthy.states() == {"in_sync": 3}
    tries = len({seen.at for seen in broken.platform.sandbox.journal})
    assert tries < 12
    assert broken.states().keys() <= {"pending", "unknown"}
    assert all("500" in reason for reason in broken.reasons())
    broken.platform.sandbox.faults.clear()
    clock.passes(minutes=15)
    for _ in range(3):
        broken.delivers()
        broken.decides_anew()
    assert broken.shows() == dict.fromkeys(GOODS, 59)
    assert broken.states() == {"in_sync": 3}
