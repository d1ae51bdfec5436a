"""Deliver: what may go leaves the outbox, one outcome per change. The only place that writes to a channel."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from secrets import randbits

from sqlalchemy import Engine

from connectors.sdk.deliver import Outcome, Unknown, outcomes
from connectors.sdk.errors import ConfigError
from connectors.sdk.runtime import Attempt, current, using
from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.changes import as_change, told
from dagster_project.steps.pace import Pace
from dagster_project.steps.publish import publish
from dagster_project.steps.reconcile import RESENDABLE, read_back
from dagster_project.store import outbox, rest
from dagster_project.store.ledger import Queue
from dagster_project.store.outbox import Row, Sent, Told

Clock = Callable[[], datetime]
CHUNK = 1000
"""Rows claimed together: enough that the store costs little per row, few enough to read back after a crash."""
BATCHES = 10
LEASE = timedelta(minutes=5)
"""Longer than any single request with its time-outs and its wait for the account's turn."""
LAST_SECONDS = 2.5
"""Left of the run's time, in which no further batch begins: its request would be refused for want of time."""


@dataclass(frozen=True)
class Delivered:
    """Changes by outcome. `published`: rows newly shown in a feed. `superseded`: dropped as older than their items.

    `waiting`: rows that may go but have not: deferred, unknown, or not reached.
    """

    accepted: int = 0
    rejected: int = 0
    deferred: int = 0
    unknown: int = 0
    published: int = 0
    superseded: int = 0
    waiting: int = 0

    @property
    def outcomes(self) -> int:
        return self.accepted + self.rejected + self.deferred + self.unknown + self.published

    @property
    def counts(self) -> dict[str, int]:
        return asdict(self)


def deliver(
    engine: Engine,
    hub: Hub,
    connection: Connection,
    capability: str,
    *,
    now: Clock,
    limit: int | None = None,
    dry_run: bool = False,
) -> Delivered:
    """Sends at most `limit` changes, within the runtime's deadline, having read back what was unknown.

    Any number of processes may deliver the same queue. With nothing due no request is made; a dry run makes none
    either and changes nothing. Where a setting must be mended, everything is deferred with the sentence of a
    ConfigError, which is raised in the end.
    """
    assert connection.spec is not None
    queue, sink = Queue(connection.name, capability), connection.spec.sink(capability)
    if dry_run:
        return Delivered(waiting=outbox.waiting(engine, queue))
    if sink.mode == "snapshot":
        return Delivered(published=publish(engine, hub, connection, sink, now=now()).changed)
    outbox.expire(engine, queue, now=now())
    if not outbox.waiting(engine, queue):
        return Delivered()
    found = rest.find(engine, queue)
    if found.lasts(now()):
        rest.begin(engine, queue, found)
        return Delivered(waiting=outbox.waiting(engine, queue))
    done = _Delivery(engine, connection, sink, queue, now, Pace(found.rounds))
    done.run(limit)
    return Delivered(**done.counts, waiting=outbox.waiting(engine, queue))


@dataclass
class _Delivery:
    """One pass over a queue: a worker with its own name, its pace, and what it has recorded so far."""

    engine: Engine
    connection: Connection
    sink: Sink
    queue: Queue
    now: Clock
    pace: Pace
    counts: Counter[str] = field(default_factory=Counter)
    worker: str = field(default_factory=outbox.new_worker)

    def run(self, limit: int | None) -> None:
        try:
            _ = self.connection.config
        except ConfigError as error:
            self.pace = self.pace.stopped(error, self.now())
        self._settle_unknown()
        left = limit
        while not self.pace.rest and not _out_of_time() and (size := self._chunk(left)):
            until = self.now() + LEASE
            claim = outbox.claim(self.engine, self.queue, self.worker, limit=size, now=self.now(), until=until)
            self.counts["superseded"] += claim.superseded
            if not claim.rows and not claim.superseded:
                break
            left = left and left - len(claim.rows)
            self._send(claim.rows, until)
        if self.counts["unknown"]:
            self._settle_unknown()
        self._take_pace()

    def _chunk(self, left: int | None) -> int:
        """Rows of the next claim. Where a crash leaves rows that nobody can read back, only what leaves at once."""
        alone = self.pace.trying or (self.sink.read_back is None and self.queue.capability not in RESENDABLE)
        size = self.sink.batch if alone else min(max(CHUNK, self.sink.batch), self.sink.batch * BATCHES)
        return size if left is None else min(size, left)

    def _settle_unknown(self) -> None:
        """Reads back what may have arrived. After a rest this is the try: nothing follows its failure."""
        if self.pace.rest or _out_of_time():
            return
        reading = read_back(self.engine, self.connection, self.sink, self.queue, self.worker, now=self.now)
        settled = Counter({name: count for name, count in reading.counts.items() if name != "unknown"})
        self.counts["unknown"] = max(0, self.counts["unknown"] - settled.total())
        self.counts.update(settled)
        if reading.failed:
            self.pace = self.pace.failed(reading.failed, self.now())
        elif reading.asked:
            self.pace = self.pace.heard()

    def _send(self, rows: Sequence[Row], until: datetime) -> None:
        """A claimed chunk, batch by batch. Whatever ends it, outcomes are recorded and unsent rows given back."""
        results: list[Told] = []
        requests: list[Sent] = []
        try:
            for start in range(0, len(rows), self.sink.batch):
                if self.pace.rest or _out_of_time():
                    break
                batch, until = self._still_mine(rows[start : start + self.sink.batch], until)
                self._exchange(batch, results, requests)
        finally:
            self.counts.update(outbox.record(self.engine, self.queue, self.worker, results, requests, now=self.now()))
            if len(results) < len(rows):
                outbox.release(self.engine, self.queue, self.worker)

    def _still_mine(self, batch: Sequence[Row], until: datetime) -> tuple[Sequence[Row], datetime]:
        """The batch, once the claim is sure to outlast its request."""
        if until - self.now() > LEASE / 2:
            return batch, until
        until = self.now() + LEASE
        mine = outbox.renew(self.engine, self.queue, self.worker, until=until)
        return [row for row in batch if row.subject in mine], until

    def _exchange(self, rows: Sequence[Row], results: list[Told], requests: list[Sent]) -> None:
        """One batch: its outcomes go to `results`, its requests to `requests`, also when it is interrupted."""
        if not rows:
            return
        number, by_subject = randbits(62), {row.subject: row for row in rows}
        changes = [as_change(self.queue, row) for row in rows]
        got: list[Outcome] = []

        def note(attempt: Attempt) -> None:
            requests.append(Sent(attempt, number, rows[0].plan))

        try:
            with using(replace(current(), note=note)):
                for outcome in outcomes(self.sink, self.connection.config, changes):
                    got.append(outcome)
        finally:
            at, heard = self.now(), {outcome.change.subject for outcome in got}
            got += [Unknown(one, "the delivery was interrupted") for one in changes if one.subject not in heard]
            results += [told(outcome, by_subject[outcome.change.subject], at, number) for outcome in got]
        self.pace = self.pace.after(got, at)

    def _take_pace(self) -> None:
        """Puts the queue to rest or wakes it, as the channel's answers say. Raises what someone must act on."""
        if self.pace.answered:
            rest.end(self.engine, self.queue)
        if self.pace.rest or self.pace.failures:
            needed = self.pace.rest or rest.Rest(self.pace.failures, self.now(), self.pace.why)
            rest.begin(self.engine, self.queue, needed)
        if self.pace.error:
            raise self.pace.error


def _out_of_time() -> bool:
    deadline = current().deadline
    return deadline is not None and time.monotonic() > deadline - LAST_SECONDS
