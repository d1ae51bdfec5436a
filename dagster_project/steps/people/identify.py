"""Who is who: the records that changed, or everybody, become persons, golden records and households.

An increment costs what it touches: `mappings.identity.increment` says which frames it needs, `store.identity` selects
them by keys. The sum of increments is the same as a full run.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa
from sqlalchemy import Connection, Engine, text

from dagster_project.connections import Hub
from dagster_project.store.dirty import mark, take
from dagster_project.store.locks import in_turn
from dagster_project.store.people import golden, identity, nameless_consents, persons, source_records
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.segments import memberships_of
from dagster_project.store.people.source_records import Told
from mappings.identity import increment
from mappings.identity.blocking import pairs, statistics
from mappings.identity.clusters import OVERRIDES, cluster, looked_at
from mappings.identity.digests import NUMBER
from mappings.identity.households import TOGETHER, shared_values
from mappings.identity.households import households as grouped
from mappings.identity.ids import MEMBERSHIP, PERSONS, identify, unsettled
from mappings.identity.increment import RECORDS
from mappings.identity.learning import learn
from mappings.identity.normalise import CUSTOMERS, normalise
from mappings.identity.population import Population
from mappings.identity.resolution import resolve
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import edges
from mappings.identity.survivorship import Authority
from mappings.relations import unordered

T = TypeVar("T")
SHARE = 0.25
"""From this share of the base on, looking at all of it costs less than at what changed."""
GROWN = 2
"""A base that many times as large as the one whose names were counted is counted again."""


@dataclass(frozen=True)
class Manner:
    """How a hub tells people apart and weighs what is said of them; `version` names it: another one is a full run."""

    rules: RuleVersion
    authorities: dict[str, Authority]

    @classmethod
    def of(cls, hub: Hub) -> "Manner":
        single = frozenset(name for name, one in hub.connections.items() if one.entry.single_card)
        stated = {field: hub.authority(field) for field in (*golden.FIELDS, "customer")}
        return cls(RuleVersion(single=single), golden.authorities(stated))

    @property
    def version(self) -> str:
        rules = [(part.name, _plain(getattr(self.rules, part.name))) for part in fields(self.rules)]
        said = repr((rules, sorted(self.authorities.items())))
        return f"{self.rules.name}:{hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}"


def _plain(value: Any) -> Any:
    """The same words in every process: sets and mappings in order."""
    if isinstance(value, frozenset):
        return sorted(value)
    return sorted(value.items()) if hasattr(value, "items") else value


@dataclass(frozen=True)
class Run:
    """One settling of who is who, inside a transaction that nobody else's interferes with."""

    db: Connection
    manner: Manner
    now: datetime
    cause: str | None = None


def identify_due(engine: Engine, hub: Hub, *, now: datetime) -> int:
    """Settles the dirty customers and marks the persons concerned dirty; gives how many these were."""
    manner = Manner.of(hub)
    with engine.begin() as db:
        in_turn(db, identity.LOCK)
        dirt = take(db, ["customer"])
        base = identity.size(db)
        population = identity.population(db, manner.version)
        if not dirt.num_rows and (population or not base):
            return 0
        run = Run(db, manner, now, _cause(dirt))
        if population is None or base > GROWN * population.persons or dirt.num_rows > SHARE * base:
            return _everybody(run)
        return _some(run, population, dirt)


def identify_all(engine: Engine, hub: Hub, *, now: datetime) -> int:
    """Everybody anew, what is usual counted anew; ids stay where the persons do. Gives the persons concerned."""
    with engine.begin() as db:
        in_turn(db, identity.LOCK)
        dirt = take(db, ["customer"])
        return _everybody(Run(db, Manner.of(hub), now, _cause(dirt) or "full run"))


def _cause(dirt: pa.Table) -> str | None:
    causes = sorted(set(dirt["because"].drop_null().to_pylist())) if dirt.num_rows else []
    return "; ".join(causes[:3]) + (" …" if len(causes) > 3 else "") or None


