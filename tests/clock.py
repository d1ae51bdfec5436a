"""The clock that a test holds in its hand."""

from datetime import datetime, timedelta


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)
