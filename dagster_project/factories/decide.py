"""Positions, what every channel should show, and the plans that would get it there: one in-process step."""

from collections.abc import Iterator

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, AssetSpec, Config, MaterializeResult, multi_asset

from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import preview
from dagster_project.steps.decide import decide
from dagster_project.steps.people.due import people_due
from dagster_project.steps.position import fold
from dagster_project.steps.rules import decide_due
from dagster_project.store.database import engine

INPUTS = {
    "stock": ("product", "listing", "location"),
    "price": ("product", "listing", "price"),
    "order": ("order",),
}


class DecideConfig(Config):
    """`full`: decide every subject anew, not only the dirty ones. The result is the same, the cost is not."""

    full: bool = False


def decide_assets(hub: Hub) -> list[AssetsDefinition]:
    """Assets `position/stock`, `desired/<kind>` and `plan/<connection>/<capability>`."""
    specs = [_position(hub), *_desired(hub), *(_plan(one, capability) for one, capability in keys.writes(hub))]

    @multi_asset(name="decide_channels", specs=specs, can_subset=True)
    def decide_step(context: AssetExecutionContext, config: DecideConfig) -> Iterator[MaterializeResult]:
        store, chosen = engine(), context.selected_asset_keys
        if config.full:
            fold(store, hub, now=clock.now())
            plans = {
                (one.name, capability): decide(store, hub, one, capability, now=clock.now())
                for one, capability in keys.writes(hub)
                if keys.outward("plan", one.name, capability) in chosen
            }
        else:
            people_due(store, hub, now=clock.now())
            plans = decide_due(store, hub, now=clock.now())
        for spec in specs:
            if spec.key in chosen:
                yield MaterializeResult(asset_key=spec.key, metadata=_shown(spec.key, plans))

    return [decide_step]


def _known(hub: Hub, entities: tuple[str, ...]) -> list[AssetKey]:
    fed = keys.feeds(hub)
    return [keys.canonical(entity) for entity in entities if entity in fed]


def _position(hub: Hub) -> AssetSpec:
    return AssetSpec(
        keys.POSITION_STOCK,
        deps=_known(hub, ("stock_level", "order", "product")),
        group_name=keys.POSITION,
        kinds={"postgres", "python"},
        description="Counts folded with orders: on hand and reserved by place. No unit is promised twice.",
        metadata={"table": "position.stock"},
        skippable=True,
    )


def _desired(hub: Hub) -> list[AssetSpec]:
    kinds = sorted({capability.partition(".")[0] for _, capability in keys.writes(hub)})
    return [
        AssetSpec(
            keys.desired(kind),
            deps=[*([keys.POSITION_STOCK] if kind in ("stock", "order") else []), *_known(hub, INPUTS.get(kind, ()))],
            group_name=keys.DESIRED,
            kinds={"postgres", "python"},
            description=f"What every channel should show: {kind}.",
            metadata={"table": "ledger.item"},
            skippable=True,
        )
        for kind in kinds
    ]


def _plan(connection: Connection, capability: str) -> AssetSpec:
    assert connection.spec is not None
    return AssetSpec(
        keys.outward("plan", connection.name, capability),
        deps=[keys.desired(capability)],
        group_name=keys.PLAN,
        kinds={connection.spec.name, "postgres"},
        description=f"{capability} of {connection.name}: differences from what the channel confirmed, frozen.",
        metadata={"table": "ledger.plan", "connection": connection.name, "capability": capability},
        skippable=True,
    )


def _shown(key: AssetKey, plans: dict) -> dict:  # type: ignore[type-arg]
    store = engine()
    match key.path:
        case ["position", _]:
            return {"preview": preview(store, "select sku, location, on_hand, reserved from position.stock limit 8")}
        case ["desired", kind]:
            rows = (
                "select connection, capability, subject, desired, state, reason from ledger.item "
                "where capability like :kind and capability <> 'order.push' limit 8"
            )
            return {"preview": preview(store, rows, kind=f"{kind}.%")}
        case [_, connection, capability]:
            planned = plans.get((connection, capability.replace("_", ".", 1)))
            rows = (
                "select subject, was, becomes, because, guard, state from ledger.outbox "
                "where connection = :connection and capability = :capability and capability <> 'order.push' limit 50"
            )
            return {
                "planned": planned.planned if planned else 0,
                "held": planned.held if planned else 0,
                **({"problem": planned.error} if planned and planned.error else {}),
                "changes": preview(store, rows, connection=connection, capability=capability.replace("_", ".", 1)),
            }
    return {}
