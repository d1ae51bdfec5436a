"""A breaker per account, for vendors that lock out a client which repeats the same failing request (moysklad 2)."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic


@dataclass(frozen=True)
class Breaker:
    """After `failures` identical failing requests within `window` seconds nobody calls the account for `rest`."""

    failures: int = 100
    window: float = 60.0
    rest: float = 300.0


@dataclass
class Failures:
    """What went wrong lately on one account, in this process."""

    _seen: defaultdict[tuple[str, ...], deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _closed_until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def resting(self) -> float:
        """Seconds until the account may be called again, 0 when it may now."""
        return max(0.0, self._closed_until - monotonic())

    def add(self, breaker: Breaker, *kind: str) -> bool:
        """Note one failure; True when it is the one that opens the breaker."""
        now = monotonic()
        with self._lock:
            times = self._seen[kind]
            times.append(now)
            while times[0] < now - breaker.window:
                times.popleft()
            if len(times) < breaker.failures:
                return False
            self._seen.clear()
            self._closed_until = now + breaker.rest
            return True

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()
            self._closed_until = 0.0


_accounts: defaultdict[str, Failures] = defaultdict(Failures)


def failures_of(account: str) -> Failures:
    """Shared by every `Http` of the account in this process."""
    return _accounts[account]
