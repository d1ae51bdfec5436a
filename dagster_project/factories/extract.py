"""One subsettable asset group per connection: its resources, landed raw."""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    Config,
    Failure,
    MaterializeResult,
    multi_asset,
)

from connectors.sdk.errors import HubError
from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import preview
from dagster_project.steps.files.read import ingest_files
from dagster_project.steps.land import land
from dagster_project.store.database import engine
from dagster_project.store.raw import Raw


class ExtractConfig(Config):
    """`full`: read everything, not only what changed."""

    full: bool = False


def raw_assets(hub: Hub, connection: Connection) -> AssetsDefinition:
    """Assets `raw/<connection>/<resource>`; for a connection whose connector failed, one asset that says why."""
    if connection.spec is None:
        return _unavailable(connection)

    @multi_asset(
        name=f"raw_{connection.name}",
        specs=[_spec(connection, resource) for resource in keys.resources(connection)],
        check_specs=[
            AssetCheckSpec("read", asset=keys.raw(connection.name, resource), description="The last run read it.")
            for resource in keys.resources(connection)
        ],
        can_subset=True,
        pool=connection.name,
    )
    def extract(context: AssetExecutionContext, config: ExtractConfig) -> Iterator[Any]:
        failures = []
        selected = {key.path[-1] for key in context.selected_asset_keys}
        chosen = [name for name in keys.resources(connection) if name in selected]
        for name in chosen:
            try:
                shown, problem = _read(hub, connection, name, config.full)
            except HubError as error:
                # an output that is missing would keep the others from being mapped; the check tells what happened
                shown, problem = {}, str(error)
                failures.append(problem)
                context.log.error(problem)
            yield MaterializeResult(asset_key=keys.raw(connection.name, name), metadata=shown)
            yield _checked(connection, name, problem)
        if failures and len(failures) == len(chosen):
            raise Failure(f"every resource of {connection.name} failed. {failures[0]}")

    return extract


def _spec(connection: Connection, name: str) -> AssetSpec:
    assert connection.spec is not None
    described = "Files dropped by tills and offices; the file itself is the raw record."
    if not (connection.spec.files and connection.spec.files.name == name):
        described = connection.spec.resource(name).description
    return AssetSpec(
        keys.raw(connection.name, name),
        group_name=keys.RAW,
        kinds={connection.spec.name, "dlt"},
        description=f"{connection.spec.title}: {described}",
        metadata={"table": f"raw_{connection.name}.{name}", "connection": connection.name},
        skippable=True,
    )


def _checked(connection: Connection, name: str, problem: str | None = None) -> AssetCheckResult:
    return AssetCheckResult(
        asset_key=keys.raw(connection.name, name),
        check_name="read",
        passed=problem is None,
        severity=AssetCheckSeverity.ERROR,
        metadata={"problem": problem} if problem else {},
    )


def _read(hub: Hub, connection: Connection, name: str, full: bool) -> tuple[dict[str, Any], str | None]:
    """Reads one resource: what to show of it, and what is wrong with a part of it.

    The preview shows keys and times only: payloads may hold people.
    """
    assert connection.spec is not None
    store, problem = engine(), None
    if connection.spec.files and connection.spec.files.name == name:
        files = ingest_files(store, connection, now=clock.now(), hub=hub)
        counts = {
            part: sum(getattr(file, part) for file in files) for part in ("read", "landed", "quarantined", "unchanged")
        }
        problem = "; ".join(file.error for file in files if file.error) or None
        columns = "left(hash, 12) as hash, rows, state, landed_at"
    else:
        landed = land(store, connection, connection.spec.resource(name), now=clock.now(), full=full)
        counts = {"read": landed.read, "landed": landed.landed, "unchanged": landed.unchanged}
        columns = "id, cursor, landed_at, left(payload_hash::text, 12) as payload_hash"
    shown = {**counts, "dagster/row_count": counts["landed"]}
    raw = Raw(connection.name, name)
    with store.connect() as db:
        empty = not raw.exists(db)
    if empty:  # of what had nothing to tell yet there is no table
        return shown, problem
    latest = preview(store, f"select {columns} from {raw.table} order by landed_at desc limit 5")
    return {**shown, "latest": latest}, problem


def _unavailable(connection: Connection) -> AssetsDefinition:
    """The connection is configured and its connector cannot be loaded: loud, and the rest goes on."""
    key = keys.raw(connection.name, "connector")

    @multi_asset(
        name=f"raw_{connection.name}",
        specs=[AssetSpec(key, group_name=keys.RAW, description=connection.problem, skippable=True)],
        check_specs=[AssetCheckSpec("loads", asset=key, description=connection.problem)],
    )
    def unavailable() -> Iterator[Any]:
        yield AssetCheckResult(
            asset_key=key, check_name="loads", passed=False, metadata={"problem": connection.problem or "unknown"}
        )

    return unavailable
