"""The law of identity in the store: whatever comes in whatever batches, increments add up to a full run."""

import itertools
from datetime import date, timedelta
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dagster_project.connections import parse
from dagster_project.steps.people import identify
from dagster_project.store import transfer
from dagster_project.store.dirty import mark
from dagster_project.store.people import golden, identity, persons
from dagster_project.store.tables import TABLES
from mappings.identity.clusters import OVERRIDES
from mappings.identity.households import households, shared_values
from mappings.identity.increment import RECORDS
from mappings.identity.normalise import IDENTIFIERS
from mappings.identity.population import Population
from mappings.identity.resolution import resolve
from mappings.identity.rules import RuleVersion
from tests.mappings.identity.test_increments import TIGHT, latest
from tests.mappings.identity.test_increments import gone as keys
from tests.mappings.identity.test_increments import people as buyers

SYSTEMS = """
crm: {connector: files, settings: {path: x}, single_card: true}
shop: {connector: files, settings: {path: x}}
till: {connector: files, settings: {path: x}}
"""
NAMELESS = st.fixed_dictionaries({
    "order": st.sampled_from("ABCDEF"), "contact_name": st.sampled_from(["Айгуль", "Марат", None]),
    "contact_phone": st.sampled_from(["+77000000001", "+77000000002", None]),
})  # fmt: skip
STEPS = st.lists(st.one_of(st.lists(buyers, min_size=1, max_size=6), keys, NAMELESS), min_size=1, max_size=5)


class Store:
    """Increments only: neither the share of what changed nor growth asks for a full run."""

    def __init__(self, engine, now) -> None:
        self.engine, self.hub, self.now = engine, parse(SYSTEMS, {}), now
        self.manner = identify.Manner.of(self.hub)
        with engine.begin() as db:
            emptied = [name for name in TABLES if name.startswith("identity.")]
            db.execute(text(f'truncate canonical.customer, canonical."order", hub.dirty, {", ".join(emptied)}'))
            identity.keep_population(db, self.manner.version, Population(date(2026, 3, 1), 1000))

    def lives_through(self, history) -> None:
        for step in history:
            self.now += timedelta(minutes=1)
            with self.engine.begin() as db:
                mark(db, "customer", list(self._take(db, step)), "a batch")
            identify.identify_due(self.engine, self.hub, now=self.now)

    def _take(self, db, step):
        if isinstance(step, tuple):
            gone = text("update canonical.customer set deleted_at = now() where connection = :c and external_id = :e")
            db.execute(gone, dict(zip("ce", step, strict=True)))
            yield ":".join(step)
        elif isinstance(step, dict):
            fixed = {"connection": "shop", "number": "1", "kind": "sale", "channel": "site", "status": "placed",
                     "placed_at": self.now, "total": 1, "currency": "KZT", "source": {}}  # fmt: skip
            row = {**fixed, "external_id": step["order"], **{name: step[name] for name in step if name != "order"}}
            transfer.upsert(db, TABLES["canonical.order"], [row], ["connection", "external_id"])
            yield f"shop:order:{step['order']}"
        else:
            for row in latest(step):
                said = {**row, "deleted_at": None, "source": {"observed_at": "2026-03-01T00:00:00+00:00"}}
                transfer.upsert(db, TABLES["canonical.customer"], [said], ["connection", "external_id"])
                yield f"{row['connection']}:{row['external_id']}"

    def frame(self, query: str) -> pa.Table:
        with self.engine.connect() as db:
            return transfer.read(db, query)

    def people(self) -> dict[int, str]:
        rows = self.frame("select record, person_id from identity.membership")
        return dict(zip(*(rows[name].to_pylist() for name in ("record", "person_id")), strict=True))

    def households(self) -> set[frozenset[str]]:
        return _groups(self.frame("select person_id, household_id from identity.household").to_pylist(), "household_id")

    def golden(self) -> list[dict]:
        columns = ", ".join(c.name for c in TABLES["identity.golden"].c if c.name not in ("version", "updated_at"))
        return self.frame(f"select {columns} from identity.golden order by 1").to_pylist()

    def all_at_once(self):
        """(persons, households) of a full run over the same records."""
        with self.engine.connect() as db:
            population = identity.population(db, self.manner.version)
        assert population is not None
        with self.engine.connect() as db:
            everyone = transfer.read(db, "select record from identity.feature").cast(RECORDS)
            features = identity.features_of(db, everyone)
        identifiers = self.frame("select record, kind, value from identity.identifier").cast(IDENTIFIERS)
        whole = resolve(features, identifiers, population, self.manner.rules, OVERRIDES.empty_table())
        membership = self.frame("select record, person_id from identity.membership")
        shared = shared_values(membership, identifiers, whole.stats)
        return (
            _groups(whole.clustering.clusters.to_pylist(), "cluster", "record"),
            _groups(households(shared, self.manner.rules).to_pylist(), "household"),
        )


