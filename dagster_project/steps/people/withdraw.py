"""What channels took of a person who is erased: taken back through the ledger, or a duty for a person of the shop.

Statements read the temporary tables of `steps.people.erase_traces`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from connectors.sdk.spec import Sink
from dagster_project.connections import Hub
from dagster_project.store import dirty
from dagster_project.store.people.erasure import Duty

FORGET = '{"forget": true}'
"""JSON text: what a sink that forgets is told of a person, and acknowledges once it did."""
LEFT = '{"member": false}'
ERASED = "erased"

_TOLD = text("""
select i.connection, i.capability, i.subject, i.external_id as receipt, i.acknowledged is not null as taken,
       coalesce(o.state in ('sending', 'unknown'), false) as unanswered
from ledger.item i join erasing_person p on i.subject = p.person_id or i.subject like '%/' || p.person_id
left join ledger.outbox o using (connection, capability, subject)
where i.capability in ('segment.push', 'customer.push')
order by i.connection, i.capability, i.subject
""")
_COPIES = text("""
select i.connection, coalesce(i.external_id, i.subject) as receipt
from canonical."order" o join ledger.item i
  on i.capability = 'order.push' and i.subject = o.connection || ':' || o.external_id and i.acknowledged is not null
where o.person_id in (select person_id from erasing_person)
   or (o.connection, o.customer) in (select connection, external_id from erasing_record)
order by 1, 2
""")
_OWN = text("""
select c.connection, c.external_id as receipt
from canonical.customer c join erasing_record using (connection, external_id) order by 1, 2
""")


def withdraw(db: Connection, hub: Hub) -> list[Duty]:
    """Whatever a channel took of the person is decided anew, so that it leaves there; gives what is owed until then."""
    told = db.execute(_TOLD).all()
    for entity, capability in (("member", "segment.push"), ("buyer", "customer.push")):
        dirty.mark(db, entity, [one.subject for one in told if one.capability == capability], ERASED)
    duties = [duty for one in told if (duty := _of_channel(hub, one))]
    return [*duties, *_by_hand(hub, db, [one for one in told if one.taken or one.unanswered])]


def _of_channel(hub: Hub, told: Row[Any]) -> Duty | None:
    """What the channel itself will do and confirm."""
    sink = _sink(hub, told.connection, told.capability)
    if sink is None or not told.taken or not (sink.forgets or told.capability == "segment.push"):
        return None
    what = f"{told.connection}: {told.capability} of {told.subject} is to be withdrawn by the next sync"
    return Duty(what, told.connection, told.capability, told.subject, FORGET if sink.forgets else LEFT)


def _sink(hub: Hub, connection: str, capability: str) -> Sink | None:
    """None where nothing can be sent: it is switched off, or not connected any more."""
    known = hub.connections.get(connection)
    if known is None or known.spec is None or capability not in known.capabilities:
        return None
    return known.spec.sink(capability)


# ── what no channel does for us ───────────────────────────────────────────────────────────────────────────────────────


def _by_hand(hub: Hub, db: Connection, told: Sequence[Row[Any]]) -> Iterator[Duty]:
    """One for each system that keeps something, as the person is deleted there once. A system that deletes what it was
    sent may have further records of the person, which it is not asked to look for."""
    kept = [one for one in told if one.unanswered or not _forgets(hub, one)]
    deleted = {(one.connection, one.receipt) for one in told if one not in kept}
    own = [
        one for one in db.execute(_OWN)
        if (one.connection, one.receipt) not in deleted and _is_asked(hub, one.connection)
    ]  # fmt: skip
    for connection, receipts in _grouped([*kept, *own]):
        yield Duty(f"{connection}: delete the person there{_known_as(receipts)}. {_way(hub, connection)}".strip())
    for connection, receipts in _grouped(db.execute(_COPIES)):
        yield Duty(f"{connection}: take the buyer's name and contacts out of the copies of orders{_known_as(receipts)}")


def _forgets(hub: Hub, told: Row[Any]) -> bool:
    sink = _sink(hub, told.connection, told.capability)
    return sink is not None and sink.forgets and bool(told.receipt)


def _is_asked(hub: Hub, connection: str) -> bool:
    """Whether a vendor is asked for its people, and so will name this one again; files lie here and are rewritten."""
    known = hub.connections.get(connection)
    return known is not None and known.spec is not None and bool(known.spec.resources)


def _grouped(rows: Iterable[Row[Any]]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for one in rows:
        found[one.connection] |= {one.receipt: None} if one.receipt else {}
    yield from ((connection, list(receipts)) for connection, receipts in found.items())


def _known_as(receipts: Sequence[str]) -> str:
    """Receipts that are hashes of contacts say nothing to a person, and would outlive the erasure here."""
    plain = [one for one in receipts if len(one) < 30]
    return f" (known there as {', '.join(plain)})" if plain else ""


def _way(hub: Hub, connection: str) -> str:
    known = hub.connections.get(connection)
    if known is None or known.spec is None:
        return "It is not connected any more."
    return " ".join(dict.fromkeys(sink.by_hand for sink in known.spec.sinks if sink.by_hand))
