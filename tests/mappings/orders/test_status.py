"""What an order should show where it was placed."""

import pytest

from mappings.canonical.order import PROGRESS, STATUSES
from mappings.orders.status import Standing, wished


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
