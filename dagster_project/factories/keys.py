"""Names of assets and of the groups they stand in: the graph reads left to right like the way of the data."""

from dagster import AssetKey

from dagster_project.connections import Connection, Hub

RAW, CANONICAL, POSITION, DESIRED, PLAN, DELIVERY, DRIFT = (
    "raw_1",
    "canonical_2",
    "position_3",
    "desired_4",
    "plan_5",
    "delivery_6",
    "drift_7",
)

GOLDEN = "golden_3"
GOLDEN_CUSTOMER = AssetKey(["golden", "customer"])
GOLDEN_POINTS = AssetKey(["golden", "points"])
POSITION_STOCK = AssetKey(["position", "stock"])
HELD_PLAN = AssetKey("held_plan")


def raw(connection: str, resource: str) -> AssetKey:
    return AssetKey(["raw", connection, resource])


def canonical(entity: str) -> AssetKey:
    return AssetKey(["canonical", entity])


def desired(capability: str) -> AssetKey:
    """`stock.push` → desired/stock."""
    return AssetKey(["desired", capability.partition(".")[0]])


def outward(step: str, connection: str, capability: str) -> AssetKey:
    """plan, delivery or drift of one capability of one connection."""
    return AssetKey([step, connection, capability.replace(".", "_")])


def resources(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Resource → entities it feeds, a file drop included; empty for a connection whose connector is broken."""
    if connection.spec is None:
        return {}
    found = {resource.name: tuple(resource.maps) for resource in connection.spec.resources}
    if connection.spec.files:
        found[connection.spec.files.name] = connection.spec.files.entities
    return found


def feeds(hub: Hub) -> dict[str, list[AssetKey]]:
    """Entity → raw assets that feed it."""
    found: dict[str, list[AssetKey]] = {}
    for connection in hub.connections.values():
        for resource, entities in resources(connection).items():
            for entity in entities:
                found.setdefault(entity, []).append(raw(connection.name, resource))
    return found


def writes(hub: Hub) -> list[tuple[Connection, str]]:
    """Every (connection, capability) that may be written."""
    return [(one, capability) for one in hub.connections.values() for capability in one.capabilities]
