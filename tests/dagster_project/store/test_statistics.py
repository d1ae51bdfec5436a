"""The planner is told of tables that grew, once, and of no others."""

from sqlalchemy import Engine, text

from dagster_project.store.statistics import refresh


def fill(store: Engine, first: int, last: int) -> None:
    with store.begin() as db:
        statement = """
        insert into ledger.item (connection, capability, subject, state, reason, desired)
        select 'site', 'stock.push', 'SKU-' || n, 'pending', 'new', to_jsonb(n)
        from generate_series(cast(:first as int), :last) n"""
        db.execute(text(statement), {"first": first, "last": last})


def expected(store: Engine) -> int:
    """Rows that the planner believes the table to have; -1 where it was never told."""
    with store.connect() as db:
        return int(db.execute(text("select reltuples from pg_class where oid = 'ledger.item'::regclass")).scalar_one())


def test_a_first_load_is_known_to_the_planner_and_looked_at_once(store):
    assert refresh(store) == []
    fill(store, 1, 10_000)
    assert refresh(store) == ["ledger.item"]
    assert expected(store) == 10_000
    assert refresh(store) == []


def test_a_few_more_rows_are_no_news_and_twice_as_many_are(store):
    fill(store, 1, 10_000)
    refresh(store)
    fill(store, 10_001, 10_100)
    assert refresh(store) == []
    fill(store, 10_101, 25_000)
    assert refresh(store) == ["ledger.item"]
