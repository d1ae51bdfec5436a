"""Points that nobody spent in their time end, once each, by an entry of the ledger like any other."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from dagster_project.connections import Hub
from dagster_project.store.locks import in_turn
from dagster_project.store.people import points as store
from mappings.loyalty.lots import expired


@dataclass(frozen=True)
class Ended:
    """Entries booked, and entries booked earlier whose points their source has withdrawn."""

    booked: int = 0
    taken_back: int = 0


def expire_points(engine: Engine, hub: Hub, *, now: datetime) -> Ended:
    """Books what is older than `hub.loyalty.life` and was not spent; nothing where no life is set.

    A purchase told late, by points that had ended by then, leaves its holder overdrawn: for a person to look at.
    """
    life = hub.entry.loyalty.life
    if life is None:
        return Ended()
    with engine.begin() as db:
        in_turn(db, "points:expiry")
        taken_back = store.take_back(db, now)
        return Ended(store.book(db, expired(store.ledger(db, life, now), life=life, now=now)), taken_back)
