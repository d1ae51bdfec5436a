"""Who may say what: hub.authority where it is stated, else the order of connections.yaml."""

from dagster_project.connections import Hub


def strength(hub: Hub, connection: str, entity: str, place: str | None = None) -> tuple[str, ...] | None:
    """Connections whose word on `entity` counts more than `connection`'s; None where it has no say at all.

    Where nobody is named everybody may speak, and whoever stands first in connections.yaml counts most.
    """
    owners = hub.authority(entity, place) or tuple(hub.connections)
    return owners[: owners.index(connection)] if connection in owners else None
