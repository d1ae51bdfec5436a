"""What an order should show at its origin: accepted once every line is promised, then as its copy goes on.

Beside that, what a person asked of it; nothing but a person's word cancels an order, or a part of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mappings.canonical.order import PROGRESS

FOLLOWED = PROGRESS[PROGRESS.index("assembling") :]
"""Statuses that the origin takes over from the copy. Accepting is the hub's own promise: it hangs on units alone."""

LEFT = PROGRESS[PROGRESS.index("shipped") :]
"""Statuses in which nothing can be taken out of the parcel any more."""


@dataclass(frozen=True)
class Standing:
    """Where an order stands. `own`: its status at the origin; `told`: what the origin confirmed to us since, if so.

    `lines`: lines with goods; `promised`: those whose units are reserved or gone; `short`: the others, in words.
    `copy` and `copied_to`: status of its copy, and the connection that keeps it and decides how the order goes on.
    `asked`: what a person asked, as in `together`; `by`: who. `heard`: the whole value that the origin confirmed last.
    """

    own: str
    told: str | None = None
    lines: int = 0
    promised: int = 0
    short: Sequence[str] = ()
    copy: str | None = None
    copied_to: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    by: str = "a person"
    heard: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What the origin should show, what it shows, why; `hold`: why nothing can be wished yet.

    `facts` go with the status (a reason, lines to keep …); `known`: those of them that the origin confirmed.
    """

    status: str
    shown: str
    because: str = ""
    hold: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> dict[str, Any]:
        """The value of the change that says it."""
        return {"status": self.status, **self.facts}

    @property
    def seen(self) -> dict[str, Any]:
        """The same of what is shown."""
        return {"status": self.shown, **self.known}


def together(before: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a person asked of an order, with what was asked before: `status` (cancelled, returned) and its `reason` and
    `comment`; `arrived`: the goods of a pre-order are there; `keep`: line → what stays of it (`quantity`, `weight_g`).

    An end overrules what was asked on the way; lines add up, and of one line the later word counts.
    """
    if "status" in asked or "status" in before:
        return dict(asked)
    lines = {**before.get("keep", {}), **asked.get("keep", {})}
    return {**before, **asked, **({"keep": lines} if lines else {})}


def wished(order: Standing) -> Wish:
    """Only ever forward, unless a person asked for another end. A cancelled or returned order is left alone."""
    wish = _onward(order)
    if not order.asked:
        return wish
    return _ended(order, wish) if "status" in order.asked else _with_facts(order, wish)


def _ended(order: Standing, wish: Wish) -> Wish:
    """The end that was asked for, until the origin shows it. What it confirmed counts before its list says so."""
    goal, facts = order.asked["status"], _facts(order.asked)
    if order.own == goal:
        return Wish(goal, goal)
    ended = Wish(goal, wish.shown, f"asked by {order.by}", facts=facts)
    return replace(ended, shown=goal, known=facts) if ended.value == order.heard else ended


def _with_facts(order: Standing, wish: Wish) -> Wish:
    """The way on, and what was asked beside it. It stays part of what is desired: repeated it says nothing new."""
    if wish.shown not in PROGRESS:
        return wish
    facts = _facts(order.asked)
    known = {name: value for name, value in facts.items() if order.heard.get(name) == value}
    if wish.shown in LEFT:
        facts = known
    if known == facts:
        return replace(wish, facts=facts, known=known)
    because = "; ".join(filter(None, [f"asked by {order.by}", wish.because]))
    return replace(wish, because=because, hold=None, facts=facts, known=known)


def _facts(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "status"}


def _onward(order: Standing) -> Wish:
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
