"""People before channels: who is who, then who belongs where. Whoever decides about channels calls this first."""

from datetime import datetime

from sqlalchemy import Engine

from dagster_project.connections import Hub
from dagster_project.steps.identify import identify_due
from dagster_project.steps.segments import segments_due

WHO = ("customer", "person", "consent")
"""Kinds of dirt that are settled here."""


def people_due(engine: Engine, hub: Hub, *, now: datetime) -> None:
    """Settles what is dirty of people, down to the memberships that channels must be told."""
    identify_due(engine, hub, now=now)
    segments_due(engine, hub, now=now)
