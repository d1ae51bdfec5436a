"""People before channels: who is who, then who belongs where. Whoever decides about channels calls this first."""

import logging
from datetime import datetime

from sqlalchemy import Engine

from dagster_project.connections import Hub
from dagster_project.steps.people.identify import identify_due
from dagster_project.steps.people.segments import segments_due, stopped
from dagster_project.store import statistics
from dagster_project.store.people.statements import ENDS
from dagster_project.store.traits import TRAITS

WHO = ("customer", "person", "consent", ENDS, *TRAITS)
"""Kinds of dirt that are settled here."""


def people_due(engine: Engine, hub: Hub, *, now: datetime) -> None:
    """Settles what is dirty of people, down to the memberships that channels must be told.

    A segment with a mistake keeps everybody where he is until it is mended; the others, goods and prices go on.
    """
    if identify_due(engine, hub, now=now):
        statistics.refresh(engine)
    segments_due(engine, hub, now=now)
    for name, why in stopped(engine, hub).items():
        logging.getLogger(__name__).warning("nobody enters or leaves segment %s: %s", name, why)
