"""Forgetting a person: everywhere by a declared list, then a search of everything for what was to be forgotten."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
from sqlalchemy import Connection, Engine, text

from dagster_project.connections import Hub
from dagster_project.steps.people import erase_files, erase_former
from dagster_project.steps.people.erase_former import Ids, Lines
from dagster_project.steps.people.identify import Manner, Run, without
from dagster_project.steps.people.verdicts import known
from dagster_project.steps.people.withdraw import ERASED, withdraw
from dagster_project.store.locks import in_turn
from dagster_project.store.people import datakeys, erasure, identity, lineage, payloads, suppression
from dagster_project.store.people.erasure import Duty
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.sealing import EMAIL, LOYALTY, MET, PHONE, opened, opened_pins
from dagster_project.store.transfer import read
from mappings.identity.digests import NUMBER, pads
from mappings.identity.increment import RECORDS
from mappings.privacy.forget import Traces, names_of
from mappings.privacy.known_again import OF_IDENTITY, WHO, keys_of
from mappings.privacy.seal import SIV
from mappings.privacy.terms import PROFILES
from mappings.relations import unordered

ANONYMOUS = "erased-"


@dataclass(frozen=True)
class Whose:
    """`traces`: what to look for. `ids`: under which systems know the person. `files`: what files say of these.
    `records`: RECORDS of the person. `keys`: numbers of the person's own keys."""

    traces: Traces
    ids: Ids
    files: tuple[Lines, ...]
    records: pa.Table
    keys: tuple[int, ...]


def erase(engine: Engine, hub: Hub, person: str, *, basis: str, now: datetime) -> dict[str, Any]:
    """Erases a person from the store, its raw tables and the files of this home; gives the report that is kept.

    With the person's own keys goes whatever lies under them in dumps and snapshots taken before.

    Orders and points stay, under an anonymous id. Contacts that somebody else has as well stay his. What a channel
    took of the person is withdrawn through the ledger; `owed` names what waits for that, or for a person's hands.
    Raises ConfigError where nobody goes by this id.
    """
    with engine.connect() as db:
        person = known(db, person)
    with engine.begin() as db:
        due = PROFILES[hub.entry.privacy.profile].due(now)
        request = erasure.received(db, person, basis, now=now, due=due)
    with engine.begin() as db:
        in_turn(db, identity.LOCK)
        whose = _whose(db, hub, person)
        owed = withdraw(db, hub)
        _suppress(db, whose, now)
        run = Run(db, Manner.of(hub), now, ERASED)
        erased = Counter(without(run, whose.records, lambda: lineage.erase(db, ANONYMOUS + uuid4().hex)))
        erased.update(erase_former.forget_raw(db, hub, whose.ids))
        erased.update(_raw(db, whose.traces))
        erased.update(lineage.unsaid(db, whose.traces.pattern))
        erased["privacy.data_key"] = datakeys.drop(db, whose.keys)
        # before the store forgets what to look for: where it fails, all of it can be done again
        blank = erase_former.blank(whose.files)
        files = erase_files.rewrite(hub, whose.traces)
    found = proof(engine, hub, whose.traces, whose.ids)
    rewritten = sorted({*blank, *files.rewritten})
    report = {"erased": {name: count for name, count in erased.items() if count}, "files": rewritten}
    with engine.begin() as db:
        duties = [*owed, *map(Duty, files.owed), *_left(found, files.owed)]
        return erasure.reported(db, request, {**report, "proof": found}, duties)


def _left(found: Mapping[str, Mapping[str, int]], known: Sequence[str]) -> list[Duty]:
    """What the proof found is a duty for whoever runs the hub, where it is not one already."""
    where = [name for part in found.values() for name in part if not any(said.startswith(name) for said in known)]
    return [
        Duty(f"{name} still holds something of the person: see what it is, and delete it by hand") for name in where
    ]


def proof(engine: Engine, hub: Hub, traces: Traces, ids: Ids) -> dict[str, Mapping[str, int]]:
    """Where any of it is still found: tables with rows, files with hits. Nothing must be, and under the person's ids
    nothing but them."""
    with engine.connect() as db:
        sealed = {table: sum(1 for _ in payloads.sealed_telling(db, table, traces)) for table in lineage.raw_tables(db)}
        tables = Counter(lineage.hits(db, traces.pattern)) + Counter(sealed)
        tables += Counter(erase_former.left_in_raw(db, hub, ids))
        return {"tables": tables, "files": erase_files.hits(hub, traces) | erase_former.hits(db, hub, ids)}


# ── whom, and what of him ─────────────────────────────────────────────────────────────────────────────────────────────

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


