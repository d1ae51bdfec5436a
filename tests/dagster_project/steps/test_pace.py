"""When a queue rests, and when only one change of it waits."""

from datetime import UTC, datetime

from connectors.sdk import Deferred
from connectors.sdk.testing.builders import a_change
from dagster_project.steps.pace import Pace

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def test_a_change_that_waits_alone_puts_nobody_else_to_rest():
    waits = Deferred(a_change("order.status"), 900, "the buyer has still to sign", alone=True)

    pace = Pace()
    for _ in range(5):
        pace = pace.after([waits], NOW)

    assert (pace.rest, pace.failures, pace.answered) == (None, 0, True)


def test_a_channel_that_asks_to_wait_is_left_alone_as_a_whole():
    pace = Pace().after([Deferred(a_change("order.status"), 900, "busy")], NOW)

    assert pace.rest is not None
