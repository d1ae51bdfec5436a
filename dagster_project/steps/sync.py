"""One pass of the whole hub in this process: extract → canonical → decide → plan → deliver → marts."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Engine

from connectors.sdk.errors import HubError, TransientError
from dagster_project.connections import Connection, Hub
from dagster_project.steps.deliver import deliver
from dagster_project.steps.demand import demand_due
from dagster_project.steps.marts import MADE, fill, fill_written
from dagster_project.steps.people.due import people_due
from dagster_project.steps.people.segments import stopped
from dagster_project.steps.publish import settle_fetches
from dagster_project.steps.pull import Clock, Progress, Pull, Pulled
from dagster_project.steps.rules import decide_due


@dataclass(frozen=True)
class Pushed:
    """What one capability did: changes planned, outcomes written, rows waiting for a person."""

    connection: str
    capability: str
    planned: int = 0
    sent: int = 0
    held: int = 0
    error: str | None = None


@dataclass
class Report:
    """The result of a pass. `errors` make the command exit 1; held plans do not.

    `segments`: those that keep their members until somebody mends them → what, and in which file.
    """

    resources: list[Pulled] = field(default_factory=list)
    capabilities: list[Pushed] = field(default_factory=list)
    segments: dict[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> list[str]:
        """Each sentence once: a token that is not set stops every resource of its connection."""
        failed = (part.error for part in (*self.resources, *self.capabilities) if part.error)
        return list(dict.fromkeys((*failed, *self.segments.values())))

    @property
    def idle(self) -> bool:
        """Nothing new was read, nothing was planned or sent."""
        return not any(part.landed for part in self.resources) and not any(
            part.planned or part.sent for part in self.capabilities
        )

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """What `keruen sync --json` prints."""
        return {
            "resources": [asdict(part) for part in self.resources],
            "capabilities": [asdict(part) for part in self.capabilities],
            "segments": [{"segment": name, "error": why} for name, why in self.segments.items()],
        }


def in_order(hub: Hub, names: Sequence[str] = ()) -> list[Connection]:
    """Connections to work on, those that own the products first: stock and orders speak of their variants."""
    chosen = [hub[name] for name in names] if names else list(hub.connections.values())
    owners = hub.authority("product")
    return sorted(chosen, key=lambda connection: connection.name not in owners)


def push(
    engine: Engine, hub: Hub, connections: Sequence[Connection], clock: Clock, progress: Progress
) -> Iterator[Pushed]:
    """Decides what is dirty, then delivers everything that may go to `connections`."""
    progress("hub", "deciding")
    for connection in connections:
        with suppress(TransientError):
            settle_fetches(engine, connection)
    people_due(engine, hub, now=clock())
    planned = decide_due(engine, hub, now=clock())
    for connection in connections:
        for capability in connection.capabilities:
            progress(connection.name, f"delivering {capability}")
            rows = planned.get((connection.name, capability))
            counts, undecided = ((rows.planned, rows.held), rows.error) if rows else ((0, 0), None)
            try:
                sent = deliver(engine, hub, connection, capability, now=clock)
            except HubError as error:
                yield Pushed(connection.name, capability, counts[0], 0, counts[1], str(error))
                continue
            yield Pushed(connection.name, capability, counts[0], sent.outcomes, counts[1], undecided)


def sync(
    engine: Engine,
    hub: Hub,
    names: Sequence[str] = (),
    *,
    clock: Clock,
    full: bool = False,
    progress: Progress = lambda connection, what: None,
) -> Report:
    """The whole hub once. Connections that fail are reported and the others go on."""
    report = Report()
    chosen = in_order(hub, names)
    report.resources.extend(Pull(engine, hub, clock, full, progress).all(chosen))
    report.capabilities.extend(push(engine, hub, chosen, clock, progress))
    report.segments = stopped(engine, hub)
    progress("hub", "marts")
    if full:
        fill(engine, hub, MADE, now=clock())
    fill_written(engine, hub, now=clock())
    demand_due(engine, hub, now=clock())
    return report
