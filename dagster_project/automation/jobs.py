"""Jobs that schedules and sensors start. All run in process: their steps are small, and a process costs seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagster import (
    AssetSelection,
    Config,
    Failure,
    JobDefinition,
    OpExecutionContext,
    define_asset_job,
    in_process_executor,
    job,
    op,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field as Setting

from connectors.sdk.errors import HubError
from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.factories.people import fed
from dagster_project.steps.approve import approve, reject
from dagster_project.store.database import engine

AssetJob = UnresolvedAssetJobDefinition
FULL = {"config": {"full": True}}


@dataclass(frozen=True)
class Jobs:
    """Every job of a hub, made once: schedules and sensors must name the very objects that the definitions hold.

    `pulls`: connection → cron line → the job that reads the resources of that cadence and maps them. `nights`:
    connection → the job that reads all of it; one vendor that is down at night is its own affair.
    """

    pulls: Mapping[str, Mapping[str, AssetJob]]
    nights: Mapping[str, AssetJob]
    decide: AssetJob
    deliver: AssetJob
    nightly: AssetJob
    approve: JobDefinition

    @property
    def all(self) -> list[AssetJob | JobDefinition]:
        pulls = [job for by_cadence in self.pulls.values() for job in by_cadence.values()]
        return [*pulls, *self.nights.values(), self.decide, self.deliver, self.nightly, self.approve]


def jobs_of(hub: Hub) -> Jobs:
    """The jobs of a hub with at least one connection."""
    pulls = {name: pull_jobs(connection) for name, connection in hub.connections.items()}
    nights = {name: night_job(connection) for name, connection in hub.connections.items() if keys.resources(connection)}
    return Jobs(pulls, nights, decide_job(hub), deliver_job(hub), nightly_job(hub), approve_job(hub))


def decide_job(hub: Hub) -> AssetJob:
    """Decides what is dirty for every channel it touches."""
    chosen = [
        *([keys.GOLDEN_CUSTOMER] if fed(hub) else []),
        keys.POSITION_STOCK,
        *(keys.desired(capability) for _, capability in keys.writes(hub)),
        *(keys.outward("plan", one.name, capability) for one, capability in keys.writes(hub)),
    ]
    return define_asset_job("decide", AssetSelection.assets(*dict.fromkeys(chosen)), executor_def=in_process_executor)


def pull_jobs(connection: Connection) -> Mapping[str, AssetJob]:
    """Cron line → job; none for a connection whose connector failed."""
    cadences: dict[str, list[str]] = {}
    for name in keys.resources(connection):
        cadences.setdefault(cadence(connection, name), []).append(name)
    jobs = {}
    for cron, names in cadences.items():
        jobs[cron] = define_asset_job(
            f"pull_{connection.name}_{'_'.join(names)}",
            _read_and_mapped(connection, names),
            executor_def=in_process_executor,
            description=f"Reads {', '.join(names)} of {connection.name}: {cron}",
        )
    return jobs


def night_job(connection: Connection) -> AssetJob:
    """Everything of a connection in full: all records read, deletions found."""
    return define_asset_job(
        f"nightly_{connection.name}",
        _read_and_mapped(connection, list(keys.resources(connection))),
        config={"ops": {f"raw_{connection.name}": FULL}},
        executor_def=in_process_executor,
    )


def _read_and_mapped(connection: Connection, names: Sequence[str]) -> AssetSelection:
    raw = [keys.raw(connection.name, name) for name in names]
    entities = {entity for name in names for entity in keys.resources(connection)[name]}
    return AssetSelection.assets(*raw, *(keys.canonical(entity) for entity in sorted(entities)))


def cadence(connection: Connection, resource: str) -> str:
    """The merchant's cron line for a resource, else the connector's."""
    assert connection.spec is not None
    files = connection.spec.files
    own = files.every if files and files.name == resource else connection.spec.resource(resource).every
    return connection.entry.every.get(resource, own)


def nightly_job(hub: Hub) -> AssetJob:
    """Every subject decided anew, channels read back."""
    return define_asset_job(
        "nightly",
        AssetSelection.groups(keys.GOLDEN, keys.POSITION, keys.DESIRED, keys.DRIFT)
        | (AssetSelection.groups(keys.PLAN) - AssetSelection.assets(keys.HELD_PLAN)),
        config={"ops": {"decide_channels": FULL}},
        executor_def=in_process_executor,
    )


def deliver_job(hub: Hub) -> AssetJob:
    """Delivers what waits in the outbox; the sensor chooses which channels."""
    return define_asset_job("deliver", AssetSelection.groups(keys.DELIVERY), executor_def=in_process_executor)


class Decision(Config):
    """A person's word on a held plan."""

    plan: int = Setting(description="Number of the plan; `keruen plan --held` lists them.")
    decision: str = Setting("approve", description="approve or reject")
    rows: list[str] = Setting(default_factory=list, description="Subjects it is about; empty: all of the plan.")
    why: str = Setting("", description="Kept in the ledger beside who decided.")


def approve_job(hub: Hub) -> JobDefinition:
    """The same as `keruen approve` and `keruen reject`."""

    @op(name="decision")
    def decision(context: OpExecutionContext, config: Decision) -> None:
        decide_on = {"approve": approve, "reject": reject}.get(config.decision)
        if decide_on is None:
            raise Failure(f"decision must be approve or reject, not {config.decision!r}")
        who = context.run.tags.get("user", "dagster")
        try:
            rows = decide_on(engine(), config.plan, config.rows or None, who=who, why=config.why, now=clock.now())
        except HubError as error:
            raise Failure(str(error)) from error
        context.log.info(f"plan {config.plan}: {rows} rows {config.decision}d by {who}")

    @job(
        name="approve",
        executor_def=in_process_executor,
        description="Approves or rejects a held plan, or some of its rows.",
    )
    def approval() -> None:
        decision()

    return approval
