"""Deliver: what may go leaves the outbox, one outcome per change. The only place that writes to a channel."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from secrets import randbits

from sqlalchemy import Engine

from connectors.sdk.deliver import Outcome, Unknown, outcomes
from connectors.sdk.errors import ConfigError, HubError
from connectors.sdk.runtime import Attempt, current, using
from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.changes import told
from dagster_project.steps.pace import Pace
from dagster_project.steps.people.leaving import PEOPLE, leaving
from dagster_project.steps.people.localisation import require_home
from dagster_project.steps.people.optouts import hear_optouts, heard_in_seconds
from dagster_project.steps.people.unreached import book_unreached
from dagster_project.steps.publish import publish
from dagster_project.steps.reconcile import read_back, resendable
from dagster_project.store import feed, outbox, rest
from dagster_project.store.ledger import Queue
from dagster_project.store.limits import lent
from dagster_project.store.outbox import Claim, Row, Sent, Told
from dagster_project.store.people import erasure

Clock = Callable[[], datetime]
CHUNK = 2000
"""Rows claimed together: enough that the store costs little per row, few enough to read back after a crash."""
BATCHES = 20
RECORDING = 2
"""Chunks recorded at once: one waits for the disk while the other is worked on, and the requests for neither."""
LEASE = timedelta(minutes=5)
"""Longer than any single request with its time-outs and its wait for the account's turn."""
LAST_SECONDS = 2.5
"""Left of the run's time, in which no further batch begins: its request would be refused for want of time."""


