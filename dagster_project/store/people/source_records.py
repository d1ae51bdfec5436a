"""Buyers as systems know them: what customers, and orders, events and points that name none, say of who they are.

A buyer is known by `(connection, external_id)`. A customer whom nobody described, whose id only an order or an event
names, is a bare record with the contacts of the latest order. What names no customer at all is of the record made of
its contacts, `order:<digest>`; `identity.mention` says which.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people.keyring import keys
from dagster_project.store.people.sealing import MET, opened
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read
from mappings.identity.digests import KEYED, pads
from mappings.identity.increment import RECORDS
from mappings.identity.normalise import CUSTOMERS, RECORD
from mappings.relations import unordered

SUBJECTS = pa.schema({"connection": pa.string(), "external_id": pa.string()})
"""Of a customer its id; of what names none `<entity>:<id>`, entity being one of NAMELESS."""
GUESTS = pa.schema({
    "entity": pa.string(), "connection": pa.string(), "external_id": pa.string(),
    "name": pa.string(), "phone": pa.string(), "email": pa.string(), "loyalty_id": pa.string(),
})  # fmt: skip

NAMELESS = {
    "order": "o.contact_name, o.contact_phone, o.contact_email, o.loyalty_id",
    "contact_event": "null::text, case when o.identifier_kind = 'phone' then o.identifier end, "
    "case when o.identifier_kind = 'email' then o.identifier end, null::text",
    "loyalty_entry": "null::text, null::text, null::text, o.loyalty_id",
}
"""Entity → who it is about where it names no customer: name, phone, e-mail, card."""
OWNED = ("order", "contact_event", "cart", "loyalty_entry")
"""What belongs to a buyer and carries `person_id`."""
KINDS = {pa.int64(): "bigint", pa.string(): "text", pa.date32(): "date", pa.float64(): "double precision"}


@dataclass(frozen=True)
class Told:
    """`customers`: CUSTOMERS rows with `record`, `kind` and `hash`, of the subjects that say something.

    `concerned`: RECORDS of all subjects, those included that say nothing any more.
    """

    customers: pa.Table
    concerned: pa.Table

    def changed(self, known: pa.Table) -> "Told":
        """Of these what differs from the `known` records (record, hash); new and gone ones do."""
        said = unordered(
            "select c.* from c left join k using (record) where c.hash is distinct from k.hash",
            c=self.customers,
            k=known,
        )
        gone = unordered("select record from k where record not in (select record from c)", c=self.customers, k=known)
        moved = pa.concat_tables([said.select(["record"]).cast(RECORDS), gone.cast(RECORDS)])
        return Told(said.cast(self.customers.schema), moved)


def stage(db: Connection, name: str, rows: pa.Table) -> None:
    """A temporary table of these rows, in place of one of this name; it ends with the transaction."""
    columns = ", ".join(f'"{field.name}" {KINDS[field.type]}' for field in rows.schema)
    db.execute(text(f"drop table if exists pg_temp.{name}"))
    db.execute(text(f"create temporary table {name} ({columns}) on commit drop"))
    copy_in(db, name, rows)
    db.execute(text(f"analyze {name}"))


def replace(db: Connection, table: str, key: Sequence[str], had: pa.Table, rows: pa.Table) -> None:
    """Rows that were there, by others: most are the same, and are not written again."""
    stage(db, "gone", unordered("from had except from rows", had=had, rows=rows).select(key))
    same = " and ".join(f"t.{column} = g.{column}" for column in key)
    db.execute(text(f"delete from {table} t using gone g where {same}"))
    copy_in(db, TABLES[table], unordered("from rows except from had", had=had, rows=rows))


# ── who is asked ──────────────────────────────────────────────────────────────────────────────────────────────────────


def stage_subjects(db: Connection, dirt: pa.Table) -> None:
    """The subjects of `customer` dirt (`subject`: `<connection>:<external id>`) as the temporary table `subject`."""
    split = "split_part(subject, ':', 1) as connection, subject[strpos(subject, ':') + 1:] as external_id"
    stage(db, "subject", unordered(f"select distinct {split} from dirt", dirt=dirt).cast(SUBJECTS))


def stage_everyone(db: Connection) -> None:
    """Every buyer there is, as the temporary table `subject`."""
    named = " union ".join(
        f'select connection, customer as external_id from canonical."{entity}" where customer is not null'
        for entity in OWNED
    )
    nameless = " union all ".join(
        f"select connection, '{entity}:' || external_id from canonical.\"{entity}\" where customer is null"
        for entity in NAMELESS
    )
    stage(db, "subject", SUBJECTS.empty_table())
    everyone = f"select connection, external_id from canonical.customer union {named} union all {nameless}"
    db.execute(text(f"insert into subject {everyone}"))
    db.execute(text("analyze subject"))


# ── what they say ─────────────────────────────────────────────────────────────────────────────────────────────────────

_OWN = ", ".join(f"c.{name}" for name in CUSTOMERS.names if name not in ("connection", "external_id", "birth_date"))
_DESCRIBED = f"""
select connection, external_id, {_OWN}, c.birth_date::text as birth_date
from subject join canonical.customer c using (connection, external_id) where c.deleted_at is null
"""
_NAMED_BY = " or ".join(
    f'exists (select from canonical."{entity}" o where o.connection = s.connection and o.customer = s.external_id'
    " and o.deleted_at is null)"
    for entity in OWNED
)
LATEST = """lateral (
  select * from canonical."order" o where o.connection = {0}.connection and o.customer = {0}.external_id
    and o.deleted_at is null
  order by coalesce(o.contact_phone, o.contact_email, o.loyalty_id, o.contact_name) is null, o.placed_at desc,
    o.external_id limit 1)"""
"""The order that tells most of a customer nobody described."""
UNDESCRIBED = """not exists (select from canonical.customer c
    where c.connection = {0}.connection and c.external_id = {0}.external_id and c.deleted_at is null)"""
_BARE = f"""
select s.connection, s.external_id, l.contact_name as name,
       array_remove(array[l.contact_phone], null) as phones, array_remove(array[l.contact_email], null) as emails,
       array_remove(array[l.loyalty_id], null) as loyalty_ids
