"""What is to be forgotten of a person: ids, contacts, names and keys, and where systems told of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.connections import Hub
from dagster_project.steps.people import erase_former
from dagster_project.steps.people.erase_former import Card, Ids, Lines
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.sealing import EMAIL, LOYALTY, MET, PHONE, opened, opened_pins
from dagster_project.store.transfer import read
from mappings.identity.digests import NUMBER
from mappings.identity.increment import RECORDS
from mappings.privacy.forget import Traces, names_of
from mappings.privacy.known_again import OF_IDENTITY, WHO, keys_of
from mappings.privacy.seal import SIV
from mappings.relations import unordered

FIELDS = {PHONE: "phones", EMAIL: "emails", LOYALTY: "loyalty_ids"}
"""Kind of a contact → field of a card."""
Contacts = Mapping[str, set[str]]
"""Kind → contacts, sealed."""


@dataclass(frozen=True)
class Whose:
    """`traces`: what to look for. `ids`: under which systems know the person. `files`: what files say of these.
    `records`: RECORDS of the person. `keys`: numbers of the person's own keys."""

    traces: Traces
    ids: Ids
    files: tuple[Lines, ...]
    records: pa.Table
    keys: tuple[int, ...]


_PERSONS = text("""
create temporary table erasing_person on commit drop as
with recursive up (person_id, merged_into) as (
  select person_id, merged_into from identity.person where person_id = :person
  union select p.person_id, p.merged_into from up u join identity.person p on p.person_id = u.merged_into
), whole (person_id) as (
  select person_id from up where merged_into is null
  union select p.person_id from whole w join identity.person p on p.merged_into = w.person_id
) select person_id from whole
""")
_RECORDS = text("""
create temporary table erasing_record on commit drop as
select r.record, r.connection, r.external_id
from identity.membership m join erasing_person using (person_id) join identity.source_record r using (record)
""")
_KNOWN = """
select c.name, c.last_name, c.first_name, c.middle_name, c.address, c.phones, c.emails, c.loyalty_ids
from canonical.customer c join erasing_record e using (connection, external_id)
union all
select o.contact_name, null, null, null, o.delivery ->> 'address', array_remove(array[o.contact_phone], null),
       array_remove(array[o.contact_email], null), array_remove(array[o.loyalty_id], null)
from canonical."order" o where o.person_id in (select person_id from erasing_person)
   or (o.connection, o.customer) in (select connection, external_id from erasing_record)
union all
select null, null, null, null, null, case when e.identifier_kind = 'phone' then array[e.identifier] else '{}' end,
       case when e.identifier_kind = 'email' then array[e.identifier] else '{}' end, '{}'
from canonical.contact_event e where e.identifier is not null and e.person_id in (select person_id from erasing_person)
"""
_OTHERS = text("""
select identifier from unnest(cast(:contacts as text[])) identifier where exists (
  select from canonical.customer c
    where (c.phones && array[identifier] or c.emails && array[identifier] or c.loyalty_ids && array[identifier])
    and (c.connection, c.external_id) not in (select connection, external_id from erasing_record))
""")
_KEYS = text(f"""
create temporary table erasing_key on commit drop as
select kind, value from (
  select kind, value from identity.identifier join erasing_record using (record)
  where kind in ({", ".join(f"'{kind}'" for kind in OF_IDENTITY)})
  union select * from unnest(cast(:kinds as text[]), cast(:values as bigint[]))
) mine (kind, value) where not exists (
  select from identity.identifier i where (i.kind, i.value) = (mine.kind, mine.value)
    and i.record not in (select record from erasing_record))
""")
_NEIGHBOURS = """
select c.address from identity.identifier mine join erasing_record using (record)
join identity.identifier_stat s on (s.kind, s.value) = (mine.kind, mine.value) and s.status in ('ok', 'shared')
join identity.identifier i on (i.kind, i.value) = (mine.kind, mine.value)
join identity.source_record r on r.record = i.record
join canonical.customer c on c.connection = r.connection and c.external_id = r.external_id
where i.record not in (select record from erasing_record) and c.address is not null
"""
_NAMESAKES = """
select c.name, c.last_name, c.first_name, c.middle_name
from identity.feature mine join erasing_record using (record)
join identity.feature f on (f.first, f.last) = (mine.first, mine.last)
join identity.source_record r on r.record = f.record
join canonical.customer c on c.connection = r.connection and c.external_id = r.external_id
where f.record not in (select record from erasing_record)
"""
_CONTACTS = text("""
create temporary table erasing_contact on commit drop as select unnest(cast(:mine as text[])) identifier
""")