@dataclass(frozen=True)
class Delivered:
    """Changes by outcome. `published`: rows newly shown in a feed. `superseded`: dropped as older than their items.

    `excluded`: not sent, as the person may not be reached any more. `waiting`: rows that may go but have not: deferred,
    unknown, or not reached.
    """

    accepted: int = 0
    rejected: int = 0
    deferred: int = 0
    unknown: int = 0
    published: int = 0
    superseded: int = 0
    excluded: int = 0
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

    In a hurry nobody is brought in where opt-outs take long to hear: that is left to a run without a deadline, or every
    tick would begin to ask and none would come to send.

    Any number of processes may deliver the same queue. With nothing due no request is made; a dry run makes none
    either and changes nothing. Where a setting must be mended, everything is deferred with the sentence of a
    ConfigError, which is raised in the end.
    """
    assert connection.spec is not None
    queue, sink = Queue(connection.name, capability), connection.spec.sink(capability)
    if dry_run:
        return Delivered(waiting=outbox.waiting(engine, queue))
    if sink.mode == "snapshot" and capability in PEOPLE:
        raise ConfigError(f"{connection.name}: people are never published as a file; its connector must take changes")
    if sink.mode == "snapshot":
        publish(engine, hub, connection, sink, now=now())
        return Delivered(published=feed.counted(engine, connection.name, capability))
    outbox.expire(engine, queue, now=now())
    if not outbox.waiting(engine, queue):
        return Delivered()
    if outbox.reaching(engine, queue, now=now()):
        require_home(connection, capability)
        if sink.reaches and current().deadline is not None and not heard_in_seconds(connection):
            return Delivered(waiting=outbox.waiting(engine, queue))
    found = rest.find(engine, queue)
    if found.lasts(now()):
        rest.begin(engine, queue, found)
        return Delivered(waiting=outbox.waiting(engine, queue))
    done = _Delivery(engine, hub, connection, sink, queue, now, Pace(found.rounds))
    with lent(engine):
        done.run(limit)
    return Delivered(**done.counts, waiting=outbox.waiting(engine, queue))


@dataclass
class _Delivery:
    """One pass over a queue: a worker with its own name, its pace, and what it has recorded so far."""

    engine: Engine
    hub: Hub
    connection: Connection
    sink: Sink
    queue: Queue
    now: Clock
    pace: Pace
    counts: Counter[str] = field(default_factory=Counter)
    worker: str = field(default_factory=outbox.new_worker)
    numbers: Iterator[int] = field(default_factory=lambda: count(randbits(62)))
    """Of batches: nobody else's begin there."""
    ahead: "Future[Claim | None] | None" = None
    recording: "deque[Future[dict[str, int]]]" = field(default_factory=deque)

    def run(self, limit: int | None) -> None:
        try:
            _ = self.connection.config
        except ConfigError as error:
            self.pace = self.pace.stopped(error, self.now())
        self._settle_unknown()
        self._hear_optouts()
        with ThreadPoolExecutor(RECORDING + 1, "outbox") as store:
            try:
                for claim in self._claims(store, limit):
                    self._send(store, claim)
            finally:
                wait([*self.recording, *([self.ahead] if self.ahead else [])])
                outbox.release(self.engine, self.queue, self.worker)
                self._count_recorded(but=0)
        if self.counts["unknown"]:
            self._settle_unknown()
        if self.queue.capability in PEOPLE:
            with self.engine.begin() as db:
                erasure.settle(db, now=self.now())
        self._take_pace()

    def _claims(self, store: Executor, limit: int | None) -> Iterator[Claim]:
        """Chunks to send. The store claims the next and records the last ones while the requests of this one go out."""
        left = limit
        while claim := (self.ahead or store.submit(self._claim, left)).result():
            left = left and left - len(claim.rows)
            self.counts["superseded"] += claim.superseded
            self.ahead = None if self._alone else store.submit(self._claim, left)
            yield claim
            if self._alone:  # whoever dies now leaves one in doubt, and not those before it that were answered
                self._count_recorded(but=0)

    def _claim(self, left: int | None) -> Claim | None:
        """The next chunk, None when there is nothing to send or it is time to stop."""
        if self.pace.rest or _out_of_time() or left == 0:
            return None
        size = self.sink.batch if self._alone else min(max(CHUNK, self.sink.batch), self.sink.batch * BATCHES)
        now = self.now()
        size = size if left is None else min(size, left)
        claim = outbox.claim(self.engine, self.queue, self.worker, limit=size, now=now, until=now + LEASE)
        return claim if claim.rows or claim.superseded else None

    @property
    def _alone(self) -> bool:
        """Whether only what leaves at once is claimed: the channel is tried, or nobody could read back the rest."""
        return self.pace.trying or (self.sink.read_back is None and not resendable(self.sink, self.queue.capability))

    def _hear_optouts(self) -> None:
        """Before anybody is added to an audience: what people told the platform itself."""
        if self.sink.reaches is None or self.pace.rest or not outbox.reaching(self.engine, self.queue, now=self.now()):
            return
        try:
            hear_optouts(self.engine, self.hub, self.connection, now=self.now())
        except HubError as error:
            self.pace = self.pace.deaf(error, self.now())

    def _settle_unknown(self) -> None:
        """Reads back what may have arrived. After a rest this is the try: nothing follows its failure."""
        if self.pace.rest or _out_of_time():
            return
        reading = read_back(self.engine, self.hub, self.connection, self.sink, self.queue, self.worker, now=self.now)
        settled = Counter({name: count for name, count in reading.counts.items() if name != "unknown"})
        self.counts["unknown"] = max(0, self.counts["unknown"] - settled.total())
        self.counts.update(settled)
        if reading.failed:
            self.pace = self.pace.failed(reading.failed, self.now())
        elif reading.asked:
            self.pace = self.pace.heard()

    def _send(self, store: Executor, claim: Claim) -> None:
        """A claimed chunk, batch by batch. Whatever ends it, its outcomes are recorded."""
        results: list[Told] = []
        requests: list[Sent] = []
        try:
            for start in range(0, len(claim.rows), self.sink.batch):
                if self.pace.rest or _out_of_time() or not self._outlasts(claim):
                    break
                self._exchange(claim.rows[start : start + self.sink.batch], results, requests)
        finally:
            self._count_recorded(but=RECORDING - 1)
            told = (self.engine, self.queue, self.worker, results, requests)
            self.recording.append(store.submit(outbox.record, *told, now=self.now()))

    def _count_recorded(self, *, but: int) -> None:
        """Waits for the chunks that are being recorded, but for the last ones; a failure ends the delivery."""
        while len(self.recording) > but:
            self.counts.update(self.recording.popleft().result())

    def _outlasts(self, claim: Claim) -> bool:
        """Whether the claim is sure to outlast its next request; it is prolonged in time, and lost if we slept."""
        if claim.until - self.now() > LEASE / 2:
            return True
        claim.until = self.now() + LEASE
        mine = outbox.renew(self.engine, self.queue, self.worker, until=claim.until)
        return all(row.subject in mine for row in claim.rows)

    def _exchange(self, rows: Sequence[Row], results: list[Told], requests: list[Sent]) -> None:
        """One batch: its outcomes go to `results`, its requests to `requests`, also when it is interrupted."""
        if not rows:
            return
        number, by_subject = next(self.numbers), {row.subject: row for row in rows}
        changes, kept_back = leaving(self.engine, self.hub, self.connection, self.queue, rows, now=self.now())
        results += kept_back
        if not changes:
            return
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
            book_unreached(self.engine, self.queue, self.sink, got, now=at)
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