def _groups(rows, by, what="person_id"):
    rows = sorted(rows, key=lambda row: row[by])
    return {frozenset(row[what] for row in group) for _, group in itertools.groupby(rows, key=lambda row: row[by])}


@pytest.fixture
def increments_only(monkeypatch):
    narrow = {name: getattr(TIGHT, name) for name in ("caps", "names_on_one_value", "crowd", "limits")}
    monkeypatch.setattr(identify, "RuleVersion", partial(RuleVersion, **narrow))
    monkeypatch.setattr(identify, "SHARE", float("inf"))
    monkeypatch.setattr(identify, "GROWN", float("inf"))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=STEPS)
def test_the_sum_of_increments_is_a_full_run(store, now, increments_only, history):
    base = Store(store, now)
    base.lives_through(history)
    rows = [{"record": record, "person": person} for record, person in base.people().items()]
    assert (_groups(rows, "person", "record"), base.households()) == base.all_at_once()
    kept = base.golden()
    with store.begin() as db:
        golden.refresh(db, None, base.manner.authorities, now=now)
    assert base.golden() == kept


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=STEPS)
def test_a_full_run_moves_nobody_who_stayed_and_gives_no_id_twice(store, now, increments_only, history):
    base = Store(store, now)
    before: dict[str, set[int]] = {}
    for step in history:
        base.lives_through([step])
        after = _members(base)
        assert {person for person, records in before.items() if records in after.values()} <= after.keys()
        before = after
    identify.identify_all(store, base.hub, now=base.now)
    after = _members(base)
    assert {person for person, records in before.items() if records in after.values()} <= after.keys()
    with store.connect() as db:
        active = persons.held(db)["person_id"].unique().to_pylist()
    assert set(active) == set(base.frame("select person_id from identity.golden")["person_id"].to_pylist())


def _members(base: Store) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for record, person in base.people().items():
        found.setdefault(person, set()).add(record)
    return found


def test_the_cost_of_an_increment_does_not_grow_with_the_base(store, now, increments_only, monkeypatch):
    """Counted in rows that came out of the store, not in seconds."""
    base, read, rows = Store(store, now), transfer.read, []

    def counted(db, query, params=None):
        found = read(db, query, params)
        rows.append(found.num_rows)
        return found

    for module in (golden, identity, persons, identify.source_records, identify):
        if hasattr(module, "read"):
            monkeypatch.setattr(module, "read", counted)

    def cost_of_one(number: int) -> int:
        rows.clear()
        base.lives_through([[_buyer(number)]])
        return sum(rows)

    base.lives_through([[_buyer(number) for number in range(20)]])
    small = cost_of_one(1000)
    base.lives_through([[_buyer(number) for number in range(20, 400)]])
    assert cost_of_one(1001) == small


def _buyer(number: int) -> dict:
    return {"connection": "shop", "external_id": str(number), "name": "Айгүл", "phones": [f"+7700{number:07}"],
            "emails": [], "loyalty_ids": [], "refs": []}  # fmt: skip
