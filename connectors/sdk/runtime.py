"""What the hub lends a connector while it runs: the account's token bucket, a deadline, a place to note requests.

Connectors never touch it; `Http` does. Outside the hub (tests, `connectors map`) the defaults work alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from time import monotonic, sleep
from typing import Protocol


class Bucket(Protocol):
    """A token bucket per vendor account, shared by everyone who calls that account."""

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        """Take `cost` tokens; the seconds to wait before the request may leave (0 when there were enough)."""

    def pause(self, account: str, seconds: float) -> None:
        """The vendor said wait: nobody may call this account for `seconds`."""


@dataclass(frozen=True)
class Attempt:
    """One request sent, redacted: no query values, no bodies. `status` None when no answer came."""

    at: datetime
    method: str
    path: str
    status: int | None
    outcome: str
    seconds: float


class LocalBucket:
    """Tokens of this process only: for tests and for commands without a store."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._state: dict[str, tuple[float, float]] = {}
        self._lock = Lock()
        self._clock = clock

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        """Tokens may go below zero: the debt is the wait, and those who come later wait longer."""
        with self._lock:
            now = self._clock()
            tokens, at = self._state.get(account, (burst, now))
            start = max(now, at)
            tokens = min(burst, tokens + (start - at) * per_second) - cost
            self._state[account] = (tokens, start)
        return start - now + max(0.0, -tokens / per_second)

    def pause(self, account: str, seconds: float) -> None:
        """The count stands still until a moment in the future and goes on from zero."""
        with self._lock:
            tokens, at = self._state.get(account, (0.0, 0.0))
            self._state[account] = (min(tokens, 0.0), max(at, self._clock() + seconds))


@dataclass(frozen=True)
class Runtime:
    """`deadline`: monotonic seconds after which no request may start. `note` receives every Attempt.

    `sleep`: tests lend one that only counts.
    """

    bucket: Bucket = field(default_factory=LocalBucket)
    deadline: float | None = None
    note: Callable[[Attempt], None] = lambda attempt: None
    sleep: Callable[[float], None] = sleep


ALONE = Runtime()
_current: ContextVar[Runtime] = ContextVar("keruen_runtime")


def current() -> Runtime:
    return _current.get(ALONE)


@contextmanager
def using(runtime: Runtime) -> Iterator[Runtime]:
    """Lend `runtime` to every connector call inside the block."""
    token = _current.set(runtime)
    try:
        yield runtime
    finally:
        _current.reset(token)
