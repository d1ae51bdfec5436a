"""New file → ingest; dirty → decide; outbox not empty → deliver; held plan → show it to a person."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AddDynamicPartitionsRequest,
    AssetObservation,
    AssetSpec,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    DynamicPartitionsDefinition,
    MetadataValue,
    RunRecord,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from sqlalchemy import text

from connectors.sdk.errors import HubError
from dagster_project import clock
from dagster_project.automation.jobs import AssetJob, Jobs, cadence
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import markdown
from dagster_project.store.database import engine
from dagster_project.store.dirty import newest
from dagster_project.store.outbox import due

BUSY = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
FAILED = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
RETRY = timedelta(minutes=5)
"""After so long a decide run that failed is asked for again, though nothing else became dirty."""
HELD_PLANS = DynamicPartitionsDefinition(name="held_plan")


def sensors(hub: Hub, jobs: Jobs) -> list[SensorDefinition]:
    """Every sensor but the hot lane's; none calls a vendor."""
    files = [file_sensor(one, jobs) for one in hub.connections.values() if one.spec and one.spec.files]
    return [dirty_sensor(jobs.decide), outbox_sensor(hub, jobs.deliver), held_sensor(), *files]


def in_progress(instance: DagsterInstance, job: str, tags: dict[str, str] | None = None) -> bool:
    return bool(instance.get_run_records(RunsFilter(job_name=job, statuses=BUSY, tags=tags or {}), limit=1))


def dirty_sensor(decide: AssetJob) -> SensorDefinition:
    """Asks for one decide run at a time; the run key is the newest dirty row, so the same dirt never asks twice, unless
    the run that it asked for failed."""

    @sensor(name="dirty", job=decide, minimum_interval_seconds=10, default_status=DefaultSensorStatus.RUNNING)
    def dirty(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        upto = newest(engine())
        if upto is None:
            return SkipReason("nothing is dirty")
        if in_progress(context.instance, "decide"):
            return SkipReason("a decide run is in progress")
        return RunRequest(run_key=f"dirty-{upto}{_after_failure(context.instance)}")

    return dirty


def _after_failure(instance: DagsterInstance) -> str:
    """Names the last decide run where it failed a while ago, so that its dirt may ask again."""
    [*last] = instance.get_run_records(RunsFilter(job_name="decide"), limit=1)
    failed = [one for one in last if one.dagster_run.status in FAILED and clock.now() - _ended(one) >= RETRY]
    return "".join(f"-after-{one.dagster_run.run_id}" for one in failed)


def _ended(run: RunRecord) -> datetime:
    return run.update_timestamp.replace(tzinfo=run.update_timestamp.tzinfo or UTC)


def outbox_sensor(hub: Hub, deliver: AssetJob) -> SensorDefinition:
    """One delivery run per channel that has something due; a channel in delivery is left alone."""

    @sensor(name="outbox", job=deliver, minimum_interval_seconds=10, default_status=DefaultSensorStatus.RUNNING)
    def outbox(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        for connection, capability in due(engine(), now=clock.now()):
            if connection not in hub.connections or capability not in hub[connection].capabilities:
                continue
            tags = {"keruen/delivery": f"{connection}:{capability}"}
            if not in_progress(context.instance, "deliver", tags):
                key = keys.outward("delivery", connection, capability)
                yield RunRequest(asset_selection=[key], tags=tags)

    return outbox


def held_plan_asset() -> AssetSpec:
    """Plans that wait for a person, one partition each."""
    return AssetSpec(
        keys.HELD_PLAN,
        group_name=keys.PLAN,
        partitions_def=HELD_PLANS,
        description="Plans that wait for a person, with their first rows and the config for the job `approve`.",
    )


def held_sensor() -> SensorDefinition:
    """Shows each newly held plan as a partition of `held_plan`."""

    @sensor(name="held_plans", minimum_interval_seconds=30, default_status=DefaultSensorStatus.RUNNING)
    def held(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        seen = int(context.cursor or 0)
        with engine().connect() as connection:
            plans = connection.execute(
                text(
                    "select plan, connection, capability, reason, held from ledger.plan "
                    "where state = 'held' and plan > :seen order by plan limit 20"
                ),
                {"seen": seen},
            ).fetchall()
        if not plans:
            return SkipReason("no newly held plan")
        return SensorResult(
            asset_events=[_observed(plan) for plan in plans],
            dynamic_partitions_requests=[AddDynamicPartitionsRequest("held_plan", [str(plan.plan) for plan in plans])],
            cursor=str(plans[-1].plan),
        )

    return held


def _observed(plan) -> AssetObservation:  # type: ignore[no-untyped-def]
    rows_sql = (
        "select subject, was, becomes, because, guard from ledger.outbox "
        "where plan = :plan and capability <> 'order.push' order by subject limit 50"
    )
    with engine().connect() as connection:
        rows = connection.execute(text(rows_sql), {"plan": plan.plan}).fetchall()
    config = f"ops:\n  decision:\n    config:\n      plan: {plan.plan}\n      decision: approve\n      why: ''\n"
    return AssetObservation(
        keys.HELD_PLAN,
        partition=str(plan.plan),
        metadata={
            "channel": f"{plan.connection} {plan.capability}",
            "reason": plan.reason or "rows held by a guard",
            "rows": MetadataValue.md(markdown(rows, ["subject", "was", "becomes", "because", "guard"])),
            "approve": MetadataValue.md(f"```yaml\n{config}```"),
        },
    )


def file_sensor(connection: Connection, jobs: Jobs) -> SensorDefinition:
    """New whole files in the inbox start a pull. The run key is what lies there: the same files never ask twice."""
    assert connection.spec is not None
    assert connection.spec.files is not None
    drop = connection.spec.files
    job: AssetJob = jobs.pulls[connection.name][cadence(connection, drop.name)]

    @sensor(
        name=f"files_{connection.name}",
        job=job,
        minimum_interval_seconds=15,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def files(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        try:
            whole = [found for found in drop.find(connection.config) if not found.waiting]
        except HubError as error:
            return SkipReason(str(error))
        if not whole:
            return SkipReason("no whole file")
        if in_progress(context.instance, job.name):
            return SkipReason("a run that reads the folder is in progress")
        lies_there = sorted(f"{found.name}:{found.size}:{found.modified_at.timestamp()}" for found in whole)
        return RunRequest(run_key=hashlib.blake2b("|".join(lies_there).encode(), digest_size=16).hexdigest())

    return files