# ── everybody ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _everybody(run: Run) -> int:
    db, rules = run.db, run.manner.rules
    source_records.stage_everyone(db)
    told = source_records.told(db)
    population = learn(told.customers, run.now.date())
    identity.keep_population(db, run.manner.version, population)
    features, identifiers = normalise(told.customers, population, keys().digests)
    had = source_records.known(db, _union(told.concerned, _stored(db)))
    source_records.remember(db, told.changed(had), run.now)
    concerned = told.concerned
    del told, had  # millions of cards in clear text, which nothing below asks for
    identity.replace_all(db, {"feature": features, "identifier": identifiers})
    whole = resolve(features, identifiers, population, rules, identity.overrides(db))
    made = whole.clustering
    identity.replace_all(db, {"identifier_stat": whole.stats, "edge": whole.edges, "link_aside": made.aside})
    moved = _settle(run, made.clusters, persons.held(db))
    source_records.fill_persons(db, _union(concerned, moved))
    golden.refresh(db, None, run.manner.authorities, now=run.now)
    _households(run, None)
    nameless_consents.bind_all(db)
    everybody = _people(persons.held(db), moved)
    mark(db, "person", everybody["person_id"], run.cause)
    _mark_shown(run, _people(persons.held(db, moved), moved))
    return everybody.num_rows


def _stored(db: Connection) -> pa.Table:
    rows = db.execute(text("select record from identity.source_record where deleted_at is null")).scalars()
    return pa.table([list(rows)], schema=RECORDS)


# ── some ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _some(run: Run, population: Population, dirt: pa.Table) -> int:
    identity.by_keys(run.db)
    source_records.stage_subjects(run.db, dirt)
    told = source_records.told(run.db)
    changed = told.changed(source_records.known(run.db, told.concerned))
    source_records.remember(run.db, changed, run.now)
    if not changed.concerned.num_rows:
        return finish(run, NOTHING, told.concerned)
    return finish(run, recluster(run, *_rescore(run, population, changed)), told.concerned)


@dataclass(frozen=True)
class Touched:
    """What a clustering concerned: `records`, of these those that `moved` (MOVED), and `beside`, records
    whose households may change."""

    records: pa.Table
    moved: pa.Table
    beside: pa.Table


NOTHING = Touched(RECORDS.empty_table(), persons.MOVED.empty_table(), RECORDS.empty_table())


def _rescore(run: Run, population: Population, changed: Told) -> tuple[pa.Table, pa.Table]:
    """Keys, statistics and edges of what changed; gives the seeds of a new clustering, and records whose households may
    change: those scored anew, and all that have a key which came or went."""
    db, rules = run.db, run.manner.rules
    features, identifiers = normalise(changed.customers, population, keys().digests)
    before = identity.replace_records(db, changed.concerned, features, identifiers)
    affected = increment.affected_keys(changed.concerned, before, identifiers)
    holders, theirs = identity.holders(db, affected, rules)
    counted = statistics(holders, theirs, rules)
    flipped = increment.flipped(identity.replace_stats(db, affected, counted), counted)
    scored = increment.to_score(changed.concerned, flipped, holders)
    mates, theirs, stats = identity.mates(db, scored, theirs)
    found = edges(pairs(mates, stats, scored), theirs, population, rules)
    old = identity.replace_edges(db, scored, found)
    seeds = increment.seeds(scored, old, OVERRIDES.empty_table())
    return seeds, _union(scored, increment.beside(before, identifiers, holders))


_OTHERS = "select record from touched where record not in (select record from gone)"


def without(run: Run, records: pa.Table, erase: Callable[[], T]) -> T:
    """Runs `erase`, which takes these records out of the store, and settles who is who among those they had to do with:
    a number they shared may be one person's again, a link they stood in the way of may hold."""
    population = identity.population(run.db, run.manner.version)
    if population is None:  # everybody is looked at anew before long
        return erase()
    seeds, beside = _rescore(run, population, Told(CUSTOMERS.empty_table(), records))
    done = erase()
    rest = unordered(_OTHERS, touched=_union(seeds, beside), gone=records).cast(RECORDS)
    if rest.num_rows:
        finish(run, recluster(run, rest, rest))
    return done


def recluster(run: Run, seeds: pa.Table, beside: pa.Table = RECORDS.empty_table()) -> Touched:
    """Persons among everything that links connect with the seeds."""
    db, rules = run.db, run.manner.rules
    records = identity.reached(db, seeds, rules)
    features, (identifiers, stats) = identity.features_of(db, records), identity.known_by(db, records, looked_at(rules))
    links, verdicts = identity.links_among(db, records, rules), identity.overrides(db, records)
    made = cluster(features, identifiers, stats, links, verdicts, rules)
    identity.replace_aside(db, records, made.aside)
    return Touched(records, _settle(run, made.clusters, persons.held(db, records)), beside)


