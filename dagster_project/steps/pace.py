"""When a channel needs a rest: pure, from the outcomes of one batch after another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.sdk.deliver import Accepted, Deferred, Outcome, Rejected, Unknown
from connectors.sdk.errors import ConfigError, HubError
from dagster_project.steps.changes import back_off
from dagster_project.store.rest import Rest

FAILURES = 3
"""Batches in a row without an answer about any change, after which the queue rests. Then one batch tries alone."""
PATIENCE = timedelta(seconds=5)
"""A longer wait asked for by the channel is spent by the queue, not by the process."""
SETTING = timedelta(minutes=1)
"""How often a wrong setting is tried again: too rarely to lock an account, soon enough once it is mended."""


@dataclass(frozen=True)
class Pace:
    """`failures`: in a row, over runs. `answered`: the channel said yes or no in this one.

    `rest`: what the queue needs now, None while it may go on. `error`: why, where a setting must be mended.
    """

    failures: int = 0
    answered: bool = False
    rest: Rest | None = None
    error: ConfigError | None = None
    why: str = ""

    @property
    def trying(self) -> bool:
        """After a rest one batch goes alone, until there is an answer."""
        return self.failures >= FAILURES

    def after(self, outcomes: Sequence[Outcome], now: datetime) -> "Pace":
        """The pace after one more batch."""
        if any(isinstance(one, Accepted | Rejected) or (isinstance(one, Deferred) and one.alone) for one in outcomes):
            return self.heard()
        deferred = [outcome for outcome in outcomes if isinstance(outcome, Deferred)]
        if stop := next((outcome for outcome in deferred if outcome.blocked), None):
            return self.stopped(ConfigError(stop.why), now)
        asked = timedelta(seconds=max((outcome.retry_after or 0.0 for outcome in deferred), default=0.0))
        if asked > PATIENCE:
            why = f"the channel asked to wait {asked.total_seconds():.0f} s"
            return replace(self, rest=Rest(self.failures, now + asked, why))
        words = next((o.why for o in outcomes if isinstance(o, Deferred | Unknown)), "no answer")
        return self.failed(words, now)

    def heard(self) -> "Pace":
        """The pace after any answer of the channel."""
        return replace(self, failures=0, answered=True)

    def stopped(self, error: ConfigError, now: datetime) -> "Pace":
        """The pace once someone must act: the rest waits until the setting may have been mended."""
        return replace(self, error=error, rest=Rest(self.failures, now + SETTING, str(error)))

    def deaf(self, error: HubError, now: datetime) -> "Pace":
        """The pace while the channel's opt-outs cannot be read: nothing goes."""
        if isinstance(error, ConfigError):
            return self.stopped(error, now)
        why = f"nothing is sent before the channel's opt-outs were read: {error}"
        return replace(self, rest=Rest(self.failures, now + back_off(0), why))

    def failed(self, why: str, now: datetime) -> "Pace":
        """The pace after a request that told nothing. Under three in a row the queue goes on, and remembers."""
        failures = self.failures + 1
        if failures < FAILURES:
            return replace(self, failures=failures, why=why)
        reason = f"the channel rests after failures in a row: {why}"
        return replace(self, failures=failures, rest=Rest(failures, now + back_off(failures - FAILURES), reason))
