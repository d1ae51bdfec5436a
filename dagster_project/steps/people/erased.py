"""What a later load meets of somebody who was erased: he is turned away, and his orders come in without him."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from connectors.sdk.spec import Resource
from dagster_project.steps.mapping import Pass
from dagster_project.store import quarantine
from dagster_project.store.people import payloads
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.lineage import RECORD_HASH
from dagster_project.store.people.sealing import MET, opened
from dagster_project.store.people.suppression import SUBJECT
from dagster_project.store.quarantine import Aside
from dagster_project.store.transfer import read
from mappings.identity.digests import pads
from mappings.privacy.forget import Traces, names_of

REASON = "this buyer was erased on demand and is not loaded again; delete the record in its own system"

_ANYBODY = text("select exists (select from privacy.suppression where channel = 'load' and reason = 'erased')")
_KNOWN = f"""exists (
  select from privacy.suppression s where s.channel = 'load' and s.reason = 'erased' and (
    s.identifier_hash = {RECORD_HASH.format("cast(:connection as text)", "i.{owner}")}
    or s.identifier_hash in (select {SUBJECT.format("one")} from unnest({{contacts}}) one)))"""
_OF_CARD = _KNOWN.format(owner="external_id", contacts="i.phones || i.emails")
_OF_ORDER = _KNOWN.format(owner="customer", contacts="array[i.contact_phone, i.contact_email]")
_CUSTOMERS = f"""
select i.seq, i.name, i.last_name, i.first_name, i.middle_name, i.address, i.phones, i.emails
from incoming_customer i where {_OF_CARD}
"""
_ORDERS = f"""
select i.seq, i.contact_name as name, i.delivery ->> 'address' as address,
       array_remove(array[i.contact_phone], null) as phones, array_remove(array[i.contact_email], null) as emails
from incoming_order i where {_OF_ORDER}
"""
_NAMELESS = text("""
update incoming_order set contact_name = null, contact_phone = null, contact_email = null, customer = null,
  loyalty_id = null, delivery = delivery - 'address' - 'recipient' - 'comment' where seq = any(:seqs)
""")


def turn_away(work: Pass) -> None:
    """Takes erased customers out of what comes in. They are counted as set aside, and not a word of them is kept."""
    if met := _met(work, _CUSTOMERS):
        seqs = [one["seq"] for one in met]
        if work.db.execute(text("select to_regclass('pg_temp.set_aside') is null")).scalar():
            quarantine.prepare(work.db)
        quarantine.add(work.db, [Aside(seq, "customer", "erased", REASON) for seq in seqs])
        work.db.execute(text("delete from incoming_customer where seq = any(:seqs)"), {"seqs": seqs})
        _forget_payloads(work, met)


def make_nameless(work: Pass) -> None:
    """Orders of erased customers are facts of accounting: they come in without their buyer."""
    if met := _met(work, _ORDERS):
        work.db.execute(_NAMELESS, {"seqs": [one["seq"] for one in met]})
        _forget_payloads(work, met)


Met = Mapping[str, Any]
"""A row that came in of somebody erased, in clear text."""


def _met(work: Pass, query: str) -> Sequence[Met]:
    if not work.db.execute(_ANYBODY).scalar():
        return []
    rows = read(work.db, query, {**work.values, **pads(keys().digests)})
    found: list[Met] = opened(work.db, MET, rows).to_pylist()
    return found


def _forget_payloads(work: Pass, met: Sequence[Met]) -> None:
    """Lines of files lie in the archive, which the next erasure, or its proof, reads."""
    if isinstance(work.resource, Resource):
        for one in met:
            _forget(work.db, work.raw.table, one["seq"], _traces(one))


def _forget(db: Connection, table: str, number: int, traces: Traces) -> None:
    payload = db.execute(text(f"select payload::text from {table} where id = :id"), {"id": number}).scalar()
    if payload:
        payloads.forget(db, table, [(number, payload)], traces)


def _traces(row: Met) -> Traces:
    texts = names_of(row) | frozenset(filter(None, [row["address"]]))
    return Traces(frozenset(row["phones"] or ()), frozenset(row["emails"] or ()), texts)
