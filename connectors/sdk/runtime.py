"""What the hub lends a connector while it runs: the account's token bucket, a deadline, a place to note requests.

Connectors never touch it; `Http` does. Outside the hub (tests, `connectors map`) the defaults work alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
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

    def __init__(self) -> None:
        self._state: dict[str, tuple[float, float]] = {}

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        from time import monotonic

        now = monotonic()
        tokens, at = self._state.get(account, (burst, now))
        tokens = min(burst, tokens + (now - at) * per_second) - cost
        self._state[account] = (tokens, now)
        return max(0.0, -tokens / per_second)

    def pause(self, account: str, seconds: float) -> None:
        from time import monotonic

        tokens, _ = self._state.get(account, (0.0, 0.0))
        self._state[account] = (min(tokens, 0.0), monotonic() + seconds)


@dataclass(frozen=True)
class Runtime:
    """`deadline`: monotonic seconds after which no request may start. `note` receives every Attempt."""

    bucket: Bucket = field(default_factory=LocalBucket)
    deadline: float | None = None
    note: Callable[[Attempt], None] = lambda attempt: None


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
