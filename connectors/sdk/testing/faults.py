"""The faults every sandbox can be told to have, and how long they last."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Literal, get_args

Kind = Literal["429", "500", "lost_reply", "slow", "cut", "clock"]
KINDS: tuple[str, ...] = get_args(Kind)
SIZES: dict[str, float] = {"429": 1.0, "slow": 5.0, "clock": 7200.0}
"""Seconds, where a fault has a size: what Retry-After says, how late the answer is, how far ahead the clock is."""


@dataclass
class Fault:
    """`rate`: share of requests. `match`: part of "read METHOD /path", or of "write METHOD /path", as the
    vendor's sandbox tells them apart. `times`: how often yet. `until`: monotonic.
    """

    kind: str
    rate: float
    match: str
    size: float
    times: int | None = None
    until: float | None = None


@dataclass
class Faults:
    """Switched by tests, by `keruen sandbox fault` and by certification. At most one fault of a kind at a time."""

    _active: dict[str, Fault] = field(default_factory=dict)
    _random: Random = field(default_factory=lambda: Random(1))
    _monotonic: Callable[[], float] = monotonic

    def set(
        self,
        kind: str,
        rate: float = 1.0,
        seconds: float | None = None,
        match: str = "",
        *,
        size: float | None = None,
        times: int | None = None,
    ) -> None:
        """Begin a fault; `seconds` until it ends by itself, `times` requests after which it does. Raises ValueError."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault; there are {', '.join(KINDS)}")
        until = None if seconds is None else self._monotonic() + seconds
        size = SIZES.get(kind, 0.0) if size is None else size
        self._active[kind] = Fault(kind, rate, match, size, times, until)

    def clear(self, kind: str | None = None) -> None:
        """End one fault, or all of them."""
        if kind is None:
            self._active.clear()
        else:
            self._active.pop(kind, None)

    def strikes(self, kind: str, request: str = "") -> Fault | None:
        """The fault, if it hits this request ("write METHOD /path"); a hit counts towards its `times`."""
        fault = self._active.get(kind)
        if fault is None or fault.match not in request:
            return None
        if fault.until is not None and self._monotonic() >= fault.until:
            del self._active[kind]
            return None
        if fault.rate < 1.0 and self._random.random() >= fault.rate:
            return None
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                del self._active[kind]
        return fault

    def told(self) -> list[dict[str, Any]]:
        """Those that are on, for whoever switched them: kind, rate, match, and seconds until one ends by itself."""
        now = self._monotonic()
        return [
            {
                "kind": fault.kind,
                "rate": fault.rate,
                "match": fault.match,
                "seconds": None if fault.until is None else round(fault.until - now),
            }
            for fault in self.active
        ]

    @property
    def active(self) -> tuple[Fault, ...]:
        now = self._monotonic()
        return tuple(fault for fault in self._active.values() if fault.until is None or fault.until > now)