from subject s left join {LATEST.format("s")} l on true
where {UNDESCRIBED.format("s")} and ({_NAMED_BY})
"""
_GUESTS = """
select '{entity}' as entity, connection, external_id, {contacts}
from (select connection, substr(external_id, {cut}) as external_id from subject where external_id like '{entity}:%') s
join canonical."{entity}" o using (connection, external_id)
where o.customer is null and o.deleted_at is null
"""
_ALL = ", ".join(CUSTOMERS.names)
_NUMBERED = f"""
select {RECORD} as record, kind, {KEYED.format(f"({_ALL})::varchar")} as hash, {_ALL}
from customers
"""


def told(db: Connection) -> Told:
    """What the staged subjects say; brings `identity.mention` up to date for those without a name."""
    guests = _guests(db)
    customers = pa.concat_tables(
        _as_customers(rows, kind)
        for rows, kind in ((clear(db, _DESCRIBED), "customer"), (clear(db, _BARE), "customer"), (_met(guests), "order"))
    )
    numbered = unordered(_NUMBERED, pads(keys().digests), customers=customers)
    left = _mention(db, guests)
    asked = read(
        db, "select connection, external_id from subject where external_id !~ :nameless", {"nameless": _PREFIX}
    )
    concerned = unordered(
        f"select record from n union select record from l union select {RECORD} from a", n=numbered, l=left, a=asked
    )
    return Told(numbered, concerned.cast(RECORDS))


def clear(db: Connection, statement: str, names: Sequence[str] | None = None) -> pa.Table:
    """What a query of cards, orders or events gives, in clear text; under these names, where they are not its own."""
    rows = read(db, statement)
    return opened(db, MET, rows.rename_columns(list(names)) if names else rows)


_PREFIX = f"^({'|'.join(NAMELESS)}):"


def known(db: Connection, records: pa.Table) -> pa.Table:
    """record and hash of those that are in the store, of `records`."""
    stage(db, "asked", records)
    return read(
        db,
        "select record, encode(payload_hash, 'hex') as hash from asked join identity.source_record using (record) "
        "where deleted_at is null",
    )


def _as_customers(rows: pa.Table, kind: str) -> pa.Table:
    missing = {name: pa.nulls(rows.num_rows, CUSTOMERS.field(name).type) for name in CUSTOMERS.names}
    columns = {name: rows[name] if name in rows.column_names else missing[name] for name in CUSTOMERS.names}
    table = pa.table(columns).cast(CUSTOMERS)
    return table.append_column("kind", pa.repeat(kind, table.num_rows))


# ── what names no customer ────────────────────────────────────────────────────────────────────────────────────────────


_CONTACTS = KEYED.format("concat_ws(chr(31), {})".format(", ".join(f"coalesce({n}, '')" for n in GUESTS.names[3:])))
_SAYS_ANYTHING = "coalesce(phone, email, loyalty_id, name) is not null"


def _guests(db: Connection) -> pa.Table:
    """GUESTS of the subjects, with `guest`, the id of the record that equal contacts share."""
    found = [
        clear(db, _GUESTS.format(entity=entity, contacts=contacts, cut=len(entity) + 2), GUESTS.names)
        for entity, contacts in NAMELESS.items()
    ]
    return unordered(
        f"select *, 'order:' || left({_CONTACTS}, 32) as guest from guests where {_SAYS_ANYTHING}",
        pads(keys().digests),
        guests=pa.concat_tables(table.cast(GUESTS) for table in found),
    )


def _met(guests: pa.Table) -> pa.Table:
    return unordered(
        """
        select distinct connection, guest as external_id, name, if(phone is null, [], [phone]) as phones,
          if(email is null, [], [email]) as emails, if(loyalty_id is null, [], [loyalty_id]) as loyalty_ids
        from guests
        """,
        guests=guests,
    )


_DROP_MENTIONS = """
delete from identity.mention m using subject s
where s.external_id like '{entity}:%' and m.entity = '{entity}' and m.connection = s.connection
  and m.external_id = substr(s.external_id, {cut})