def of_person(db: Connection, hub: Hub, person: str) -> Whose:
    """Gathers it, and says whom it is about in temporary tables: `erasing_person`, `erasing_record`, `erasing_contact`
    (sealed, and held by nobody else), `erasing_key` (kind, value)."""
    db.execute(_PERSONS, {"person": person})
    db.execute(_RECORDS)
    ids = _ids(db)
    # what cards do not say any more was said all the same, and lies where it was said
    files = tuple(erase_former.in_files(db, hub, ids))
    former = [*erase_former.in_raw(db, hub, ids), *(card for file in files for card in file.cards), *_by_hand(db)]
    rows = read(db, _KNOWN)
    clear = [*opened(db, MET, rows).to_pylist(), *former]
    mine = _not_of_others(db, _contacts(rows.to_pylist(), former))
    db.execute(_CONTACTS, {"mine": sorted(mine[PHONE] | mine[EMAIL])})
    _keys(db, clear, former)
    records = read(db, "select record from erasing_record").cast(RECORDS)
    return Whose(_traces(db, clear, mine), ids, files, records, _own_keys(db))


def _contacts(told: Iterable[Mapping[str, Any]], former: Sequence[Card]) -> Contacts:
    """`told`: rows whose contacts lie sealed; `former`: those that are clear."""
    return {
        kind: {one for row in told for one in row[field]}
        | {keys().seal(one, kind) for card in former for one in card.get(field) or ()}
        for kind, field in FIELDS.items()
    }


def _not_of_others(db: Connection, contacts: Contacts) -> Contacts:
    others = set(db.execute(_OTHERS, {"contacts": sorted(set().union(*contacts.values()))}).scalars())
    return {kind: ones - others for kind, ones in contacts.items()}


def _traces(db: Connection, clear: Sequence[Card], mine: Contacts) -> Traces:
    """Contacts in clear text; as texts also the cards, and all of it as it lies sealed."""
    secret = keys()
    said = {kind: frozenset(secret.open(one, kind) for one in ones) for kind, ones in mine.items()}
    seals = {one for ones in mine.values() for one in ones if one.startswith(SIV)}
    return Traces(said[PHONE], said[EMAIL], said[LOYALTY] | _texts(db, clear) | seals)


_PINS = """
select person_id, field, value, instead_of from identity.pin where person_id in (select person_id from erasing_person)
"""


def _by_hand(db: Connection) -> Iterator[Card]:
    """What somebody pinned on the person, as fields of a card."""
    for pin in opened_pins(db, read(db, _PINS)).to_pylist():
        several = {"phone": "phones", "email": "emails", "loyalty_id": "loyalty_ids"}.get(pin["field"])
        for value in filter(None, (pin["value"], pin["instead_of"])):
            yield {several: [value]} if several else {pin["field"]: value}


def _ids(db: Connection) -> Ids:
    found = db.execute(text("select connection, array_agg(external_id) from erasing_record group by connection"))
    return {row[0]: frozenset(row[1]) for row in found}


def _keys(db: Connection, known: Sequence[Card], former: Sequence[Card]) -> None:
    """The keys by which identity would find him again and nobody else: those of his records, of what they said before,
    and of cards of which only orders tell."""
    cards = [(0, LOYALTY, card) for row in known for card in row.get("loyalty_ids") or ()]
    boxes = [
        (0, EMAIL, one) for row in former if EMAIL not in (row.get("masked") or ()) for one in row.get("emails") or ()
    ]
    said = pa.Table.from_pylist([dict(zip(WHO.names, one, strict=True)) for one in (*cards, *boxes)], schema=WHO)
    told = keys_of(said, keys().digests)
    db.execute(_KEYS, {"kinds": told["kind"].to_pylist(), "values": told["value"].to_pylist()})


def _own_keys(db: Connection) -> tuple[int, ...]:
    """Numbers of the keys under which the person's cards and golden record lie."""
    persons = read(db, "select person_id from erasing_person")
    numbers = unordered(f"select {NUMBER.format('person_id')} as number from p", p=persons)["number"].to_pylist()
    return (*numbers, *db.execute(text("select record from erasing_record")).scalars())


def _texts(db: Connection, known: Sequence[Card]) -> set[str]:
    """Full names and addresses that nobody else has: who else has a name is read alike by identity, and who has an
    address shares it, or a number, with the person."""
    names = {name for row in known for name in names_of(row)}
    namesakes = opened(db, MET, read(db, _NAMESAKES)).to_pylist()
    neighbours = opened(db, MET, read(db, _NEIGHBOURS)).to_pylist()
    addresses = {row["address"] for row in known if row.get("address")} - {row["address"] for row in neighbours}
    return (names - {name for row in namesakes for name in names_of(row)}) | addresses
