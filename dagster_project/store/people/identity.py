"""What identity knows, selected by keys and replaced by keys: a step of `mappings.identity.increment` each.

Every function works inside the caller's transaction, which holds the right to change who is who.
"""

from collections.abc import Collection, Mapping
from datetime import date

import pyarrow as pa
from sqlalchemy import Connection, Table, text

from dagster_project.store.people.sealing import opened, sealed
from dagster_project.store.people.source_records import replace, stage
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read, upsert
from mappings.identity.blocking import STATS, keys_of
from mappings.identity.clusters import ASIDE, OVERRIDES
from mappings.identity.increment import RECORDS
from mappings.identity.normalise import FEATURES, IDENTIFIERS
from mappings.identity.population import DATES, NAMES, Population
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import EDGES
from mappings.relations import unordered

LOCK = "identity"
"""Whoever changes who is who holds it until the end of the transaction."""
MANY = 100_000
"""Records from which their number is an estimate."""


def _table(name: str) -> Table:
    return TABLES[f"identity.{name}"]


def _columns(schema: pa.Schema, of: str) -> str:
    return ", ".join(f'{of}."{name}"' for name in schema.names)


def size(db: Connection) -> int:
    """How many records there are: exactly while they are few, later as the server remembers, for a count of millions
    would cost every small change what a large one does."""
    about = text("select reltuples::bigint from pg_class where oid = 'identity.feature'::regclass")
    guess: int = db.execute(about).scalar_one()
    if guess >= MANY:
        return guess
    return int(db.execute(text("select count(*) from identity.feature")).scalar_one())


def by_keys(db: Connection) -> None:
    """Tells the planner, until the transaction ends, that to look something up is cheap. An increment asks for ten
    thousand of millions: by its own reckoning it would read all of them ten times, and cost what the base costs."""
    db.execute(text("set local random_page_cost = 0.2"))


# ── what is usual ─────────────────────────────────────────────────────────────────────────────────────────────────────

_kept: dict[tuple[str, int], Population] = {}
"""(database, number) → the population, which never changes: an increment need not read a hundred thousand names."""


def population(db: Connection, rule_version: str) -> Population | None:
    """The newest one of these rules, None where none was learnt."""
    newest = text("select population, as_of, persons, rule_version from identity.population order by 1 desc limit 1")
    row = db.execute(newest).one_or_none()
    if row is None or row.rule_version != rule_version:
        return None
    known = (str(db.engine.url), int(row.population))
    if known not in _kept:
        wanted = {"population": row.population}
        names = "select key, as_first, as_last from identity.population_name where population = :population"
        dates = "select birth from identity.population_date where population = :population"
        _kept[known] = Population(
            row.as_of, row.persons, read(db, names, wanted).cast(NAMES), read(db, dates, wanted).cast(DATES)
        )
    return _kept[known]


def invented_dates(db: Connection) -> pa.Table:
    """DATES of the newest population, whatever its rules."""
    newest = "select birth from identity.population_date where population = (select max(population) from {0})"
    return read(db, newest.format("identity.population")).cast(DATES)


def keep_population(db: Connection, rule_version: str, learnt: Population) -> None:
    statement = text(
        "insert into identity.population (rule_version, as_of, persons) values (:version, :as_of, :persons) "
        "returning population"
    )
    values: dict[str, str | date | int] = {
        "version": rule_version, "as_of": learnt.as_of, "persons": learnt.persons
    }  # fmt: skip
    number = db.execute(statement, values).scalar_one()
    for name, rows in (("population_name", learnt.names), ("population_date", learnt.dates)):
        copy_in(db, _table(name), rows.append_column("population", pa.repeat(number, rows.num_rows)))


# ── keys and features ─────────────────────────────────────────────────────────────────────────────────────────────────