returning m.record
"""


def _mention(db: Connection, guests: pa.Table) -> pa.Table:
    """Says anew which record each of them is of; gives the records that lost their last mention."""
    had = [read(db, _DROP_MENTIONS.format(entity=entity, cut=len(entity) + 2)) for entity in NAMELESS]
    record = RECORD.replace("external_id", "guest")
    copy_in(
        db,
        TABLES["identity.mention"],
        unordered(f"select entity, connection, external_id, {record} as record from g", g=guests),
    )
    stage(db, "unmentioned", unordered("select distinct record from had", had=pa.concat_tables(had)).cast(RECORDS))
    return read(
        db,
        "select record from unmentioned u where not exists (select from identity.mention m where m.record = u.record)",
    )


# ── what is remembered ────────────────────────────────────────────────────────────────────────────────────────────────

_REMEMBER = """
insert into identity.source_record as r (record, connection, external_id, kind, payload_hash, first_seen, last_seen)
select record, connection, external_id, kind, decode(hash, 'hex'), :now, :now from said order by record
on conflict (record) do update
  set payload_hash = excluded.payload_hash, last_seen = excluded.last_seen, deleted_at = null
"""
_FORGET = """
update identity.source_record r set deleted_at = :now, payload_hash = null
from moved m
where r.record = m.record and r.deleted_at is null and not exists (select from said s where s.record = m.record)
"""


def remember(db: Connection, changed: Told, now: object) -> None:
    """Keeps the hash of what was said, and when a record was last heard of, or gone."""
    stage(db, "said", changed.customers.select(["record", "connection", "external_id", "kind", "hash"]))
    stage(db, "moved", changed.concerned)
    db.execute(text(_REMEMBER), {"now": now})
    db.execute(text(_FORGET), {"now": now})


MANY = 5_000
"""Rows that become somebody's at once, of which the planner is told."""
_FILL_NAMED = """
update canonical."{entity}" o set person_id = m.person_id
from settled c join identity.source_record r using (record) left join identity.membership m using (record)
where r.kind = 'customer' and o.connection = r.connection and o.customer = r.external_id
  and o.person_id is distinct from m.person_id
"""
_FILL_NAMELESS = """
update canonical."{entity}" o set person_id = m.person_id
from settled c join identity.mention n using (record) left join identity.membership m using (record)
where n.entity = '{entity}' and o.connection = n.connection and o.external_id = n.external_id and o.customer is null
  and o.person_id is distinct from m.person_id
"""


def fill_persons(db: Connection, records: pa.Table) -> None:
    """`person_id` of everything that belongs to these records."""
    stage(db, "settled", records)
    filled = Counter({entity: db.execute(text(_FILL_NAMED.format(entity=entity))).rowcount for entity in OWNED})
    filled.update({entity: db.execute(text(_FILL_NAMELESS.format(entity=entity))).rowcount for entity in NAMELESS})
    for entity, rows in filled.items():
        if rows > MANY:  # or who asks next, by persons, is planned for as if nothing were anybody's
            db.execute(text(f'analyze canonical."{entity}" (person_id)'))
