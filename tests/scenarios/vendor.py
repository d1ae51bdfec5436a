"""A vendor's platform on loopback, in whose journal a story counts."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


class OnPlatform:
    """A connection `name` to `platform`."""

    name: str
    platform: Any

    def has_handled(self, requests: int) -> None:
        """Returns when the platform has seen to that many requests: some left just before their sender died."""
        journal = self.platform.sandbox.journal
        wait_until(lambda: len(journal) >= requests, f"the platform handles {requests} requests")
