"""Golden records: what records say of persons, weighed by survivorship, kept one row a person."""

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people import answers, identity
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.persons import PEOPLE
from dagster_project.store.people.sealing import opened_pins, sealed
from dagster_project.store.people.source_records import LATEST, NAMELESS, UNDESCRIBED, clear, stage
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import read, upsert
from mappings.identity import names
from mappings.identity.contacts import PLACEHOLDER_PHONES, RUNS, email_key
from mappings.identity.digests import DIGEST, pads
from mappings.identity.increment import RECORDS
from mappings.identity.normalise import WORDS, towns
from mappings.identity.population import PLACEHOLDER_DATE
from mappings.identity.survivorship import GOLDEN, PINS, VALUES, Authority, golden
from mappings.relations import unordered

PAGE = 400_000
"""Persons in memory at a time. For each page of them the cards of everybody are read."""
NAMES = ("first_name", "last_name", "middle_name")
PLAIN = (*NAMES, "birth_date", "gender", "language", "city", "address")
FIELDS = ("name", "phone", "email", "loyalty_id", "tag", *PLAIN)
MANY = {"name": "names", "phone": "phones", "email": "emails", "loyalty_id": "loyalty_ids", "tag": "tags"}
"""Field → the column that keeps all its values, the primary one first."""
FULLEST = ("name", *NAMES, "address")

SAID = pa.schema(
    {"person_id": pa.string(), "record": pa.int64(), "connection": pa.string(), "name": pa.string()}
    | dict.fromkeys(PLAIN, pa.string())
    | dict.fromkeys(("phones", "emails", "loyalty_ids", "tags", "masked"), pa.list_(pa.string()))
    | dict.fromkeys(("at", "seen"), pa.timestamp("us", "UTC"))
)
"""What a record says. `at`: when it said so; `seen`: since when the buyer is known there."""


def authorities(order: Mapping[str, tuple[str, ...]]) -> dict[str, Authority]:
    """`order`: field → connections, the most trusted first; `customer` stands for fields that are not named."""
    return {
        field: Authority(order.get(field) or order.get("customer", ()), field in MANY, field in FULLEST)
        for field in FIELDS
    }


def refresh(db: Connection, people: pa.Table | None, order: Mapping[str, Authority], *, now: datetime) -> None:
    """Makes the golden records of these persons (PEOPLE; None: of all) say what is best now; those of nobody go, and
    pins whose source has spoken again."""
    concerned = read(db, "select person_id from identity.person where status = 'active'") if people is None else people
    for start in range(0, concerned.num_rows, PAGE):
        page = concerned.slice(start, PAGE).cast(PEOPLE)
        rows = _best(db, page, order, now=now)
        _write(db, rows, now)
        stage(db, "people", unordered("select p.* from p anti join rows using (person_id)", p=page, rows=rows))
        db.execute(text(_DROP.format(some="using people p where p.person_id = g.person_id and")))
    if people is None:
        db.execute(text(_DROP.format(some="where")))


_DROP = """
delete from identity.golden g {some}
not exists (select from identity.person a where a.person_id = g.person_id and a.status = 'active')
"""


def _best(db: Connection, people: pa.Table, order: Mapping[str, Authority], *, now: datetime) -> pa.Table:
    """Rows of identity.golden of these persons; ends the pins that do not hold any more."""
    told, pins = said(db, people), _pins(db, people)
    chosen = golden(_values(db, told, people, now), order, pins)
    if pins.num_rows:
        _end(db, unordered(_BROKEN, pins=pins, told=told, chosen=chosen).cast(BROKEN))
    return _rows(told, pa.concat_tables([chosen, answers.preferred(db, people, now)]))


def primary(db: Connection, person: str, field: str, order: Mapping[str, Authority], *, now: datetime) -> str | None:
    """The value that wins by the rules alone, pins left aside."""
    people = pa.table([[person]], schema=PEOPLE)
    told = golden(_values(db, said(db, people), people, now), order).to_pylist()
    return next((row["value"] for row in told if row["field"] == field and row["place"] == 1), None)


# ── what records say ──────────────────────────────────────────────────────────────────────────────────────────────────

