"""Duties that the law gives, as assets and checks: what is kept too long, and demands whose term is near."""

from collections.abc import Sequence
from datetime import timedelta

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    DefaultScheduleStatus,
    MaterializeResult,
    MetadataValue,
    ScheduleDefinition,
    asset,
    asset_check,
    define_asset_job,
    in_process_executor,
)

from dagster_project import clock
from dagster_project.connections import Hub
from dagster_project.factories.people import fed
from dagster_project.factories.preview import markdown
from dagster_project.steps.people.retention import Outlived, retain
from dagster_project.store.database import engine
from dagster_project.store.people import erasure, sealing

RETENTION = AssetKey(["privacy", "retention"])
GROUP = "privacy"
AT_NIGHT = "50 2 * * *"
"""Before everything is read anew."""
WARNED = timedelta(days=5)
"""So long before a demand's term ends whoever runs the hub is warned."""
SHOWN = ("class", "purpose", "days", "where", "past", "removed", "held")


def privacy_assets(hub: Hub) -> list[AssetsDefinition]:
    """`privacy/retention`, where anything brings buyers."""
    if not fed(hub):
        return []

    @asset(
        key=RETENTION,
        group_name=GROUP,
        kinds={"postgres"},
        description="What was kept for its term is removed or made anonymous; terms stand under `hub.privacy`.",
    )
    def retention() -> MaterializeResult:
        report = retain(engine(), hub, now=clock.now())
        removed, held = sum(line.removed for line in report), sum(line.past for line in report if line.held)
        return MaterializeResult(metadata={"removed": removed, "held": held, "report": _table(report)})

    return [retention]


def privacy_checks(hub: Hub) -> Sequence[AssetChecksDefinition]:
    return [kept_no_longer(hub), erasures_in_time(), names_open()] if fed(hub) else []


def privacy_schedules(hub: Hub) -> list[ScheduleDefinition]:
    """Every night, all year."""
    if not fed(hub):
        return []
    job = define_asset_job("privacy_nightly", AssetSelection.groups(GROUP), executor_def=in_process_executor)
    return [ScheduleDefinition(job=job, cron_schedule=AT_NIGHT, execution_timezone=hub.entry.timezone,
                               default_status=DefaultScheduleStatus.RUNNING)]  # fmt: skip


def kept_no_longer(hub: Hub) -> AssetChecksDefinition:
    """Warns when something is kept past its term: so much would go at once that a person has to say so."""

    @asset_check(asset=RETENTION, name="kept_no_longer", description=kept_no_longer.__doc__)
    def check() -> AssetCheckResult:
        past = [line for line in retain(engine(), hub, now=clock.now(), dry_run=True) if line.past]
        told = {"past": sum(line.past for line in past), "report": _table(past)}
        return AssetCheckResult(passed=not past, severity=AssetCheckSeverity.WARN, metadata=told)

    return check


def erasures_in_time() -> AssetChecksDefinition:
    """Warns five days before the term of a demand to be forgotten ends, and fails once it has ended."""

    @asset_check(asset=RETENTION, name="erasures_in_time", description=erasures_in_time.__doc__)
    def check() -> AssetCheckResult:
        now = clock.now()
        with engine().connect() as db:
            near = erasure.due_before(db, now + WARNED)
        late = [request for request, due in near if due < now]
        severity = AssetCheckSeverity.ERROR if late else AssetCheckSeverity.WARN
        told = {"near": len(near), "late": len(late), "requests": ", ".join(str(request) for request, _ in near)}
        return AssetCheckResult(passed=not near, severity=severity, metadata=told)

    return check


def names_open() -> AssetChecksDefinition:
    """Fails where names lie under keys that are not there: a backup came back without `privacy.data_key`. Restore the
    latest copy of that table."""

    @asset_check(asset=RETENTION, name="names_open", description=names_open.__doc__)
    def check() -> AssetCheckResult:
        with engine().connect() as db:
            lost = sealing.lost(db)
        return AssetCheckResult(passed=not any(lost.values()), severity=AssetCheckSeverity.ERROR, metadata=lost)

    return check


def _table(report: Sequence[Outlived]) -> MetadataValue:
    rows = [tuple(line.as_json()[name] for name in SHOWN) for line in report]
    return MetadataValue.md(markdown(rows, list(SHOWN)))
