"""A file that comes again replaces what it speaks for, and nothing else."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mappings.tables.replacement import Replacement, replacement

KEYS, SCOPE = ["external_id"], ["location", "day"]


def receipts(*rows: tuple[str, str | None, int | None], usable: bool | None = None) -> pa.Table:
    columns = (
        [
            pa.array(values, kind)
            for values, kind in zip(zip(*rows, strict=True), (pa.string(), pa.string(), pa.int64()), strict=True)
        ]
        if rows
        else [pa.array([], pa.string()), pa.array([], pa.string()), pa.array([], pa.int64())]
    )
    table = pa.table(columns, ["external_id", "location", "day"])
    return table if usable is None else table.append_column("usable", pa.repeat(usable, len(rows)))


def replaced(come: pa.Table, there: pa.Table, scope: list[str] = SCOPE, shrink: float = 0.1) -> Replacement:
    return replacement(come, there, keys=KEYS, scope=scope, shrink=shrink)


def ids(table: pa.Table) -> set[str]:
    return set(table["external_id"].to_pylist())


def test_a_receipt_that_does_not_come_again_is_removed_from_its_day_only():
    found = replaced(
        receipts(("1", "A", 2), usable=True), receipts(("1", "A", 2), ("2", "A", 2), ("3", "A", 1), ("4", "B", 2))
    )
    assert ids(found.removed) == {"2"}
    assert ids(found.compared) == {"1"}


def test_a_place_without_a_name_is_a_place_too():
    found = replaced(receipts(("1", None, 2), usable=True), receipts(("2", None, 2), ("3", "A", 2)))
    assert ids(found.removed) == {"2"}


def test_a_receipt_that_cannot_be_read_this_time_keeps_its_last_good_version():
    come = pa.concat_tables([receipts(("1", "A", 2), usable=True), receipts(("2", None, None), usable=False)])
    found = replaced(come, receipts(("1", "A", 2), ("2", "A", 2)))
    assert ids(found.removed) == set()


def test_a_number_that_stands_on_another_day_belongs_to_another_receipt():
    found = replaced(receipts(("1", "A", 2), usable=True), receipts(("1", "A", 1)))
    assert ids(found.kept_apart) == {"1"}
    assert ids(found.compared) == set()


def test_a_part_that_would_lose_more_than_the_guard_allows_is_named():
    there = receipts(*((str(number), "A", 2) for number in range(10)))
    come = receipts(*((str(number), "A", 2) for number in range(8)), usable=True)
    assert replaced(come, there, shrink=0.1).shrunk == [("A 2", 10, 2)]
    assert replaced(come, there, shrink=0.2).shrunk == []


def test_without_a_scope_a_receipt_replaces_itself_alone():
    found = replaced(receipts(("1", "A", 2), usable=True), receipts(("1", "A", 1), ("2", "A", 2)), scope=[])
    assert (ids(found.removed), ids(found.kept_apart), ids(found.compared)) == (set(), set(), {"1"})


rows = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.sampled_from(["A", None]), st.sampled_from([1, 2])), max_size=6
)


@given(rows, rows)
def test_after_a_replacement_the_scope_holds_what_came_and_the_rest_is_as_it_was(come, there):
    table = receipts(*((key, *at) for key, at in come.items()), usable=True)
    found = replaced(table, receipts(*((key, *at) for key, at in there.items())))
    after = {key: at for key, at in there.items() if key not in ids(found.removed)} | {
        key: at for key, at in come.items() if key not in ids(found.kept_apart)
    }
    spoken_for = set(come.values())
    expected = {key: at for key, at in there.items() if at not in spoken_for}
    expected |= {key: at for key, at in come.items() if key not in expected}
    assert after == expected
