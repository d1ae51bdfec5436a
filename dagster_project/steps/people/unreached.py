"""Whom a channel cannot reach any more, as it says when it is written to: a refusal that the platform tells.

Only some channels tell of an opt-out in another way as well, and none of them for ever.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Engine

from connectors.sdk.deliver import Outcome, Rejected
from connectors.sdk.spec import Sink
from dagster_project.store.ledger import Queue
from dagster_project.store.people import statements
from mappings.canonical import ConsentEvent


def book_unreached(engine: Engine, queue: Queue, sink: Sink, got: Sequence[Outcome], *, now: datetime) -> None:
    """Keeps the refusals that outcomes of one request tell, once for each change, before the outcomes are recorded:
    whatever happens in between, nobody is written to again."""
    if sink.reaches is None:
        return
    told = [one for one in got if isinstance(one, Rejected) and one.change.about.get(one.unreachable)]
    if not told:
        return
    with engine.begin() as db:
        rows = [_refusal(queue, sink.reaches, one, now) for one in told]
        heard = statements.refusals_heard(db, queue.connection, [row["external_id"] for row in rows])
        fresh = [row for row in rows if row["external_id"] not in heard]
        statements.append(db, queue.connection, fresh, because=f"{queue.connection}.{queue.capability}")


def _refusal(queue: Queue, channel: str, one: Rejected, now: datetime) -> dict[str, Any]:
    said = ConsentEvent.model_validate({
        "external_id": f"{queue.capability}:{one.change.key}",
        "identifier_kind": one.unreachable,
        "identifier": one.change.about[one.unreachable],
        "channel": channel,
        "state": "refused",
        "by": "platform",
        "at": now,
        "evidence": {"how": "cannot be reached", "code": one.code},
    })  # fmt: skip
    source = {"connection": queue.connection, "resource": queue.capability, "observed_at": now}
    stored = {"evidence": to_json(said.evidence).decode(), "source": to_json(source).decode()}
    return {**said.model_dump(), **stored}
