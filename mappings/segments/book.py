"""All segments of a hub together: each after those it refers to. A mistake stops a segment and who refers to it."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from mappings.segments.compile import Compiled
from mappings.segments.language import Slip


def in_order(
    segments: Iterable[Compiled], stopped: Collection[str] = ()
) -> tuple[tuple[Compiled, ...], dict[str, Slip]]:
    """Those that can be asked, each after those it refers to; and of the others the name → what keeps them from it.

    `stopped`: segments that must be mended first, and that are not given for this reason.
    """
    left, slips = {one.name: one for one in segments}, dict[str, Slip]()
    while found := _lacking(left, {*stopped, *slips}) or _in_a_circle(left):
        slips |= found
        left = {name: one for name, one in left.items() if name not in found}
    return tuple(left[name] for name in _sorted(left).static_order()), slips


def _sorted(left: Mapping[str, Compiled]) -> TopologicalSorter[str]:
    return TopologicalSorter({name: sorted(one.refers) for name, one in left.items()})


def _lacking(left: Mapping[str, Compiled], stopped: Collection[str]) -> dict[str, Slip]:
    """Those that refer to what cannot be asked, or is not there."""
    return {
        name: Slip(f"segment {name}: {_why(other, stopped)}", at)
        for name, one in left.items()
        for other, at in one.refers.items()
        if other not in left
    }


def _why(other: str, stopped: Collection[str]) -> str:
    if other in stopped:
        return f"it refers to {other}, which must be mended first"
    return f"there is no segment {other!r}; write segments/{other}.yaml"


def _in_a_circle(left: Mapping[str, Compiled]) -> dict[str, Slip]:
    try:
        _sorted(left).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][::-1]
        why = f"segments refer to each other in a circle: {' → '.join(ring)}; take one reference out"
        return {name: Slip(why, left[name].refers[other]) for name, other in pairwise(ring)}
    return {}
