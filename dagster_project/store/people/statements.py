"""Statements of consent: appended, chained, and summed up to what holds now."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from dagster_project.store import dirty
from dagster_project.store.locks import in_turn
from dagster_project.store.people import nameless_consents, suppression
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.tables import GIVERS, OF_ACCOUNTS
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read, upsert
from mappings.privacy import chain
from mappings.privacy.consent import settled

EVENTS, STATE = TABLES["canonical.consent_event"], TABLES["privacy.consent_state"]
LOCK = "consent_event"
"""One writer at a time: a chain has one end."""
ENDS = "consent_end"
"""Kind of dirt: subjects of consents, from the moment at which one runs out."""
EVIDENCE = "evidence"
PAGE = 50_000


def append(db: Connection, connection: str, rows: Sequence[Mapping[str, Any]], *, because: str) -> int:
    """Appends the statements that were not heard before; gives their number. Whom they are about becomes dirty.

    `rows`: ConsentEvent fields with the identifier sealed, evidence as JSON text, and `source` as JSON text.
    """
    in_turn(db, LOCK)
    told = {row["statement"]: row for row in (_stated(connection, row) for row in rows)}
    heard = _heard(db, told)
    new = [row for row in told.values() if row["statement"] not in heard]
    if not new:
        return 0
    new.sort(key=lambda row: (row["at"], row["statement"]))
    previous = db.execute(text("select hash from canonical.consent_event order by seq desc limit 1")).scalar()
    before = bytes(previous) if previous else chain.START
    for row in new:
        row["prev_hash"], row["hash"] = before, chain.link(before, row["statement"])
        before = row["hash"]
    copy_in(db, EVENTS, [_storable(row) for row in new])
    _sum_up(db, {row["subject"] for row in new}, because)
    return len(new)


def _stated(connection: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its pseudonyms. An id that carries the identifier would outlive its erasure: it carries its hash."""
    secret, kind = keys(), row["identifier_kind"]
    clear, sealed = secret.open(row["identifier"], kind), secret.seal(row["identifier"], kind)
    subject, evidence = secret.subject(kind, sealed), row.get("evidence") or "{}"
    made = {
        **row,
        "connection": connection,
        "identifier": sealed,
        "subject": subject,
        "external_id": row["external_id"].replace(clear, subject),
        "source": row["source"].replace(clear, subject),
        "evidence": json.dumps(secret.seal(evidence, EVIDENCE)),
        "evidence_hash": chain.evidence_hash(secret, evidence),
    }
    return {**made, "statement": chain.statement(secret, made)}


_REFUSALS = text("""
select external_id from canonical.consent_event
where connection = :connection and external_id = any(:ids) and state = 'refused'
""")


def refusals_heard(db: Connection, connection: str, external_ids: Collection[str]) -> set[str]:
    """Those of the ids under which the connection has told a refusal before."""
    return set(db.execute(_REFUSALS, {"connection": connection, "ids": list(external_ids)}).scalars())


def _heard(db: Connection, statements: Collection[bytes]) -> set[bytes]:
    found = db.execute(
        text("select statement from canonical.consent_event where statement = any(:told)"), {"told": list(statements)}
    )
    return {bytes(row[0]) for row in found}


def _storable(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name in EVENTS.columns and name not in ("seq", "recorded_at")}
    return {name: "\\x" + value.hex() if isinstance(value, bytes) else value for name, value in kept.items()}


# ── what holds now ────────────────────────────────────────────────────────────────────────────────────────────────────

_SAID = """
select subject, channel, purpose, state, by, at, expires_at, connection || ':' || coalesce(customer,
       case when identifier_kind = 'account' then external_id end) as giver, identifier_kind, identifier
from canonical.consent_event where subject = any(:subjects)
"""


