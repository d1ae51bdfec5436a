"""What leaves: one delivery asset per (connection, capability), under the conservation law, and a read-back."""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MaterializeResult,
    asset,
)

from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import preview
from dagster_project.steps.deliver import deliver
from dagster_project.steps.reconcile import reconcile
from dagster_project.steps.status import conservation
from dagster_project.store.database import engine

JOURNAL = """
    select subject, was, becomes, outcome, message, at from ledger.change
    where connection = :connection and capability = :capability and capability <> 'order.push'
    order by id desc limit 20
"""


def delivery_assets(hub: Hub) -> list[AssetsDefinition]:
    """Assets `delivery/…` and, where the channel can be read, `drift/…`."""
    made = []
    for connection, capability in keys.writes(hub):
        made.append(_delivery(hub, connection, capability))
        assert connection.spec is not None
        if connection.spec.sink(capability).read_back or connection.spec.sink(capability).needs_listing:
            made.append(_drift(hub, connection, capability))
    return made


def _delivery(hub: Hub, connection: Connection, capability: str) -> AssetsDefinition:
    assert connection.spec is not None
    key = keys.outward("delivery", connection.name, capability)

    @asset(
        key=key,
        deps=[keys.outward("plan", connection.name, capability)],
        group_name=keys.DELIVERY,
        kinds={connection.spec.name},
        pool=connection.name,
        description=f"{capability} to {connection.spec.title}: approved changes sent, one outcome per row. "
        + connection.spec.sink(capability).hint,
        check_specs=[
            AssetCheckSpec("conservation", asset=key, blocking=True, description="Every subject is in one state.")
        ],
    )
    def delivery() -> Iterator[Any]:
        done = deliver(engine(), hub, connection, capability, now=clock.now)
        shown = preview(engine(), JOURNAL, connection=connection.name, capability=capability)
        yield MaterializeResult(metadata={**done.counts, "journal": shown})
        yield conservation_result(connection.name, capability)

    return delivery


def conservation_result(connection: str, capability: str) -> AssetCheckResult:
    """The law as a check that fails the run: subjects = Σ states, and no row lacks a reason unless it is in sync."""
    law = conservation(engine(), connection, capability)
    return AssetCheckResult(
        check_name="conservation",
        passed=not law.violations,
        severity=AssetCheckSeverity.ERROR,
        metadata={**law.states, "subjects": law.subjects, "violations": "; ".join(law.violations) or "none"},
    )


def _drift(hub: Hub, connection: Connection, capability: str) -> AssetsDefinition:
    assert connection.spec is not None

    @asset(
        key=keys.outward("drift", connection.name, capability),
        deps=[keys.outward("delivery", connection.name, capability)],
        group_name=keys.DRIFT,
        kinds={connection.spec.name},
        pool=connection.name,
        description=f"{capability} read back from {connection.spec.title}: confirmed against shown.",
    )
    def drift() -> MaterializeResult:
        found = reconcile(engine(), hub, connection, capability, now=clock.now())
        return MaterializeResult(metadata=found.counts)

    return drift
