"""Which plans wait for a person, and which products stay away from a channel."""

import pyarrow as pa
import pytest

from mappings.sync.offers import excluded
from mappings.sync.plan import Circumstances, enough_shown, held, is_mass


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Circumstances(40, 100, 0.5), None),
        (Circumstances(60, 100, 0.5), "share: 60 of 100 change at once, the guard allows 50%"),
        (Circumstances(60, 100, None), None),
        (Circumstances(5, 5, 0.1), None),
        (Circumstances(6, 6, 0.1), "share: 6 of 6 change at once, the guard allows 10%"),
        (Circumstances(1, 100, 0.5, stale=("erp.prices",)), "stale: erp.prices not read in time"),
        (Circumstances(1, 0, 0.5, first=True, approve=True), "first sync"),
        (Circumstances(1, 100, 0.5, approve=True), "approval required"),
    ],
)
def test_a_plan_waits_for_the_first_reason_there_is(plan: Circumstances, reason: str | None) -> None:
    assert held(plan) == reason


@pytest.mark.parametrize("rows", [0, 5, 6, 7, 1000])
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_counting_further_than_enough_would_change_no_verdict(rows: int, share: float) -> None:
    enough = enough_shown(rows, share)
    assert not is_mass(rows, enough, share) or rows == 0
    if enough:
        assert is_mass(rows, enough - 1, share)


PRODUCTS = pa.table(
    {
        "sku": ["SKU-1", "SKU-2", "SKU-3"],
        "status": ["active", "archived", "active"],
        "deleted": [False, False, True],
    }
)
CATEGORIES = pa.array(["Toys/Cars", "Toys", None])


def test_the_first_rule_that_says_no_gives_the_reason() -> None:
    assert excluded(PRODUCTS).to_pylist() == [None, None, "deleted from the catalogue"]
    assert excluded(PRODUCTS, status="active", under=(["Toys/"], CATEGORIES)).to_pylist() == [
        None, "status: archived", "deleted from the catalogue",
    ]  # fmt: skip
    two = PRODUCTS.slice(0, 2)
    assert excluded(two, under=(["Food"], CATEGORIES[:2])).to_pylist() == ["category: Toys/Cars", "category: Toys"]
    assert excluded(two, exclude=["SKU-1"]).to_pylist() == ["exclude: named in connections.yaml", None]
    facts = {"price": pa.array([True, False]), "stock": pa.array([False, False])}
    assert excluded(two, has=facts).to_pylist() == ["has: no stock", "has: no price"]
    assert excluded(two, unlisted=["SKU-2"]).to_pylist() == [None, "not listed"]
