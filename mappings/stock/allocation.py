"""How the units of a location are shared between the channels that sell from it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Strategy = Callable[[Floats, float, Sequence[float]], Floats]


def shared_pool(free: Floats, share: float, before: Sequence[float]) -> Floats:
    """Every channel is shown all there is; a sale on one takes the unit from the others."""
    return free


def quota(free: Floats, share: float, before: Sequence[float]) -> Floats:
    """A fixed share for the channel. It may be a broken number: `available_to_sell` rounds the sum down."""
    return free * share


def by_priority(free: Floats, share: float, before: Sequence[float]) -> Floats:
    """Its share, in whole units rounded up, of what the channels served before it left. `before`: theirs, in order."""
    for earlier in before:
        free = free - _portion(free, earlier)
    return _portion(free, share)


def _portion(free: Floats, share: float) -> Floats:
    return np.minimum(free, np.ceil(np.round(free * share, 6)))


ALLOCATION: Mapping[str, Strategy] = {"shared": shared_pool, "quota": quota, "priority": by_priority}
