"""Reading back: what became of a write without an answer, and whether channels still show what they confirmed."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from secrets import randbits
from typing import Any

from sqlalchemy import Engine

from connectors.sdk.deliver import Shown
from connectors.sdk.errors import HubError
from connectors.sdk.redact import sample
from connectors.sdk.runtime import Attempt, current, using
from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.changes import agree, back_off, kept_receipt, value_of
from dagster_project.steps.people.leaving import impersonal, looked_up
from dagster_project.steps.people.withdraw import FORGET
from dagster_project.store import drift, outbox
from dagster_project.store.ledger import Queue
from dagster_project.store.limits import lent
from dagster_project.store.outbox import Row, Sent, Told

ABSOLUTE = frozenset({"stock.push", "price.push", "segment.push"})
"""Values of which the same one twice does no harm."""
COMPARED = frozenset({"stock.push", "price.push", "segment.push"})
"""What is compared every night with what the channel shows."""
NOTHING = Shown(None)
LEASE = timedelta(minutes=10)
GRACE = timedelta(minutes=5)
"""A listing seen sooner after our write may still be the old page: channels answer before they show."""
SAMPLE, WEEK = 500, 7
"""Items read one by one in a night, those longest unseen first, where a channel gives no list; of an audience a seventh
of the members if these are more, so that everybody is looked at in a week."""


@dataclass(frozen=True)
class Reading:
    """Unknown rows by what the read-back made of them. `failed`: why the channel could not be read. `asked`: it was."""

    counts: Mapping[str, int] = field(default_factory=dict)
    failed: str | None = None
    asked: bool = False


@dataclass(frozen=True)
class Reconciled:
    """`settled`: unknown rows resolved. `compared`: items freshly observed. `drifted`: shown otherwise, so dirty."""

    settled: int = 0
    compared: int = 0
    drifted: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {"settled": self.settled, "compared": self.compared, "drifted": self.drifted}


def reconcile(engine: Engine, hub: Hub, connection: Connection, capability: str, *, now: datetime) -> Reconciled:
    """The nightly comparison: unknown rows are settled, confirmed values compared with what the channel shows.

    What drifted goes to hub.dirty and is planned anew through the guards; nothing is sent here. A channel whose
    listings are pulled is compared with them; one that is only read by key is sampled, longest unseen first.
    """
    assert connection.spec is not None
    queue, sink = Queue(connection.name, capability), connection.spec.sink(capability)
    with lent(engine):
        return _reconciled(engine, hub, connection, sink, queue, now)


def _reconciled(
    engine: Engine, hub: Hub, connection: Connection, sink: Sink, queue: Queue, now: datetime
) -> Reconciled:
    reading = Reading()
    if sink.mode == "delta":
        outbox.expire(engine, queue, now=now)
        reading = read_back(engine, hub, connection, sink, queue, outbox.new_worker(), now=lambda: now)
    settled = reading.counts.get("accepted", 0) + reading.counts.get("deferred", 0)
    if queue.capability not in COMPARED or reading.failed:
        return Reconciled(settled)
    seen = (
        drift.listed(engine, queue, grace=GRACE)
        if lists(connection) and queue.capability in drift.LISTED
        else _sampled(engine, hub, connection, sink, queue, now)
    )
    drifted = [one for one in seen if not _same(sink, queue, one)]
    drift.record(engine, queue, seen, {one.subject for one in drifted}, now=now)
    return Reconciled(settled, sum(one.observed is not None for one in seen), len(drifted))


def resendable(sink: Sink, capability: str) -> bool:
    """Whether it may be sent again where nothing can be read back. A message is no value: two of them are two."""
    return capability in ABSOLUTE and not sink.messages


def lists(connection: Connection) -> bool:
    """Whether the channel's listings are pulled, so that they need not be read one by one."""
    return connection.spec is not None and any("listing" in resource.maps for resource in connection.spec.resources)


def read_back(
    engine: Engine,
    hub: Hub,
    connection: Connection,
    sink: Sink,
    queue: Queue,
    worker: str,
    *,
    now: Callable[[], datetime],
) -> Reading:
    """Settles unknown rows: arrived is accepted, not arrived is ready again, unreadable stays unknown."""
    counts: Counter[str] = Counter()
    asked = False
    while rows := outbox.claim_unknown(engine, queue, worker, limit=sink.batch, now=now(), until=now() + LEASE):
        shown, failed, requests = _shown(engine, hub, connection, sink, queue, rows, now())
        batch = requests[0].batch if requests else None
        told = [_verdict(sink, queue, row, shown, failed, now())._replace(batch=batch) for row in rows]
        counts.update(outbox.record(engine, queue, worker, told, requests, now=now(), reading=True))
        asked = asked or sink.read_back is not None
        if failed:
            return Reading(counts, failed, asked)
    return Reading(counts, None, asked)


