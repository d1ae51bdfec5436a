"""Where every subject is: the conservation table, and the law behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from dagster_project.connections import Hub
from dagster_project.store.ledger import STATES, Queue


@dataclass(frozen=True)
class Law:
    """Of one queue: `states` has all six, zeros included; `violations` are sentences, none when the law holds."""

    subjects: int
    states: Mapping[str, int]
    violations: tuple[str, ...] = ()


_COUNTS = text("""
select connection, capability, state, count(*) as items from ledger.item group by connection, capability, state
""")

# Items in sync are the mass and are only counted; the outbox is asked about the restless few.
_BREACHES = text("""
with items as (
  select i.state, i.reason, i.desired, i.acknowledged, o.state as waiting,
         i.state = 'pending' and o.state is null
         and not exists (select from hub.dirty d where d.subject = i.subject) as lost
  from ledger.item i left join ledger.outbox o using (connection, capability, subject)
  where i.connection = :connection and i.capability = :capability
)
select count(*) filter (where state <> all(:states)) as nameless,
       count(*) filter (where state <> 'in_sync' and coalesce(reason, '') = '') as unreasoned,
       count(*) filter (where state = 'in_sync' and desired is distinct from acknowledged) as unlike,
       count(*) filter (where state = 'in_sync' and waiting is not null) as waiting,
       count(*) filter (where (state = 'unknown') <> (coalesce(waiting, '') = 'unknown')) as unsettled,
       count(*) filter (where lost) as lost,
       (select count(*) from ledger.outbox o where o.connection = :connection and o.capability = :capability
        and not exists (select from ledger.item i where i.connection = o.connection and i.capability = o.capability
                        and i.subject = o.subject)) as strays
from items
""")

_BREACH = {
    "nameless": "in a state that does not exist",
    "unreasoned": "neither in sync nor with a reason",
    "unlike": "in sync though what is desired was not confirmed",
    "waiting": "in sync though a change waits in the outbox",
    "unsettled": "unknown in the ledger or in the outbox, and not in both",
    "lost": "pending with nothing in the outbox and nothing to be decided",
    "strays": "in the outbox and not in the ledger",
}


def status(engine: Engine, hub: Hub) -> list[dict[str, Any]]:
    """One row per configured connection and capability: how many subjects are in which state."""
    with engine.connect() as db:
        counts = {(row.connection, row.capability, row.state): row.items for row in db.execute(_COUNTS)}
    table = []
    for queue in _queues(hub):
        states = {state: counts.get((*queue, state), 0) for state in STATES}
        subjects = sum(items for (*named, _), items in counts.items() if tuple(named) == queue)
        table.append({"connection": queue.connection, "capability": queue.capability, "subjects": subjects, **states})
    return table


_RAW = text("select substr(nspname, 5) from pg_namespace where nspname like 'raw\\_%' order by 1")


def unconfigured(engine: Engine, hub: Hub) -> list[str]:
    """Connections whose records are in the store and that connections.yaml does not name."""
    with engine.connect() as db:
        return [name for name in db.execute(_RAW).scalars() if name not in hub.connections]


def conservation(engine: Engine, connection: str, capability: str) -> Law:
    """The law for one queue: subjects = Σ states, every row but those in sync has a reason, nothing waits unseen."""
    queue = Queue(connection, capability)
    query = text("select state, count(*) as items from ledger.item where connection = :connection "
                 "and capability = :capability group by state")  # fmt: skip
    with engine.connect() as db:
        counts = {row.state: row.items for row in db.execute(query, queue.names)}
        found = db.execute(_BREACHES, {**queue.names, "states": list(STATES)}).one()._asdict()
    breaches = tuple(f"{connection} {capability}: {items} subjects are {_BREACH[name]}"
                     for name, items in found.items() if items)  # fmt: skip
    return Law(sum(counts.values()), {state: counts.get(state, 0) for state in STATES}, breaches)


def violations(engine: Engine, hub: Hub) -> list[str]:
    """Every breach of the law in the hub."""
    return [one for queue in _queues(hub) for one in conservation(engine, *queue).violations]


def _queues(hub: Hub) -> list[Queue]:
    return [Queue(one.name, capability) for one in hub.connections.values() for capability in one.capabilities]