def replace_records(db: Connection, changed: pa.Table, features: pa.Table, identifiers: pa.Table) -> pa.Table:
    """Stores what the changed records say now; gives the identifiers they had."""
    stage(db, "changed", changed)
    db.execute(text("create index on changed (record)"))  # `holders` asks it of every key
    had = read(db, f"select {_columns(IDENTIFIERS, 'i')} from changed join identity.identifier i using (record)")
    had = had.cast(IDENTIFIERS)
    replace(db, "identity.identifier", ("record", "kind", "value"), had, identifiers)
    _replace_features(db, features)
    return had


_FEATURELESS = """
delete from identity.feature f using changed c
where f.record = c.record and not exists (select from described d where d.record = c.record)
"""


def _replace_features(db: Connection, features: pa.Table) -> None:
    """Those of the `changed`: where a card is still there its row stays in its place, which touches no index."""
    stage(db, "described", features.select(["record"]))
    db.execute(text(_FEATURELESS))
    upsert(db, _table("feature"), sealed(db, "identity.feature", features), ["record"])


# Of a value that everybody has it is enough to see that there are too many.
_OTHERS = f"""
select {_columns(IDENTIFIERS, "o")} from wanted w cross join lateral (
  select * from identity.identifier i where i.kind = w.kind and i.value = w.value
    and not exists (select from changed c where c.record = i.record)
  limit w.most) o
"""
_MINE = f"""
select {_columns(IDENTIFIERS, "i")} from changed join identity.identifier i using (record)
where exists (select from wanted w where w.kind = i.kind and w.value = i.value)
"""


def holders(db: Connection, keys: pa.Table, rules: RuleVersion) -> tuple[pa.Table, pa.Table]:
    """IDENTIFIERS with these keys, the records that references name included, and the FEATURES of all of them.

    Of the records that did not change one more than the cap of the kind; `replace_records` said which did.
    """
    caps = pa.table({"kind": list(rules.caps), "most": [cap + 1 for cap in rules.caps.values()]})
    stage(db, "wanted", unordered("select kind, value, most from k join c using (kind)", k=keys, c=caps))
    held = pa.concat_tables([read(db, _OTHERS).cast(IDENTIFIERS), read(db, _MINE).cast(IDENTIFIERS)])
    return with_targets(db, held)


