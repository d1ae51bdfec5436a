"""A base of people kept in frames: what the store does by keys in PostgreSQL, done here by filters."""

import itertools
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mappings.identity import increment
from mappings.identity.blocking import STATS, keys_of, pairs, statistics
from mappings.identity.clusters import OVERRIDES, cluster, components
from mappings.identity.ids import EVENTS, MEMBERSHIP, PERSONS, identify
from mappings.identity.normalise import CUSTOMERS, FEATURES, IDENTIFIERS, normalise, numbered
from mappings.identity.population import Population
from mappings.identity.resolution import resolve
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import EDGES, edges
from mappings.relations import unordered

SECRET = bytes(range(32))
SOME_DAY = datetime(2026, 3, 2, tzinfo=UTC)


def customers(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in CUSTOMERS.names} for row in rows], schema=CUSTOMERS)


class Base:
    """Records come in batches; every batch costs what it touches. `last_events`: what the last one did to persons."""

    def __init__(self, rules: RuleVersion | None = None, population: Population | None = None) -> None:
        self.rules = rules or RuleVersion()
        self.population = population or Population(date(2026, 3, 1), 1000)
        self.features, self.identifiers = FEATURES.empty_table(), IDENTIFIERS.empty_table()
        self.stats, self.edges, self.aside = STATS.empty_table(), EDGES.empty_table(), None
        self.overrides, self.membership = OVERRIDES.empty_table(), MEMBERSHIP.empty_table()
        self.persons, self.former, self.events = PERSONS.empty_table(), MEMBERSHIP.empty_table(), EVENTS.empty_table()
        self.last_events: list[dict[str, Any]] = []
        self._ids, self._days = itertools.count(1), itertools.count(1)

    def receives(self, *rows: dict[str, Any]) -> None:
        features, identifiers = normalise(customers(rows), self.population, SECRET)
        self._change(features.select(["record"]), features, identifiers)

    def loses(self, *keys: tuple[str, str]) -> None:
        gone = numbered(customers({"connection": c, "external_id": e} for c, e in keys)).select(["record"])
        self._change(gone, FEATURES.empty_table(), IDENTIFIERS.empty_table())

    def decides(self, one: tuple[str, str], other: tuple[str, str], verdict: str) -> None:
        row = pa.table([[self.record(one)], [self.record(other)], [verdict]], schema=OVERRIDES)
        self.overrides = pa.concat_tables([self.overrides, row])
        self._recluster(increment.RECORDS.empty_table(), EDGES.empty_table(), row)

    def withdraws(self) -> None:
        was, self.overrides = self.overrides, OVERRIDES.empty_table()
        self._recluster(increment.RECORDS.empty_table(), EDGES.empty_table(), was)

    def record(self, key: tuple[str, str]) -> int:
        row = {"connection": key[0], "external_id": key[1]}
        return int(numbered(customers([row]))["record"][0].as_py())

    def person(self, connection: str, external_id: str) -> str:
        return self.people()[self.record((connection, external_id))]

    def people(self) -> dict[int, str]:
        return dict(zip(*(self.membership[name].to_pylist() for name in MEMBERSHIP.names), strict=True))

    def partition(self) -> set[frozenset[int]]:
        return _partition(self.membership, "person_id")

    def all_at_once(self) -> set[frozenset[int]]:
        """The partition of a full run over the same records."""
        whole = resolve(self.features, self.identifiers, self.population, self.rules, self.overrides)
        return _partition(whole.clustering.clusters, "cluster")

    def status(self, kind: str) -> list[str]:
        return sorted(self.stats.filter(pc.field("kind") == kind)["status"].to_pylist())

    def _change(self, changed: pa.Table, features: pa.Table, identifiers: pa.Table) -> None:
        before = _among(self.identifiers, changed)
        self.features = pa.concat_tables([_without(self.features, changed), features])
        self.identifiers = pa.concat_tables([_without(self.identifiers, changed), identifiers])
        everything = keys_of(self.identifiers, self.features)
        keys = increment.affected_keys(changed, before, identifiers)
        holders = _with_keys(everything, keys)
        counted = statistics(holders, _among(self.features, holders), self.rules)
        flipped = increment.flipped(_with_keys(self.stats, keys), counted)
        self.stats = pa.concat_tables([_without_keys(self.stats, keys), counted])
        scored = increment.to_score(changed, flipped, holders)
        mates = _with_keys(everything, _among(everything, scored))
        found = edges(pairs(mates, self.stats, scored), _among(self.features, mates), self.population, self.rules)
        old = unordered("select * from e where a in (from s) or b in (from s)", e=self.edges, s=scored)
        kept = unordered("select * from e where a not in (from s) and b not in (from s)", e=self.edges, s=scored)
        self.edges = pa.concat_tables([kept.cast(EDGES), found])
        self._recluster(scored, old, OVERRIDES.empty_table())

    def _recluster(self, scored: pa.Table, old: pa.Table, verdicts: pa.Table) -> None:
        touched = self._connected(increment.seeds(scored, old, verdicts))
        inside = unordered("select * from e where a in (from t)", e=self.edges, t=touched)
        features, identifiers = _among(self.features, touched), _among(self.identifiers, touched)
        made = cluster(features, identifiers, self.stats, inside.cast(EDGES), self.overrides, self.rules)
        reach = unordered("select person_id from m where record in (from t)", m=self.membership, t=touched)
        held = unordered("select * from m where person_id in (from r)", m=self.membership, r=reach).cast(MEMBERSHIP)
        former = unordered(
            "select f.* exclude into_id from f join r on r.person_id = f.into_id", f=self._former(), r=reach
        ).cast(MEMBERSHIP)
        known = unordered("select * from p where person_id in (select person_id from h)", p=self.persons, h=held)
        named = identify(made.clusters, held, known.cast(PERSONS), former, self._fresh)
        self.aside = made.aside
        self._remember(named.membership, held, named.events)

    def _remember(self, membership: pa.Table, held: pa.Table, events: pa.Table) -> None:
        kept = unordered("select * from m where record not in (select record from h)", m=self.membership, h=held)
        self.membership = pa.concat_tables([kept.cast(MEMBERSHIP), membership])
        self.events = pa.concat_tables([self.events, events])
        self.last_events = events.to_pylist()

    def _former(self) -> pa.Table:
        return unordered(
            "select unnest(records) as record, person_id, other_id as into_id from e where kind = 'merged'",
            e=self.events,
        )

    def _connected(self, seeds: pa.Table) -> pa.Table:
        links = unordered(
            f"""select a, b from e where weight >= {self.rules.link}
                union select a, b from o where verdict = 'must_link'""",
            e=self.edges,
            o=self.overrides,
        )
        records = pc.unique(pa.concat_arrays(self.features["record"].chunks or [pa.array([], pa.int64())])).sort()
        label = components(records.to_numpy(), links["a"].to_numpy(), links["b"].to_numpy())
        return unordered(
            """select record from w where label in (select label from w where record in (from s))
               union select record from s""",
            w=pa.table({"record": records, "label": label}),
            s=seeds,
        )

    def _fresh(self, count: int) -> list[str]:
        ids = [f"P{next(self._ids):04}" for _ in range(count)]
        born = [SOME_DAY + timedelta(days=next(self._days))] * count
        self.persons = pa.concat_tables([self.persons, pa.table([ids, born], schema=PERSONS)])
        return ids


def _among(table: pa.Table, records: pa.Table) -> pa.Table:
    return unordered("select t.* from t where record in (select record from r)", t=table, r=records).cast(table.schema)


def _without(table: pa.Table, records: pa.Table) -> pa.Table:
    return unordered("select t.* from t where record not in (select record from r)", t=table, r=records).cast(
        table.schema
    )


def _with_keys(table: pa.Table, keys: pa.Table) -> pa.Table:
    return unordered("select t.* from t semi join k using (kind, value)", t=table, k=keys).cast(table.schema)


def _without_keys(table: pa.Table, keys: pa.Table) -> pa.Table:
    return unordered("select t.* from t anti join k using (kind, value)", t=table, k=keys).cast(table.schema)


def _partition(table: pa.Table, by: str) -> set[frozenset[int]]:
    return {
        frozenset(records) for records in table.group_by(by).aggregate([("record", "list")])["record_list"].to_pylist()
    }


@pytest.fixture
def base() -> Base:
    return Base()


@pytest.fixture
def new_base() -> type[Base]:
    return Base