def _whose(db: Connection, hub: Hub, person: str) -> Whose:
    db.execute(_PERSONS, {"person": person})
    db.execute(_RECORDS)
    ids = _ids(db)
    # what cards do not say any more was said all the same, and lies where it was said
    files = tuple(erase_former.in_files(db, hub, ids))
    former = [*erase_former.in_raw(db, hub, ids), *(card for file in files for card in file.cards), *_by_hand(db)]
    rows = read(db, _KNOWN)
    told, clear = rows.to_pylist(), [*opened(db, MET, rows).to_pylist(), *former]
    phones = {one for row in told for one in row["phones"]} | _sealed(former, "phones", PHONE)
    emails = {one for row in told for one in row["emails"]} | _sealed(former, "emails", EMAIL)
    cards = {one for row in told for one in row["loyalty_ids"]} | _sealed(former, "loyalty_ids", LOYALTY)
    others = set(db.execute(_OTHERS, {"contacts": sorted(phones | emails | cards)}).scalars())
    mine = sorted((phones | emails) - others)
    db.execute(
        text(
            "create temporary table erasing_contact on commit drop as select unnest(cast(:mine as text[])) identifier"
        ),
        {"mine": mine},
    )
    secret = keys()
    seals = {one for one in (*mine, *(cards - others)) if one.startswith(SIV)}
    texts = _texts(db, clear) | {secret.open(one, LOYALTY) for one in cards - others} | seals
    traces = Traces(
        frozenset(secret.open(one, "phone") for one in phones - others),
        frozenset(secret.open(one, "email") for one in emails - others),
        frozenset(texts),
    )
    _keys(db, clear, former)
    return Whose(traces, ids, files, read(db, "select record from erasing_record").cast(RECORDS), _own_keys(db))


_PINS = """
select person_id, field, value, instead_of from identity.pin where person_id in (select person_id from erasing_person)
"""


def _by_hand(db: Connection) -> Iterator[erase_former.Card]:
    """What somebody pinned on the person, as fields of a card."""
    for pin in opened_pins(db, read(db, _PINS)).to_pylist():
        several = {"phone": "phones", "email": "emails", "loyalty_id": "loyalty_ids"}.get(pin["field"])
        for value in filter(None, (pin["value"], pin["instead_of"])):
            yield {several: [value]} if several else {pin["field"]: value}


def _ids(db: Connection) -> Ids:
    found = db.execute(text("select connection, array_agg(external_id) from erasing_record group by connection"))
    return {row[0]: frozenset(row[1]) for row in found}


def _sealed(known: Sequence[Mapping[str, Any]], field: str, kind: str) -> set[str]:
    return {keys().seal(one, kind) for row in known for one in row.get(field) or ()}


def _keys(db: Connection, known: Sequence[erase_former.Card], former: Sequence[erase_former.Card]) -> None:
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


def _texts(db: Connection, known: list[Any]) -> set[str]:
    """Full names and addresses that nobody else has: who else has a name is read alike by identity, and who has an
    address shares it, or a number, with the person."""
    names = {name for row in known for name in names_of(row)}
    namesakes = opened(db, MET, read(db, _NAMESAKES)).to_pylist()
    neighbours = opened(db, MET, read(db, _NEIGHBOURS)).to_pylist()
    addresses = {row["address"] for row in known if row.get("address")} - {row["address"] for row in neighbours}
    return (names - {name for row in namesakes for name in names_of(row)}) | addresses


# ── away with it ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _suppress(db: Connection, whose: Whose, now: datetime) -> None:
    """Nobody writes to him any more, and a later load of any system does not bring him back."""
    subjects = [row[0] for row in db.execute(text(
        f"select {suppression.SUBJECT.format('identifier')} from erasing_contact"))]  # fmt: skip
    records = [row[0] for row in db.execute(text(
        f"select {lineage.RECORD_HASH.format('connection', 'external_id')} from erasing_record"),
        pads(keys().digests))]  # fmt: skip
    suppression.suppress(db, subjects, (*suppression.CHANNELS, suppression.LOADS), suppression.ERASED, now)
    hashed = lineage.RECORD_HASH.format("chr(31) || kind", "value")
    known = db.execute(text(f"select {hashed} from erasing_key"), pads(keys().digests)).scalars()
    suppression.suppress(db, (*records, *known), (suppression.LOADS,), suppression.ERASED, now)


def _raw(db: Connection, traces: Traces) -> dict[str, int]:
    tables = lineage.raw_tables(db)
    return {table: payloads.forget(db, table, payloads.telling(db, table, traces), traces) for table in tables}
