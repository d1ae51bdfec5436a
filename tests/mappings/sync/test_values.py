"""JSON texts that are equal exactly where their values are."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from mappings.sync.values import as_json, by_name, numbers, plain, totals


def test_numbers_are_written_as_short_as_can_be() -> None:
    written = numbers(np.array([5.0, 1.5, 0.001, -0.25, 0.0, np.nan, 1e12 + 0.5]))
    assert written.to_pylist() == ["5", "1.5", "0.001", "-0.25", "0", None, "1000000000000.5"]


def test_a_row_of_points_leaves_out_what_nobody_counted() -> None:
    values = np.array([[1.0, 2.0, np.nan], [np.nan, np.nan, np.nan], [0.5, 0.0, 3.0]])
    assert by_name(["PP10", "PP2", "a"], values).to_pylist() == [
        '{"PP2": 2, "PP10": 1}', None, '{"a": 3, "PP2": 0, "PP10": 0.5}',
    ]  # fmt: skip
    assert by_name([], np.empty((2, 0))).to_pylist() == [None, None]


def test_totals_add_up_points_and_know_no_number_in_anything_else() -> None:
    assert totals(pa.array(["5", "1.5"])).tolist() == [5, 1.5]
    assert np.isnan(totals(pa.array([None], pa.string()))[0])
    mixed = totals(pa.array(['{"P": 2, "Q": 3}', "4", '"x"', None]))
    assert mixed[:2].tolist() == [5, 4]
    assert np.isnan(mixed[2:]).all()


@given(st.decimals(Decimal(-(10**9)), Decimal(10**9), places=3))
def test_any_quantity_keeps_its_digits(quantity: Decimal) -> None:
    (written,) = numbers(np.array([float(quantity)])).to_pylist()
    assert Decimal(written) == quantity
    assert written == plain(quantity)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.decimals(Decimal(-1000), Decimal(1000), places=2)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture
def printed(store: Engine):  # type: ignore[no-untyped-def]
    def by_postgres(value: str) -> str:
        with store.connect() as db:
            return str(db.execute(text("select cast(cast(:v as jsonb) as text)"), {"v": value}).scalar_one())

    return by_postgres


def test_the_text_is_letter_for_letter_what_postgres_prints(printed) -> None:  # type: ignore[no-untyped-def]
    @given(JSON)
    def holds(value: object) -> None:
        assert printed(as_json(value)) == as_json(value)

    holds()
    assert json.loads(as_json({"b": Decimal("1.50"), "a": ["ұ", None]})) == {"a": ["ұ", None], "b": 1.5}