def mates(db: Connection, scored: pa.Table, known: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """All holders of the keys of these records that can tell people apart: IDENTIFIERS, their FEATURES, their STATS.

    `known`: FEATURES that need not be read again; they are given too.
    """
    stage(db, "scored", scored)
    stats = read(
        db,
        f"""
        select {_columns(STATS, "s")} from (
          select kind, value from scored join identity.identifier using (record)
          union select 'reference', record from scored) k
        join identity.identifier_stat s using (kind, value) where s.status in ('ok', 'shared')
        """,
    ).cast(STATS)
    stage(db, "wanted", stats.select(["kind", "value"]))
    held = read(db, f"select {_columns(IDENTIFIERS, 'i')} from wanted join identity.identifier i using (kind, value)")
    return (*with_targets(db, held.cast(IDENTIFIERS), known), stats)


def with_targets(db: Connection, held: pa.Table, known: pa.Table = FEATURES.empty_table()) -> tuple[pa.Table, pa.Table]:
    """The identifiers with the records that references name, and the FEATURES of all and of the `known`."""
    named = "select record from h union select value from h where kind = 'reference'"
    asked = unordered(f"from ({named}) a anti join k using (record)", h=held, k=known)
    features = pa.concat_tables([known, features_of(db, asked.cast(RECORDS))])
    return keys_of(held, features), features


def features_of(db: Connection, records: pa.Table) -> pa.Table:
    stage(db, "asked", records)
    found = read(db, f"select {_columns(FEATURES, 'f')} from asked join identity.feature f using (record)")
    return opened(db, "identity.feature", found).cast(FEATURES)


def known_by(db: Connection, records: pa.Table, kinds: Collection[str]) -> tuple[pa.Table, pa.Table]:
    """IDENTIFIERS of these kinds, and the STATS of those of their values that others hold too.

    A record has few: they are looked up by the record alone, not once for each kind.
    """
    stage(db, "asked", records)
    found = read(
        db,
        "select i.record, i.kind, i.value, s.records, s.names, s.status from asked "
        "join identity.identifier i using (record) left join identity.identifier_stat s using (kind, value) "
        "where i.kind || '' = any(:kinds)",
        {"kinds": sorted(kinds)},
    )
    counted = f"select distinct {', '.join(STATS.names)} from found where status is not null"
    return found.select(IDENTIFIERS.names).cast(IDENTIFIERS), unordered(counted, found=found).cast(STATS)


def replace_stats(db: Connection, keys: pa.Table, counted: pa.Table) -> pa.Table:
    """Stores the STATS of these keys; gives those they had."""
    stage(db, "wanted", keys)
    found = read(db, f"select {_columns(STATS, 's')} from wanted join identity.identifier_stat s using (kind, value)")
    had = found.cast(STATS)
    replace(db, "identity.identifier_stat", ("kind", "value"), had, counted)
    return had


# ── pairs and verdicts ────────────────────────────────────────────────────────────────────────────────────────────────


_SCORED = f"""
select {_columns(EDGES, "e")} from scored s join identity.edge e on e.a = s.record
union all select {_columns(EDGES, "e")} from scored s join identity.edge e on e.b = s.record
where not exists (select from scored o where o.record = e.a)
"""


def replace_edges(db: Connection, scored: pa.Table, found: pa.Table) -> pa.Table:
    """Stores the EDGES of these records; gives those they had."""
    stage(db, "scored", scored)
    had = read(db, _SCORED).cast(EDGES)
    replace(db, "identity.edge", ("a", "b"), had, found)
    return had


_REACHED = """
with recursive reached (record) as (
  select record from seed
  union
  select n.record from reached r cross join lateral (
    select e.b as record from identity.edge e where e.a = r.record and e.weight >= :link
    union all select e.a from identity.edge e where e.b = r.record and e.weight >= :link
    union all select o.b from identity.edge_override o where o.a = r.record and o.verdict = 'must_link'
    union all select o.a from identity.edge_override o where o.b = r.record and o.verdict = 'must_link') n
) select record from reached
"""


def reached(db: Connection, seeds: pa.Table, rules: RuleVersion) -> pa.Table:
    """RECORDS that links lead to from the seeds, put aside by a veto or not; the seeds included."""
    stage(db, "seed", seeds)
    return read(db, _REACHED, {"link": rules.link}).cast(RECORDS)


def links_among(db: Connection, records: pa.Table, rules: RuleVersion) -> pa.Table:
    """EDGES heavy enough to link, of records that are closed under links."""
    stage(db, "asked", records)
    statement = (
        f"select {_columns(EDGES, 'e')} from asked t join identity.edge e on e.a = t.record where weight >= :link"
    )
    return read(db, statement, {"link": rules.link}).cast(EDGES)


def overrides(db: Connection, records: pa.Table | None = None) -> pa.Table:
    """OVERRIDES whose records are both there, of some or of all."""
    among = ""
    if records is not None:
        stage(db, "asked", records)
        among = "join asked t on t.record = o.a"
    both = "join identity.feature x on x.record = o.a join identity.feature y on y.record = o.b"
    return read(db, f"select o.a, o.b, o.verdict from identity.edge_override o {among} {both}").cast(OVERRIDES)


def replace_aside(db: Connection, records: pa.Table, aside: pa.Table) -> None:
    stage(db, "asked", records)
    db.execute(text("delete from identity.link_aside l using asked t where l.a = t.record or l.b = t.record"))
    copy_in(db, _table("link_aside"), aside.cast(ASIDE))


def replace_all(db: Connection, tables: Mapping[str, pa.Table]) -> None:
    """Table → all its rows from now on."""
    for name, rows in tables.items():
        db.execute(text(f"truncate identity.{name}"))
        copy_in(db, _table(name), sealed(db, f"identity.{name}", rows))
    for name in tables:
        db.execute(text(f"analyze identity.{name}"))
