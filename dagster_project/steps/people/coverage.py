"""How much of a segment may be reached: who agreed to the channel it is shown to, day by day."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from dagster_project.connections import Hub
from dagster_project.segment_files import reaches
from dagster_project.store.people import consent
from dagster_project.store.people.segments import live
from mappings.segments.compile import Compiled

FALL = 0.05
"""Of the members that could be reached on the last day that was measured, so many less are worth a warning."""

_MEMBERS = text("select person_id from segment.membership where segment = :segment and not hold_out")
_KEPT = text("""
insert into segment.coverage (segment, channel, day, members, reachable)
values (:segment, :channel, :day, :members, :reachable)
on conflict (segment, channel, day) do update set members = excluded.members, reachable = excluded.reachable
""")
_BEFORE = text("""
select reachable::double precision / members from segment.coverage
where segment = :segment and channel = :channel and day < :day and members > 0 order by day desc limit 1
""")


@dataclass(frozen=True)
class Coverage:
    """Of a channel of consent: members that are written to at all, those who agreed, and the share of the last day
    measured before."""

    channel: str
    members: int
    reachable: int
    before: float | None

    @property
    def share(self) -> float:
        return self.reachable / max(1, self.members)

    @property
    def fell(self) -> bool:
        """Below what it was, or to nobody at all."""
        lost = self.before is not None and self.share < self.before - FALL
        return bool(self.members) and (lost or not self.reachable)


def covered(engine: Engine, hub: Hub, one: Compiled, *, now: datetime) -> list[Coverage]:
    """Measures a live segment and keeps it as the day's; nothing of one that nobody made live."""
    with engine.begin() as db:
        if one.segment.consent is None or one.name not in live(db):
            return []
        return [_measured(db, one, channel, one.segment.consent.purpose, hub, now) for channel in _channels(hub, one)]


def _channels(hub: Hub, one: Compiled) -> list[str]:
    """By which its audiences reach people; a mere record about them needs no consent."""
    return sorted(set(filter(None, reaches(hub, one).values())))


def _measured(db: Connection, one: Compiled, channel: str, purpose: str, hub: Hub, now: datetime) -> Coverage:
    members = db.execute(_MEMBERS, {"segment": one.name}).scalars().all()
    reached = consent.reachable(db, members, channel, purpose, now=now)["person_id"].unique()
    said = {"segment": one.name, "channel": channel, "day": hub.local(now).date()}
    before = db.execute(_BEFORE, said).scalar()
    db.execute(_KEPT, {**said, "members": len(members), "reachable": len(reached)})
    return Coverage(channel, len(members), len(reached), before)
