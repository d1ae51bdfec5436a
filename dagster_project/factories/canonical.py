"""One canonical asset per entity, fed by every resource that speaks of it."""

from collections.abc import Callable, Iterator

from dagster import AssetExecutionContext, AssetsDefinition, AssetSpec, MaterializeResult, multi_asset

from connectors.sdk.errors import HubError
from dagster_project import clock
from dagster_project.connections import Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import of_entity
from dagster_project.steps.canonical import Mapped, map_new
from dagster_project.store.database import engine
from dagster_project.store.tables import TABLES


def canonical_assets(hub: Hub) -> list[AssetsDefinition]:
    """Assets `canonical/<entity>`: new raw rows become canonical rows, the rest is set aside with a reason."""
    feeds = keys.feeds(hub)
    if not feeds:
        return []

    @multi_asset(name="canonical", specs=[_spec(entity, raw) for entity, raw in feeds.items()], can_subset=True)
    def canonical(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        chosen = {entity for entity in feeds if keys.canonical(entity) in context.selected_asset_keys}
        counts = _map(hub, chosen, context.log.warning)
        for entity in sorted(chosen):
            yield MaterializeResult(
                asset_key=keys.canonical(entity), metadata={**of_entity(engine(), entity), **counts}
            )

    return [canonical]


def _spec(entity: str, raw: list) -> AssetSpec:  # type: ignore[type-arg]
    return AssetSpec(
        keys.canonical(entity),
        deps=raw,
        group_name=keys.CANONICAL,
        kinds={"postgres", "python"},
        description=TABLES[f"canonical.{entity}"].comment,
        metadata={"table": f"canonical.{entity}"},
    )


def _map(hub: Hub, entities: set[str], warn: Callable[[str], None]) -> dict[str, int]:
    """Maps what is new in every resource that feeds one of `entities`. A resource feeds all its entities at once.

    A connection that cannot run (its secret is gone) holds up nobody else's records.
    """
    done = Mapped()
    for connection in hub.connections.values():
        for resource in connection.spec.resources if connection.spec else ():
            if entities & set(resource.maps):
                try:
                    done += map_new(engine(), hub, connection, resource, now=clock.now())
                except HubError as error:
                    warn(str(error))
    return {"stored_by_this_run": done.stored, "set_aside_by_this_run": done.quarantined}
