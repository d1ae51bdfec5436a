"""Who is who, for the records that changed: their persons, golden records and households."""

from datetime import datetime

from sqlalchemy import Engine

from dagster_project.connections import Hub


def identify_due(engine: Engine, hub: Hub, *, now: datetime) -> int:
    """Settles the dirty customers and marks the persons concerned dirty; gives how many these were."""
    return 0