def _sum_up(db: Connection, subjects: Collection[str], because: str) -> None:
    said = read(db, _SAID, {"subjects": list(subjects)})
    states = settled(said)
    whose = said.group_by("subject", use_threads=False).aggregate([("identifier_kind", "max"), ("identifier", "max")])
    known = whose.take(pc.index_in(states["subject"], whose["subject"].combine_chunks()))
    rows = states.append_column("identifier_kind", known["identifier_kind_max"])
    rows = rows.append_column("identifier", known["identifier_max"])
    changed = upsert(db, STATE, rows, ["subject", "channel", "purpose"])
    refused = said.filter(pc.and_(pc.equal(said["state"], "refused"), pc.equal(said["purpose"], "marketing")))
    if refused.num_rows:
        suppression.from_refusals(db, refused.select(["subject", "channel", "at"]))
    touched = rows.filter(pc.is_in(rows["subject"], changed["subject"].combine_chunks()))
    told = zip(touched["identifier_kind"].to_pylist(), touched["identifier"].to_pylist(), strict=True)
    contacts = {(kind, identifier) for kind, identifier in told if identifier}
    nameless_consents.bind_said(db, {identifier for _, identifier in contacts})
    mark_holders(db, contacts, because)
    db.execute(_ENDS, {"subjects": touched["subject"].to_pylist(), "entity": ENDS})


# The consent is marked and not its holders: who they are on the day is known on the day.
_ENDS = text("""
insert into hub.dirty (entity, subject, because, due)
select distinct :entity, subject, 'a consent runs out', expires_at from privacy.consent_state
where subject = any(:subjects) and expires_at is not null
""")
_ENDED = text("""
select distinct identifier_kind, identifier from privacy.consent_state
where subject = any(:subjects) and identifier is not null
""")


def losing(db: Connection, subjects: Sequence[str]) -> set[str]:
    """Persons who have an identifier (of these subjects) of which a consent has run out."""
    return holders(db, {(kind, one) for kind, one in db.execute(_ENDED, {"subjects": list(subjects)})})


_HOLDERS = f"""
select m.person_id from canonical.customer c
join identity.source_record r on r.connection = c.connection and r.external_id = c.external_id and r.kind = 'customer'
join identity.membership m using (record)
where c.phones && cast(:identifiers as text[]) or c.emails && cast(:identifiers as text[])
union
select m.person_id from privacy.consent_state e cross join {GIVERS}
where e.identifier = any(:identifiers) and m.person_id is not null
union
select of_account.person_id from ({OF_ACCOUNTS}) of_account where of_account.identifier = any(:identifiers)
"""


Contacts = Collection[tuple[str, str]]
"""What each is (phone, email, account …), and the sealed identifier."""


def holders(db: Connection, contacts: Contacts) -> set[str]:
    """Persons who have any of these on a card of theirs, spoke of consent by one, or are known by it alone: as guests
    who left it with an order."""
    if not contacts:
        return set()
    kinds, identifiers = zip(*sorted(contacts), strict=True)
    told = pa.table({"identifier_kind": pa.array(kinds), "identifier": pa.array(identifiers)})
    known = db.execute(text(_HOLDERS), {"identifiers": list(identifiers)}).scalars()
    return {*known, *nameless_consents.having(db, told)}


def mark_holders(db: Connection, contacts: Contacts, because: str) -> None:
    if persons := holders(db, contacts):
        dirty.mark(db, "consent", sorted(persons), because)


# ── whether it is what it was ─────────────────────────────────────────────────────────────────────────────────────────

_CHAIN = f"select seq, statement, prev_hash, hash, identifier, {', '.join(chain.SAID)} from canonical.consent_event"


def broken_links(db: Connection) -> list[int]:
    """`seq` of the statements that are not what they were, or do not follow the one before; none when all is well."""
    return list(chain.broken(keys(), _links(db)))


def _links(db: Connection) -> Iterator[dict[str, Any]]:
    last: Any = 0
    while True:
        found = db.execute(text(f"{_CHAIN} where seq > :last order by seq limit {PAGE}"), {"last": last}).mappings()
        page = [dict(row) for row in found]
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]["seq"]
