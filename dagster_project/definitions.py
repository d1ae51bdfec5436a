"""The hub as Dagster sees it: connections.yaml × installed connectors. Loads with no network and no secrets."""

from dagster import Definitions

from dagster_project.automation.hot_lane import hot_sensors
from dagster_project.automation.jobs import jobs_of
from dagster_project.automation.schedules import schedules
from dagster_project.automation.sensors import held_plan_asset, sensors
from dagster_project.connections import Hub, load
from dagster_project.factories.canonical import canonical_assets
from dagster_project.factories.checks import checks
from dagster_project.factories.decide import decide_assets
from dagster_project.factories.deliver import delivery_assets
from dagster_project.factories.extract import raw_assets
from dagster_project.factories.marts import mart_assets, mart_schedules
from dagster_project.factories.people import people_assets, people_checks
from dagster_project.factories.privacy import privacy_assets, privacy_checks, privacy_schedules
from dagster_project.factories.segments import segment_assets, segment_checks, segment_schedules


def build(hub: Hub) -> Definitions:
    """Everything of one hub; an empty connections.yaml gives empty definitions."""
    if not hub.connections:
        return Definitions()
    raw = [raw_assets(hub, connection) for connection in hub.connections.values()]
    jobs = jobs_of(hub)
    return Definitions(
        assets=[
            *raw,
            *canonical_assets(hub),
            *people_assets(hub),
            *privacy_assets(hub),
            *decide_assets(hub),
            *delivery_assets(hub),
            *segment_assets(hub),
            *mart_assets(hub),
            held_plan_asset(),
        ],
        asset_checks=[*checks(hub), *people_checks(hub), *privacy_checks(hub), *segment_checks(hub)],
        jobs=jobs.all,
        schedules=[*schedules(hub, jobs), *segment_schedules(hub), *mart_schedules(hub), *privacy_schedules(hub)],
        sensors=[*sensors(hub, jobs), *hot_sensors(hub)],
    )


defs = build(load())
