"""Decreases go at once, increases need fresh evidence.

When the counting system goes silent, orders still lower what channels show, but nothing raises it: a cancelled order
gives back a unit that somebody may have sold meanwhile.
"""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mappings.sync.guards import Floats, Mask, Words, first_of, leaps
from mappings.sync.values import totals


def fresh(counted_at: Floats, now: float, patience: float) -> Mask:
    """Whether each row's oldest count (rows × locations, seconds since 1970, NaN: none) allows a rise."""
    oldest = np.min(np.where(np.isnan(counted_at), np.inf, counted_at), axis=1, initial=np.inf)
    return np.asarray(oldest >= now - patience)


def stock_guard(
    was: pa.Array,
    becomes: pa.Array,
    fresh: Mask,
    *,
    step: float | None,
    zeros_allowed: float,
) -> Words:
    """Which guard holds each change of stock, None where it may go.

    stale: a rise without fresh evidence. zero: more rows than `zeros_allowed` fall to zero at once. step: only where
    the merchant asks for it, since a delivery may multiply a count. `was` and `becomes` are JSON texts.
    """
    before, after = totals(was), totals(becomes)
    falls = (before > 0) & (after == 0)
    rises = np.zeros(len(fresh), dtype=np.bool_)
    for row in np.flatnonzero(~fresh):
        rises[row] = _rises(was[row].as_py(), becomes[row].as_py())
    many = falls & (falls.sum() > zeros_allowed)
    return first_of({"stale": rises, "zero": many, "step": leaps(before, after, step)})


def _rises(was: str | None, becomes: str) -> bool:
    """Whether anything is raised, at any point: units moved from one shop to another raise the one."""
    after = json.loads(becomes)
    before = None if was is None else json.loads(was)
    if isinstance(after, Mapping):
        known = before if isinstance(before, Mapping) else {}
        return any(quantity > known.get(point, 0) for point, quantity in after.items())
    return bool(after > (before if isinstance(before, int | float) else 0))
