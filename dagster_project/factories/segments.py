"""Segments as assets: who entered and who left in each run, and whether they were looked at lately."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Config,
    DefaultScheduleStatus,
    MaterializeResult,
    MetadataValue,
    ScheduleDefinition,
    asset_check,
    define_asset_job,
    in_process_executor,
    multi_asset,
)
from sqlalchemy import Engine, text

from dagster_project import clock
from dagster_project.connections import Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import preview
from dagster_project.segment_files import segments
from dagster_project.steps.people.coverage import covered
from dagster_project.steps.people.identify import identify_due
from dagster_project.steps.people.segments import segments_due, stopped
from dagster_project.store.database import engine
from mappings.segments.compile import Compiled

GROUP = "segment_4"
VALUES = AssetKey(["segment", "person_value"])
FRESH = "fresh"
OFTEN, AT_NIGHT, WATCHED = "*/15 * * * *", "40 4 * * *", "50 * * * *"
LATE = {"on_change": timedelta(hours=2), "daily": timedelta(hours=26)}
"""After so long without a look a segment is stale; a static list never is."""


class SegmentConfig(Config):
    """`full`: everybody is evaluated, not only those who changed. The result is the same, the cost is not."""

    full: bool = False


def key(name: str) -> AssetKey:
    return AssetKey(["segment", name])


def segment_assets(hub: Hub) -> list[AssetsDefinition]:
    """Assets `segment/person_value` and `segment/<name>`. Files that cannot be read have no assets: the check
    `files_readable` quotes what to mend, and the other segments go on."""
    written = segments(hub)
    specs = [_values(hub), *(_spec(one) for one in written)]
    checks = [
        AssetCheckSpec("files_readable", asset=VALUES),
        *(AssetCheckSpec("consent_coverage", asset=key(one.name)) for one in written if _asks(one)),
    ]

    @multi_asset(name="segments", specs=specs, check_specs=checks, can_subset=True)
    def evaluate(context: AssetExecutionContext, config: SegmentConfig) -> Iterator[Any]:
        store, now = engine(), clock.now()
        identify_due(store, hub, now=now)
        segments_due(store, hub, now=now, full=config.full)
        if VALUES in context.selected_asset_keys:
            yield MaterializeResult(asset_key=VALUES, metadata=_models(store))
            yield _readable(stopped(store, hub))
        for one in written:
            if key(one.name) in context.selected_asset_keys:
                yield MaterializeResult(asset_key=key(one.name), metadata=_moves(store, one.name, now))
                if _asks(one):
                    yield _covered(store, hub, one, now)

    return [evaluate]


def segment_checks(hub: Hub) -> Sequence[AssetChecksDefinition]:
    """Checks that stand apart from the run that they watch: one that does not come cannot tell of it."""
    return [fresh(one) for one in segments(hub)]


def segment_schedules(hub: Hub) -> list[ScheduleDefinition]:
    """Every quarter of an hour those who changed and those whose time has come; every night everybody; and every hour
    a look at whether the two still come."""
    often, night = (
        define_asset_job(name, AssetSelection.groups(GROUP), executor_def=in_process_executor, config=config)
        for name, config in (
            ("segments_due", None),
            ("segments_nightly", {"ops": {"segments": {"config": {"full": True}}}}),
        )
    )
    watched = [AssetCheckKey(key(one.name), FRESH) for one in segments(hub)]
    watch = define_asset_job("segments_watched", AssetSelection.checks(*watched), executor_def=in_process_executor)
    crons = [(often, OFTEN), (night, AT_NIGHT), *([(watch, WATCHED)] if watched else [])]
    return [
        ScheduleDefinition(job=job, cron_schedule=cron, execution_timezone=hub.entry.timezone,
                           default_status=DefaultScheduleStatus.RUNNING)
        for job, cron in crons
    ]  # fmt: skip


def _values(hub: Hub) -> AssetSpec:
    fed = keys.feeds(hub)
    return AssetSpec(
        VALUES,
        deps=[keys.canonical(entity) for entity in ("order", "customer", "contact_event", "cart") if entity in fed],
        group_name=GROUP,
        kinds={"postgres", "python"},
        description="What people bought, as sums; RFM by dated borders, lifecycle, P(alive), value in 12 months.",
        metadata={"table": "segment.person_value"},
    )


def _spec(one: Compiled) -> AssetSpec:
    said = one.segment
    return AssetSpec(
        key(one.name),
        deps=[VALUES, *(key(other) for other in sorted(one.refers))],
        group_name=GROUP,
        kinds={"postgres"},
        description=f"{said.title.en} · {said.title.ru} · {said.title.kk}",
        metadata={"table": "canonical.segment_member", "refresh": said.refresh, "owner": said.owner},
    )


_MOVES = text("""
select count(*) filter (where change = 'entered') as entered, count(*) filter (where change = 'left') as went,
       (select count(*) from segment.membership m where m.segment = :segment) as members,
       (select count(*) from segment.membership m where m.segment = :segment and hold_out) as held_out