def _shown(
    engine: Engine, hub: Hub, connection: Connection, sink: Sink, queue: Queue, rows: Sequence[Row], now: datetime
) -> tuple[Mapping[str, Shown] | None, str | None, list[Sent]]:
    """What the channel shows of the rows' subjects, or why that cannot be said now; with the requests it took."""
    if sink.read_back is None:
        return None, None, []
    requests: list[Sent] = []
    number = randbits(62)

    def note(attempt: Attempt) -> None:
        requests.append(Sent(attempt, number, rows[0].plan))

    try:
        with using(replace(current(), note=note)):
            changes = looked_up(engine, hub, connection, queue, rows, now=now)
            seen = sink.read_back(connection.config, changes) if changes else {}
            shown = {subject: Shown.of(one) for subject, one in seen.items()}
            return impersonal(sink, queue, rows, changes, shown), None, requests
    except HubError as error:
        return None, sample(str(error)), requests
    except Exception as error:
        return None, sample(f"the connector broke ({type(error).__name__}: {error})"), requests


def _verdict(
    sink: Sink, queue: Queue, row: Row, shown: Mapping[str, Shown] | None, failed: str | None, at: datetime
) -> Told:
    if failed:
        wait = at + back_off(row.tries)
        return Told(row.subject, "unknown", f"not read back yet: {failed}", not_before=wait, at=at)
    if shown is None and _harmless(sink, queue, row):
        return Told(row.subject, "deferred", "no answer came; an absolute value is sent again", at=at)
    if shown is None:
        return Told(row.subject, "unknown", _undecided(sink, row), not_before=at + timedelta(days=1), at=at)
    if row.subject not in shown:
        return Told(row.subject, "deferred", "read back: the channel shows nothing; sent again", at=at)
    observed = shown[row.subject]
    seen = json.dumps(observed.value, ensure_ascii=False, default=str)
    if agree(sink.same, value_of(queue.capability, row.becomes), observed.value):
        receipt = kept_receipt(queue.capability, observed.receipt)
        return Told(row.subject, "accepted", receipt or outbox.ARRIVED, at=at, observed=seen, receipt=receipt)
    return Told(row.subject, "deferred", f"read back: the channel shows {seen}; sent again", at=at, observed=seen)


def _harmless(sink: Sink, queue: Queue, row: Row) -> bool:
    """Whether the row may be sent again. Whoever leaves a messenger's audience is written nothing."""
    writes = '"member": true' in (row.becomes or "")
    return resendable(sink, queue.capability) or row.becomes == FORGET or (sink.messages and not writes)


def _undecided(sink: Sink, row: Row) -> str:
    if not sink.messages:
        return "no answer came and the channel cannot be read: look there, then approve or reject this row"
    this = f"{row.plan} --rows {row.subject}"
    return (
        f"no answer came, so it may have been read: keruen approve {this} sends it again, keruen reject {this} does not"
    )


def _sampled(
    engine: Engine, hub: Hub, connection: Connection, sink: Sink, queue: Queue, now: datetime
) -> list[drift.Seen]:
    if sink.read_back is None:
        return []
    found = []
    nights = WEEK if queue.capability == "segment.push" else None
    rows = drift.longest_unseen(engine, queue, SAMPLE, nights=nights)
    for start in range(0, len(rows), sink.batch):
        batch = rows[start : start + sink.batch]
        shown, failed, _ = _shown(engine, hub, connection, sink, queue, batch, now)
        if failed or shown is None:
            break
        found += [_seen(row, shown.get(row.subject, NOTHING).value) for row in batch]
    return found


def _seen(row: Row, value: Any) -> drift.Seen:
    return drift.Seen(row.subject, row.becomes or "null", None if value is None else json.dumps(value, default=str))


def _same(sink: Sink, queue: Queue, seen: drift.Seen) -> bool:
    """What is not shown now says nothing, as there are channels that show only a part."""
    if seen.observed is None:
        return True
    shown = json.loads(seen.observed, parse_float=Decimal)
    return agree(sink.same, value_of(queue.capability, seen.acknowledged), shown)