_RECORDS = """
create temporary table theirs on commit drop as
select m.person_id, r.record, r.connection, r.external_id, r.kind, r.first_seen
from people join identity.membership m using (person_id) join identity.source_record r using (record)
"""
_PLAIN = ", ".join(f"c.{field}::text as {field}" for field in PLAIN)
_DESCRIBED = f"""
select r.person_id, r.record, r.connection, c.name, {_PLAIN},
       c.phones, c.emails, c.loyalty_ids, c.tags, c.masked,
       coalesce(c.updated_at, c.created_at, cast(c.source ->> 'observed_at' as timestamptz)) as at,
       coalesce(c.created_at, r.first_seen) as seen
from theirs r join canonical.customer c on c.connection = r.connection and c.external_id = r.external_id
where r.kind = 'customer' and c.deleted_at is null
"""
_BARE = f"""
select r.person_id, r.record, r.connection, l.contact_name as name,
       array_remove(array[l.contact_phone], null) as phones, array_remove(array[l.contact_email], null) as emails,
       array_remove(array[l.loyalty_id], null) as loyalty_ids, l.placed_at as at,
       coalesce(l.placed_at, r.first_seen) as seen
from theirs r left join {LATEST.format("r")} l on true
where r.kind = 'customer' and {UNDESCRIBED.format("r")}
"""
_MOMENT = {"order": "o.placed_at", "contact_event": "o.at", "loyalty_entry": "o.at"}
_MET = """
select person_id, record, connection, name, array_remove(array[phone], null) as phones,
       array_remove(array[email], null) as emails, array_remove(array[card], null) as loyalty_ids, at, at as seen
from (
  select distinct on (r.record) r.person_id, r.record, o.connection, {moment}, {contacts}
  from theirs r join identity.mention n using (record)
  join canonical."{entity}" o on o.connection = n.connection and o.external_id = n.external_id
  where r.kind = 'order' and n.entity = '{entity}' order by r.record, {moment} desc
) met(person_id, record, connection, at, name, phone, email, card)
"""


def said(db: Connection, people: pa.Table) -> pa.Table:
    """SAID by all records of these persons, in clear text."""
    stage(db, "people", people)
    for statement in ("drop table if exists pg_temp.theirs", _RECORDS, "analyze theirs"):
        db.execute(text(statement))
    queries = [_DESCRIBED, _BARE] + [
        _MET.format(entity=entity, contacts=contacts, moment=_MOMENT[entity]) for entity, contacts in NAMELESS.items()
    ]
    return pa.concat_tables(_as_said(clear(db, one)) for one in queries)


def _as_said(rows: pa.Table) -> pa.Table:
    missing = {name: pa.nulls(rows.num_rows, SAID.field(name).type) for name in SAID.names}
    return pa.table({name: rows[name] if name in rows.column_names else missing[name] for name in SAID.names}).cast(
        SAID
    )


_WHOLE = "coalesce(nullif(trim(name), ''), nullif(concat_ws(' ', last_name, first_name, middle_name), ''))"
_BORN = PLACEHOLDER_DATE.format("try_cast(birth_date as date)")
_STATUS = {"birth_date": f"case when {_BORN} then 'placeholder' end"}
_UNPIVOTED = " union all ".join(
    f"select person_id, '{field}', {field}, record, connection, null, {_STATUS.get(field, 'null')}, \"at\" from said"
    for field in PLAIN
    if field not in NAMES
)
_NAMED = " union all ".join(
    f"select person_id, '{field}' as field, {text} as value, record, connection, \"at\" from said"
    for field, text in {"name": _WHOLE, **dict(zip(NAMES, NAMES, strict=True))}.items()
)
_VALUES = f"""
with called as (select *, {DIGEST.format("phone")} as digest from (select *, unnest(phones) as phone from said)),
written as (
  select *, {DIGEST.format("box")} as digest
  from (select *, {email_key("email")} as box from (select *, lower(trim(unnest(emails))) as email from said))),
keyed as (select i.record, i.kind, i.value, coalesce(s.status, 'ok') as status
          from identifiers i left join stats s using (kind, value))
select person_id, field, value, record, connection, null::boolean as verified, n.status, "at"
from ({_NAMED}) left join nobodys n using (value)
union all {_UNPIVOTED}
union all select person_id, 'tag', unnest(tags), record, connection, null, null, "at" from said
union all select person_id, 'loyalty_id', unnest(loyalty_ids), record, connection, null, null, "at" from said
union all
select c.person_id, 'phone', c.phone, c.record, c.connection,
       exists (select 1 from proved p where p.person_id = c.person_id and p.phone = c.phone),
       case when list_contains(coalesce(c.masked, []), 'phone') then 'proxy'
            when c.phone in (select unnest($fixed)) or right(c.phone, 7) in (select unnest($runs)) then 'placeholder'
            when k.status is null then 'shared' else k.status end, c."at"
from called c left join keyed k on k.record = c.record and k.kind = 'phone' and k.value = c.digest
union all
select w.person_id, 'email', w.email, w.record, w.connection,
       exists (select 1 from proved p where p.person_id = w.person_id and lower(trim(p.email)) = w.email),
       case when list_contains(coalesce(w.masked, []), 'email') then 'proxy'
            when k.status is null then 'placeholder' else k.status end, w."at"
from written w left join keyed k on k.record = w.record and k.kind = 'email' and k.value = w.digest
"""


def _values(db: Connection, said: pa.Table, people: pa.Table, now: datetime) -> pa.Table:
    """VALUES. A contact is verified where it has proved to be the person's. A landline is no key, being nobody's own:
    it counts as shared."""
    records = unordered("select distinct record from said", said=said).cast(RECORDS)
    contacts, stats = identity.known_by(db, records, ("phone", "email"))
    return unordered(
        _VALUES,
        {"fixed": sorted(PLACEHOLDER_PHONES), "runs": sorted(RUNS), "today": now.date(), **pads(keys().digests)},
        said=said,
        identifiers=contacts,
        stats=stats,
        nobodys=_nobodys(said),
        proved=answers.proved(db, people),
        dates=identity.invented_dates(db),
    ).cast(VALUES)