from segment.change where segment = :segment and at = :now
""")
_WHY = """
select change, regexp_replace(cause, 'merged (into|from) .*', 'merged \\1 another') as why, count(*) as persons
from segment.change where segment = :segment and at = :now group by 1, 2 order by 3 desc limit 10
"""


def _moves(store: Engine, segment: str, now: datetime) -> dict[str, Any]:
    with store.connect() as db:
        row = db.execute(_MOVES, {"segment": segment, "now": now}).one()
    return {
        "entered": row.entered,
        "left": row.went,
        "dagster/row_count": row.members,
        "held_out": row.held_out,
        "why": preview(store, _WHY, segment=segment, now=now),
    }


def _models(store: Engine) -> dict[str, Any]:
    kinds = "select kind, max(fitted_on) as fitted_on, count(*) as versions from segment.model group by kind order by 1"
    stages = "select lifecycle, count(*) as persons from segment.person_value group by 1 order by 2 desc"
    with store.connect() as db:
        people = db.execute(text("select count(*) from segment.person_value")).scalar_one()
    return {
        "dagster/row_count": MetadataValue.int(people),
        "models": preview(store, kinds),
        "lifecycle": preview(store, stages),
    }


def _readable(wrong: Mapping[str, str]) -> AssetCheckResult:
    """Fails, loudly, where a segment must be mended: until then nobody enters or leaves it. Names all of them."""
    return AssetCheckResult(
        check_name="files_readable",
        asset_key=VALUES,
        passed=not wrong,
        severity=AssetCheckSeverity.ERROR,
        metadata={"problem": "\n".join(wrong.values()) or "none"},
    )


def fresh(one: Compiled) -> AssetChecksDefinition:
    """Warns when nobody looked at who belongs here for two hours, or for a day where a look a day will do."""

    @asset_check(asset=key(one.name), name=FRESH, description=fresh.__doc__)
    def check() -> AssetCheckResult:
        query = text("select evaluated_at from segment.definition where segment = :segment")
        with engine().connect() as db:
            looked = db.execute(query, {"segment": one.name}).scalar_one_or_none()
        limit = LATE.get(one.segment.refresh)
        lately = looked is not None and (limit is None or clock.now() - looked <= limit)
        told = {"evaluated_at": str(looked or "never")}
        return AssetCheckResult(passed=lately, severity=AssetCheckSeverity.WARN, metadata=told)

    return check


def _asks(one: Compiled) -> bool:
    """Whether it is shown to anybody who must have agreed."""
    return bool(one.segment.activate) and one.segment.consent is not None


def _covered(store: Engine, hub: Hub, one: Compiled, now: datetime) -> AssetCheckResult:
    """Warns where fewer of its members may be reached than before: a form lost its box, or a list its opt-ins."""
    found = covered(store, hub, one, now=now)
    told = {f"{each.channel}_share": round(each.share, 4) for each in found}
    was = {f"{each.channel}_before": round(each.before, 4) for each in found if each.before is not None}
    return AssetCheckResult(
        check_name="consent_coverage",
        asset_key=key(one.name),
        passed=not any(each.fell for each in found),
        severity=AssetCheckSeverity.WARN,
        metadata={**told, **was, "members": max((each.members for each in found), default=0)},
    )
