"""What an order should show where it was placed."""

import pytest

from mappings.canonical.order import PROGRESS, STATUSES
from mappings.orders.status import Standing, Wish, together, wished


@pytest.mark.parametrize(
    ("standing", "wish"),
    [
        (Standing("placed", lines=2, promised=2), "confirmed"),
        (Standing("placed", "confirmed", lines=2, promised=2), "confirmed"),
        (Standing("placed", lines=2, promised=1, copy="confirmed"), "placed"),
        (Standing("placed", lines=2, promised=1, copy="assembling"), "assembling"),
        (Standing("confirmed", copy="shipped", lines=1, promised=1), "shipped"),
        (Standing("shipped", copy="assembling", lines=1, promised=1), "shipped"),
        (Standing("confirmed", copy="cancelled", lines=1, promised=1), "confirmed"),
        (Standing("cancelled", copy="assembling", lines=1, promised=1), "cancelled"),
        (Standing("returning", "delivered"), "returning"),
    ],
)
def test_forward_only_and_never_cancelled_by_the_hub(standing: Standing, wish: str) -> None:
    assert wished(standing).status == wish


def test_a_short_line_says_what_is_missing() -> None:
    assert wished(Standing("placed", lines=2, promised=1, short=["1 of SKU-2"])).hold == "short: 1 of SKU-2"


def test_an_order_of_nothing_we_know_is_not_accepted() -> None:
    assert wished(Standing("placed")).hold == "short: no line has goods that we know"


@pytest.mark.parametrize("own", STATUSES)
@pytest.mark.parametrize("copy", [None, *STATUSES])
def test_no_wish_ever_goes_back(own: str, copy: str | None) -> None:
    wish = wished(Standing(own, lines=1, promised=1, copy=copy))
    assert wish.status == own or PROGRESS.index(wish.status) > PROGRESS.index(own)


# What a person asked

CANCEL = {"status": "cancelled", "reason": "buyer"}
FEWER = {"keep": {"0": {"quantity": 1}}, "reason": "out_of_stock"}


def test_a_person_may_cancel_what_the_hub_would_accept() -> None:
    wish = wished(Standing("placed", lines=1, promised=1, asked=CANCEL, by="Dina"))
    assert (wish.value, wish.seen, wish.because) == (CANCEL, {"status": "placed"}, "asked by Dina")


def test_a_confirmed_end_is_not_asked_for_again_before_the_channels_list_shows_it() -> None:
    wish = wished(Standing("confirmed", "cancelled", asked=CANCEL, heard=CANCEL))
    assert wish.value == wish.seen == CANCEL


def test_an_end_that_the_channel_shows_needs_no_words() -> None:
    assert wished(Standing("cancelled", asked=CANCEL)) == Wish("cancelled", "cancelled")


def test_lines_to_keep_go_along_with_the_way_on() -> None:
    wish = wished(Standing("placed", lines=1, promised=1, asked=FEWER))
    assert (wish.value, wish.seen) == ({"status": "confirmed", **FEWER}, {"status": "placed"})


def test_a_short_order_is_made_smaller_before_it_can_be_accepted() -> None:
    short = Standing("placed", lines=1, short=["2 of SKU-1"], asked=FEWER)
    assert (wished(short).hold, wished(short).value) == (None, {"status": "placed", **FEWER})
    told = Standing("placed", "placed", lines=1, short=["2 of SKU-1"], asked=FEWER, heard={"status": "placed", **FEWER})
    assert wished(told).hold == "short: 2 of SKU-1"


def test_what_was_confirmed_once_stays_said_and_is_not_news() -> None:
    wish = wished(Standing("ready", "confirmed", asked=FEWER, heard={"status": "confirmed", **FEWER}))
    assert wish.value == wish.seen == {"status": "ready", **FEWER}


@pytest.mark.parametrize("own", ["shipped", "completed", "cancelled", "returned"])
def test_nothing_is_taken_out_of_a_parcel_that_left(own: str) -> None:
    assert wished(Standing(own, asked=FEWER)).value == {"status": own}


def test_requests_add_up_line_by_line_and_an_end_overrules_them() -> None:
    both = together(FEWER, {"keep": {"1": {"quantity": 0}}, "reason": "buyer"})
    assert both == {"keep": {"0": {"quantity": 1}, "1": {"quantity": 0}}, "reason": "buyer"}
    assert together(both, {"arrived": True}) == {**both, "arrived": True}
    assert together(both, CANCEL) == CANCEL
    assert together(CANCEL, FEWER) == FEWER