def _nobodys(said: pa.Table) -> pa.Table:
    """value, status of the names that name nobody: `Клиент 7` never wins, `Покупатель Иванов` where nothing else is."""
    texts = unordered(_TEXTS, said=said)
    words = unordered("select distinct unnest(words) as word from texts", texts=texts)["word"].to_pylist()
    nobodys = [word for word in words if names.nobody(word)]
    return unordered(_NOBODYS, {"nobodys": nobodys}, texts=texts)


_TEXTS = f"select value, {WORDS.format('value')} as words from (select distinct value from ({_NAMED}))"
_NOBODYS = """
select value, if(list_has_all($nobodys, words), 'placeholder', 'shared') as status
from texts where len(words) = 0 or list_has_any(words, $nobodys)
"""

# A pin of one who was merged holds for the survivor, and comes back with him when the merge is undone.
_PINS = """
with recursive whose (person_id, pinned) as (
  select person_id, person_id from people
  union
  select w.person_id, p.person_id from whose w join identity.person p on p.merged_into = w.pinned
)
select distinct on (w.person_id, p.field) w.person_id, p.field, p.value, p.instead_of
from whose w join identity.pin p on p.person_id = w.pinned
order by w.person_id, p.field, w.pinned = w.person_id desc, p.at desc
"""


def _pins(db: Connection, people: pa.Table) -> pa.Table:
    stage(db, "people", people)
    return opened_pins(db, read(db, _PINS)).cast(PINS)


BROKEN = pa.schema({"person_id": pa.string(), "field": pa.string()})
_BROKEN = """
select person_id, field from pins semi join told using (person_id)
anti join (select * from chosen where rule = 'pinned') using (person_id, field)
"""
# What came with somebody who was merged into this person since the pin was set may go again: the pin waits for that.
_END = """
delete from identity.pin p using broken b where p.person_id = b.person_id and p.field = b.field and not exists (
  select from identity.person w join identity.person_event v on v.person_id = w.person_id and v.kind = 'merged'
  where w.merged_into = p.person_id and v.at >= p.at)
"""


def _end(db: Connection, broken: pa.Table) -> None:
    """Or a source that says again what it said before would bring the pin back. Who is no more keeps his pins."""
    if broken.num_rows:
        stage(db, "broken", broken)
        db.execute(text(_END))


# ── one row a person ──────────────────────────────────────────────────────────────────────────────────────────────────

_FIRSTS = ", ".join(
    f"max(value) filter (field = '{field}' and place = 1) as {field}"
    for field in (*FIELDS, "preferred_channel")
    if field != "tag"
)
_LISTS = ", ".join(
    f"coalesce(list(value order by place) filter (field = '{field}'), []) as {column}" for field, column in MANY.items()
)
_ROWS = f"""
with wide as (
  select person_id, {_FIRSTS}, {_LISTS},
         to_json(map_from_entries(list({{'k': field, 'v': json_object(
           'connection', connection, 'record', record::varchar, 'at', "at", 'rule', rule)}} order by field)
           filter (place = 1 and field <> 'tag'))) as provenance
  from chosen group by person_id),
counted as (
  select person_id, count(*) as records, min(seen) as first_seen, greatest(max("at"), min(seen)) as last_seen
  from said group by 1)
select c.person_id, w.* exclude (person_id, provenance, birth_date, {", ".join(MANY.values())}),
       t.key as town, w.birth_date::date as birth_date, coalesce(w.provenance, '{{}}')::varchar as provenance,
       {", ".join(f"coalesce(w.{column}, []) as {column}" for column in MANY.values())},
       c.records, c.first_seen, c.last_seen
from counted c left join wide w using (person_id) left join towns t on t.city = w.city
"""


def _rows(said: pa.Table, chosen: pa.Table) -> pa.Table:
    cities = unordered("select value as city from chosen where field = 'city' and place = 1", chosen=chosen)
    return unordered(_ROWS, said=said, chosen=chosen.cast(GOLDEN), towns=towns(cities))


_NEXT = """
select r.*, coalesce(t.version, 0) + 1 as version, $now::timestamptz as updated_at
from rows r left join there t using (person_id)
"""


def _write(db: Connection, rows: pa.Table, now: datetime) -> None:
    """A row that says nothing new keeps its version."""
    stage(db, "people", rows.select(["person_id"]).cast(PEOPLE))
    there = read(db, "select person_id, version from people join identity.golden using (person_id)")
    renewed = unordered(_NEXT, {"now": now}, rows=sealed(db, "identity.golden", rows), there=there)
    told = [name for name in rows.column_names if name != "person_id"]
    upsert(db, TABLES["identity.golden"], renewed, ["person_id"], compare=told)