def _settle(run: Run, clusters: pa.Table, held: pa.Table) -> pa.Table:
    clusters, held = unsettled(clusters, held)
    known, former = persons.created(run.db, held), persons.former(run.db, held)
    later = persons.later(run.db, clusters, former)
    named = identify(clusters, held, known, former, persons.fresh(run.now), later)
    return persons.settle(run.db, named, held, cause=run.cause, now=run.now)


def finish(run: Run, touched: Touched, concerned: pa.Table = RECORDS.empty_table()) -> int:
    """What hangs on who is who: whose the orders are, the best that is known, who lives with whom. Gives the number of
    persons marked dirty: of the `concerned` records, and those that records came to or left."""
    db, moved = run.db, touched.moved
    records = _union(concerned, moved)
    source_records.fill_persons(db, records)
    whose = persons.whose(db, _union(records, touched.records, touched.beside))
    dirty = _people(_of(records, whose), moved)
    mine = _of(touched.records, whose)
    golden.refresh(db, _people(mine, dirty), run.manner.authorities, now=run.now)
    near = _people(_of(touched.beside, whose), dirty)
    if touched.records.num_rows:
        _households(run, near)
    nameless_consents.bind_held(db, near["person_id"].to_pylist())
    for entity in ("person", "buyer"):  # where they belong, and what other systems should say of them
        mark(db, entity, dirty["person_id"], run.cause)
    _mark_shown(run, _people(mine, moved))
    return dirty.num_rows


def _of(records: pa.Table, whose: pa.Table) -> pa.Table:
    return unordered("select w.* from w semi join r using (record)", w=whose, r=records)


def _mark_shown(run: Run, people: pa.Table) -> None:
    """Audiences show people by their contacts, which are others now."""
    mark(run.db, "member", memberships_of(run.db, people["person_id"].to_pylist()), run.cause)


def _union(*tables: pa.Table) -> pa.Table:
    return unordered("select distinct record from t", t=pa.concat_tables(table.select(["record"]) for table in tables))


def _people(held: pa.Table, more: pa.Table) -> pa.Table:
    """PEOPLE of a MEMBERSHIP, and of a MOVED or of other PEOPLE."""
    was = "union select was from m" if "was" in more.column_names else ""
    return unordered(
        f"select person_id from (select person_id from h union select person_id from m {was}) where person_id <> ''",
        h=held,
        m=more,
    ).cast(persons.PEOPLE)


# ── households ────────────────────────────────────────────────────────────────────────────────────────────────────────

_NUMBERED = f"""
select person_id, household, {NUMBER.format("person_id")} as record,
       min({NUMBER.format("person_id")}) over (partition by household) as cluster from grouped
"""


def _shared(db: Connection) -> pa.Table:
    membership = persons.held(db)
    return shared_values(membership, *identity.known_by(db, membership.select(["record"]), TOGETHER))


def _households(run: Run, people: pa.Table | None) -> None:
    """Households of these persons and all whom shared values connect with them; None: of everybody.

    A household is a cluster of persons, and its id lasts as theirs do.
    """
    db = run.db
    near, shared = (None, _shared(db)) if people is None else persons.neighbours(db, people)
    clusters = unordered(_NUMBERED, grouped=grouped(shared, run.manner.rules))
    before = persons.households(db, near)
    record = NUMBER.format("person_id")
    held = unordered(f"select {record} as record, household_id as person_id from b", b=before).cast(MEMBERSHIP)
    since = unordered("select household_id as person_id, min(since) as created_at from b group by 1", b=before).cast(
        PERSONS
    )
    named = identify(
        clusters.select(["record", "cluster"]), held, since, MEMBERSHIP.empty_table(), persons.fresh(run.now)
    )
    rows = unordered(
        """
        select c.person_id, n.person_id as household_id, coalesce(b.since, $now::timestamptz) as since
        from c join n using (record) left join b on b.person_id = c.person_id and b.household_id = n.person_id
        """,
        {"now": run.now},
        c=clusters,
        n=named.membership,
        b=before,
    )
    persons.replace_households(db, before, rows)
