"""Rows arrive as they were sent, in the caller's transaction, and an upsert tells exactly what it changed."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas
import psycopg
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    MetaData,
    Numeric,
    Table,
    Text,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dagster_project.store import transfer
from dagster_project.store.transfer import copy_in, read, upsert

ALMATY = timezone(timedelta(hours=5))
goods = Table(
    "goods",
    MetaData(),
    Column("shop", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("price", Numeric(18, 2)),
    Column("pieces", BigInteger),
    Column("barcodes", ARRAY(Text), server_default="{}"),
    Column("about", JSONB),
    Column("seen_at", DateTime(timezone=True)),
    Column("day", Date),
    Column("sold", Boolean, server_default="false"),
)
KEYS = ["shop", "sku"]
TEA: dict[str, Any] = {
    "shop": "almaty",
    "sku": "SKU-1",
    "price": Decimal("1290.50"),
    "pieces": 3,
    "barcodes": ["4870000000017", 'a "b", {c} \\d', ""],
    "about": {"name": "Шай «Қазақ», 100 г", "note": 'quote " back\\slash\nnew line\ttab', "vat": None},
    "seen_at": datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=ALMATY),
    "day": date(2026, 3, 2),
    "sold": True,
}


@pytest.fixture
def db(store: Engine) -> Iterator[Connection]:
    goods.metadata.create_all(store)
    with store.connect() as connection:
        yield connection


def stored(db: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in db.execute(select(goods).order_by(goods.c.shop, goods.c.sku))]


@pytest.mark.parametrize("form", ["records", "pandas", "arrow"])
def test_every_type_arrives_as_it_was_sent(db: Connection, form: str) -> None:
    rows: Any = [TEA]
    if form == "pandas":
        rows = pandas.DataFrame(rows)
    if form == "arrow":
        rows = pyarrow.Table.from_pylist(rows)
    assert copy_in(db, goods, rows) == 1
    assert stored(db) == [TEA]


@pytest.mark.parametrize(
    "awkward",
    [
        "",
        " ",
        '"',
        '""',
        "\\",
        "\\.",
        "\\N",
        "NULL",
        "null",
        ",",
        "\n",
        "\r\n",
        "a\n\\.\nb",
        "ӘәІіҢңҒғҮүҰұҚқӨөҺһ",
        "🫖",
    ],
)
def test_no_text_is_taken_for_something_else(db: Connection, awkward: str) -> None:
    rows = [{"shop": "a", "sku": awkward, "barcodes": [awkward, "x"]}, {"shop": "b", "sku": "b", "barcodes": None}]
    copy_in(db, goods, rows)
    found = read(db, select(goods.c.sku, goods.c.barcodes).order_by(goods.c.shop)).to_pylist()
    assert found == [{"sku": awkward, "barcodes": [awkward, "x"]}, {"sku": "b", "barcodes": None}]


def test_missing_is_null_and_never_zero(db: Connection) -> None:
    frame = pandas.DataFrame(
        {
            "shop": ["a", "b"],
            "sku": ["1", "2"],
            "price": [1.5, float("nan")],
            "pieces": [3.0, float("nan")],
            "seen_at": pandas.to_datetime(["2026-03-02T05:00:00Z", None]),
            "about": [{"a": 1}, None],
        }
    )
    copy_in(db, goods, frame)
    copy_in(db, goods, pyarrow.table({"shop": ["c"], "sku": ["3"], "price": [float("nan")]}))
    copy_in(db, goods, [{"shop": "d", "sku": "4", "price": Decimal("NaN")}])
    there, *missing = stored(db)
    assert (there["price"], there["pieces"], there["about"]) == (Decimal("1.50"), 3, {"a": 1})
    for row in missing:
        assert row["price"] is row["pieces"] is row["seen_at"] is row["about"] is None


def test_a_column_that_no_row_gives_takes_its_default(db: Connection) -> None:
    copy_in(db, goods, [{"shop": "a", "sku": "1"}])
    assert stored(db)[0]["barcodes"] == []
    assert stored(db)[0]["sold"] is False


def test_a_price_of_unequal_kinds_keeps_every_digit(db: Connection) -> None:
    prices = [Decimal("9007199254740993.01"), 2, "3.10", 4.5]
    copy_in(db, goods, [{"shop": "a", "sku": str(n), "price": price} for n, price in enumerate(prices)])
    assert [row["price"] for row in stored(db)] == [Decimal("9007199254740993.01"), 2, Decimal("3.10"), Decimal("4.5")]


@pytest.mark.parametrize("naive", [TEA["seen_at"].replace(tzinfo=None), pandas.Timestamp("2026-03-02 10:00")])
@pytest.mark.parametrize("form", [list, pandas.DataFrame])
def test_a_time_without_a_zone_is_refused(db: Connection, naive: datetime, form: Any) -> None:
    with pytest.raises(TypeError, match="without a zone"):
        copy_in(db, goods, form([{"shop": "a", "sku": "1", "seen_at": naive}]))


def test_a_temporary_table_is_filled_by_name_and_read_in_the_same_transaction(db: Connection) -> None:
    db.execute(text("create temp table basket (sku text, pieces int) on commit drop"))
    copy_in(db, "basket", pyarrow.table({"pieces": [1, 2], "sku": ["tea", "salt"]}))
    assert read(db, "select sku from basket where pieces > :least", {"least": 1}).to_pylist() == [{"sku": "salt"}]


def test_rows_put_together_from_an_empty_and_a_filled_table_arrive_as_they_are(db: Connection) -> None:
    kinds = pyarrow.schema({"name": pyarrow.string(), "amount": pyarrow.int64()})
    rows = pyarrow.concat_tables([kinds.empty_table(), pyarrow.table({"name": [None, "tea"], "amount": [1, 2]}, kinds)])
    db.execute(text("create temp table together (name text, amount int) on commit drop"))
    copy_in(db, "together", rows)
    assert db.execute(text("select name, amount from together order by amount")).all() == [(None, 1), ("tea", 2)]


def test_what_is_rolled_back_was_never_there_and_what_is_committed_stays(db: Connection, store: Engine) -> None:
    copy_in(db, goods, [TEA])
    db.rollback()
    assert stored(db) == []
    db.rollback()
    upsert(db, goods, [TEA], KEYS)
    db.commit()
    with store.connect() as other:
        assert stored(other) == [TEA]


def test_a_value_that_does_not_fit_stops_the_whole_set(db: Connection) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        copy_in(db, goods, [TEA, {**TEA, "sku": None}])
    db.rollback()
    assert stored(db) == []


def test_reading_keeps_exact_numbers_instants_and_lists(db: Connection) -> None:
    copy_in(db, goods, [TEA])
    copy_in(db, goods, [{"shop": "b", "sku": "2"}])
    found = read(db, "select * from goods order by shop")
    assert found.schema.field("price").type == pyarrow.decimal128(18, 2)
    assert found.schema.field("seen_at").type == pyarrow.timestamp("us", "UTC")
    tea, other = found.to_pylist()
    assert {**tea, "about": TEA["about"]} == TEA
    assert json.loads(tea["about"]) == TEA["about"]
    assert other == {**dict.fromkeys(TEA), "shop": "b", "sku": "2", "barcodes": [], "sold": False}


def test_a_sum_has_as_many_decimals_as_it_needs(db: Connection) -> None:
    found = read(db, "select sum(v) as total from (values (1.5), (0.125)) as t(v)")
    assert found.to_pylist() == [{"total": Decimal("1.625")}]


def test_a_bound_that_is_open_is_read_as_none(db: Connection) -> None:
    copy_in(db, goods, [{"shop": "a", "sku": "1", "seen_at": "-infinity"}])
    assert read(db, "select seen_at, isfinite(seen_at) as ends from goods").to_pylist() == [
        {"seen_at": None, "ends": False}
    ]


def test_an_empty_result_still_has_its_columns(db: Connection) -> None:
    found = read(db, "select sku, price, barcodes, seen_at from goods")
    assert found.num_rows == 0
    assert found.schema.field("price").type == pyarrow.decimal128(18, 2)
    assert found.schema.field("barcodes").type == pyarrow.list_(pyarrow.string())


def test_a_result_larger_than_a_block_is_whole(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BLOCK", 100)
    found = read(db, "select n, 'line' || chr(10) || n as words, null::text as nothing from generate_series(1, 500) n")
    assert found["n"].to_pylist() == list(range(1, 501))
    assert found["words"].to_pylist()[-1] == "line\n500"
    assert read(db, "select null::text as nothing from generate_series(1, 3)").num_rows == 3


def test_parameters_cannot_break_out_of_a_query(db: Connection) -> None:
    evil = "'; drop table goods; -- \\ % :x"
    assert read(db, "select :word as word", {"word": evil}).to_pylist() == [{"word": evil}]
    assert read(db, "select 1 as n where 'b' = any(:names)", {"names": ["a", "b"]}).num_rows == 1
    assert read(db, select(goods.c.sku).where(goods.c.sku.in_(["a", "b"]), goods.c.sku.like("5%"))).num_rows == 0


def test_a_change_can_be_read_as_it_is_made(db: Connection) -> None:
    copy_in(db, goods, [TEA])
    assert read(db, "delete from goods returning sku, pieces + 1 as more").to_pylist() == [{"sku": "SKU-1", "more": 4}]
    assert stored(db) == []


def test_a_wrong_query_says_what_is_wrong_with_it(db: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn, match="prise"):
        read(db, "select prise from goods")


# ── upsert ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys(changed: pyarrow.Table) -> set[tuple[str, str]]:
    assert changed.column_names == KEYS
    listed = [(row["shop"], row["sku"]) for row in changed.to_pylist()]
    assert len(listed) == len(set(listed))
    return set(listed)


PRICES = some.none() | some.decimals(0, 3, places=1)
VALUES = some.fixed_dictionaries(
    {
        "price": PRICES,
        "barcodes": some.none() | some.lists(some.sampled_from(["a", "b", "", '"', "\\"]), max_size=2),
        "about": some.none()
        | some.dictionaries(some.sampled_from("ab"), some.none() | some.integers(0, 1), max_size=2),
        "seen_at": some.none() | some.sampled_from([datetime(2026, 3, day, tzinfo=ALMATY) for day in (1, 2)]),
    }
)
KEY = some.tuples(some.sampled_from(["a", "b"]), some.sampled_from(["1", "2", "3"]))


def as_rows(pairs: Any) -> list[dict[str, Any]]:
    return [{"shop": shop, "sku": sku, **values} for (shop, sku), values in pairs]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=some.dictionaries(KEY, VALUES), given_rows=some.lists(some.tuples(KEY, VALUES), max_size=8))
def test_an_upsert_returns_exactly_the_keys_it_changed(db: Connection, before: Any, given_rows: Any) -> None:
    if before:
        copy_in(db, goods, as_rows(before.items()))
    wanted = {**before, **dict(given_rows)}
    really = {key for key, values in wanted.items() if key not in before or before[key] != values}

    assert keys(upsert(db, goods, as_rows(given_rows), KEYS)) == really
    assert [{k: row[k] for k in ("shop", "sku", *next(iter(wanted.values())))} for row in stored(db)] == as_rows(
        sorted(wanted.items())
    )
    assert keys(upsert(db, goods, as_rows(given_rows), KEYS)) == set(), "the second time nothing is new"
    db.rollback()


def test_columns_outside_the_comparison_change_nothing_by_themselves(db: Connection) -> None:
    later = {**TEA, "seen_at": TEA["seen_at"] + timedelta(days=1)}
    upsert(db, goods, [TEA], KEYS)
    assert keys(upsert(db, goods, [later], KEYS, compare=["price", "pieces"])) == set()
    assert stored(db) == [TEA]
    assert keys(upsert(db, goods, [{**later, "pieces": 2}], KEYS, compare=["price", "pieces"])) == {("almaty", "SKU-1")}
    assert stored(db) == [{**later, "pieces": 2}]


def test_with_nothing_to_compare_only_new_keys_go_in(db: Connection) -> None:
    assert keys(upsert(db, goods, [{"shop": "a", "sku": "1"}], KEYS)) == {("a", "1")}
    more = [{"shop": "a", "sku": "1"}, {"shop": "a", "sku": "2"}]
    assert keys(upsert(db, goods, more, KEYS)) == {("a", "2")}


def test_an_unchanged_row_is_not_written_again(db: Connection) -> None:
    upsert(db, goods, [TEA], KEYS)
    version = db.execute(text("select xmin, xmax, ctid from goods")).one()
    upsert(db, goods, [TEA], KEYS)
    assert db.execute(text("select xmin, xmax, ctid from goods")).one() == version


def test_no_rows_change_nothing(db: Connection) -> None:
    assert keys(upsert(db, goods, [], KEYS)) == set()


def test_two_writers_in_opposite_order_do_not_lock_each_other_out(
    db: Connection, store: Engine, somebody_waits: Callable[[], None]
) -> None:
    rows = [{"shop": "a", "sku": f"{n:03}", "pieces": n} for n in range(100)]
    second_changed: list[pyarrow.Table] = []

    def second() -> None:
        with store.begin() as other:
            mixed = [{**row, "pieces": row["pieces"] + (row["sku"] == "050")} for row in reversed(rows)]
            second_changed.append(upsert(other, goods, mixed, KEYS))

    assert len(keys(upsert(db, goods, rows, KEYS))) == 100
    writer = threading.Thread(target=second)
    writer.start()
    somebody_waits()
    db.commit()
    writer.join(timeout=30)
    assert keys(second_changed[0]) == {("a", "050")}, "compared with what the first has written meanwhile"
