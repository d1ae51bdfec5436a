"""Where a buyer stands by his own rhythm: days since the last purchase against one, two and three of his gaps.

new and won_back last one gap from the purchase that made them, active two, slipping three; then he has lapsed. With
fewer than three purchase days a rhythm is a guess, so the limits are at least 30, 90 and 180 days. Who bought again
after he had lapsed, by the gaps he had then, is won back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
STATES = ("new", "active", "slipping", "lapsed", "won_back")
NEW, ACTIVE, SLIPPING, LAPSED, WON_BACK = range(5)
LEAST = (30.0, 90.0, 180.0)
RHYTHM = 3
"""Purchase days from which a median gap is a rhythm."""


@dataclass(frozen=True)
class Lifecycle:
    """`state`: one of STATES. `until`: day on which it becomes another by the passing of time alone; NaN: never."""

    state: NDArray[np.str_]
    until: Floats


def lifecycle(
    days: ArrayLike, last_day: ArrayLike, median_gap: ArrayLike, last_gap: ArrayLike, earlier_gap: ArrayLike, today: int
) -> Lifecycle:
    """Of buyers with at least one purchase day. Days are counted from any one day; gaps are in days, NaN: none.

    `last_gap`: between the last two purchase days; `earlier_gap`: the median of those before it.
    """
    count, last, gap, latest, earlier = (
        np.asarray(one, np.float64) for one in (days, last_day, median_gap, last_gap, earlier_gap)
    )
    since, limits = today - last, _limits(count, gap)
    had_lapsed = latest > _limits(count - 1, earlier)[2]
    fresh = np.where(count == 1, NEW, np.where(had_lapsed, WON_BACK, ACTIVE))
    state = np.select([since <= limit for limit in limits], [fresh, ACTIVE, SLIPPING], LAPSED)
    ends = np.select([(state == NEW) | (state == WON_BACK), state == ACTIVE, state == SLIPPING], limits, np.nan)
    return Lifecycle(np.array(STATES)[state], last + np.floor(ends) + 1)


def _limits(days: Floats, gap: Floats) -> tuple[Floats, ...]:
    """Days after which one, two and three gaps are over."""
    known = np.nan_to_num(gap)
    return tuple(
        np.where(days < RHYTHM, np.maximum(times * known, least), times * known) for times, least in enumerate(LEAST, 1)
    )
