"""Orders and stock in seconds: the work is done in the sensor's own tick (architecture 12)."""

from dagster import (
    AssetMaterialization,
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.steps.hot import Tick, tick
from dagster_project.store.database import engine


def hot_sensors(hub: Hub) -> list[SensorDefinition]:
    """One per connection that has a hot resource, or whose vendor calls."""
    return [
        hot_sensor(hub, connection)
        for connection in hub.connections.values()
        if connection.spec and (connection.spec.hear or any(resource.hot for resource in connection.spec.resources))
    ]


def hot_sensor(hub: Hub, connection: Connection) -> SensorDefinition:
    """Polls hot resources every five seconds. The ledger is committed before Dagster hears: events are a display.

    What does not fit a tick stays dirty, or in the outbox, where the sensors `dirty` and `outbox` find it.
    """

    @sensor(
        name=f"hot_{connection.name}",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def hot(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        done = tick(engine(), hub, connection, clock=clock.now)
        if done.busy:
            return SkipReason("the previous tick is still at work")
        for error in done.errors:
            context.log.warning(error)
        if not done.moved:
            return SkipReason("; ".join(done.errors) or ("the rest is for a run" if done.left_over else "nothing new"))
        return SensorResult(asset_events=events(connection, done))

    return hot


def events(connection: Connection, done: Tick) -> list[AssetMaterialization]:
    """What the tick did, as the asset events that a run would have reported."""
    landed = [
        AssetMaterialization(
            keys.raw(connection.name, name),
            metadata={"read": landed.read, "landed": landed.landed, "stored": mapped.stored, "lane": "hot"},
        )
        for name, (landed, mapped) in done.landed.items()
        if landed.landed
    ]
    delivered = [
        AssetMaterialization(keys.outward("delivery", name, capability), metadata={"outcomes": count, "lane": "hot"})
        for (name, capability), count in done.delivered.items()
        if count
    ]
    return [*landed, *delivered]
