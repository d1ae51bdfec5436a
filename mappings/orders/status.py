"""What status an order should show at its origin: accepted once every line is promised, then as its copy goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from mappings.canonical.order import PROGRESS

FOLLOWED = PROGRESS[PROGRESS.index("assembling") :]
"""Statuses that the origin takes over from the copy. Accepting is the hub's own promise: it hangs on units alone."""


@dataclass(frozen=True)
class Standing:
    """Where an order stands. `own`: its status at the origin; `told`: what the origin confirmed to us since, if so.

    `lines`: lines with goods; `promised`: those whose units are reserved or gone; `short`: the others, in words.
    `copy` and `copied_to`: status of its copy, and the connection that keeps it and decides how the order goes on.
    """

    own: str
    told: str | None = None
    lines: int = 0
    promised: int = 0
    short: Sequence[str] = ()
    copy: str | None = None
    copied_to: str | None = None


@dataclass(frozen=True)
class Wish:
    """What the origin should show, what it shows, why; `hold`: why nothing can be wished yet."""

    status: str
    shown: str
    because: str = ""
    hold: str | None = None


def wished(order: Standing) -> Wish:
    """Only ever forward. A cancelled or returned order is left alone: that is a person's word, or a named policy's."""
    shown = furthest(order.own, order.told)
    if shown not in PROGRESS:
        return Wish(shown, shown)
    promised = 0 < order.lines <= order.promised
    followed = furthest(shown, order.copy if order.copy in FOLLOWED else None)
    if followed != shown:
        return Wish(followed, shown, f"its copy in {order.copied_to} is {order.copy}")
    if shown != "placed":
        return Wish(shown, shown)
    if promised:
        return Wish("confirmed", shown, "every line is reserved")
    return Wish(shown, shown, hold=f"short: {'; '.join(order.short) or 'no line has goods that we know'}")


def furthest(own: str, other: str | None) -> str:
    """The later of two statuses on the way forward. A status off that way (cancelled, returned) stands."""
    if own not in PROGRESS or other not in PROGRESS:
        return own
    return max(own, other, key=PROGRESS.index)
