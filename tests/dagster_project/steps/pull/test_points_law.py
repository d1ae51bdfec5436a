"""Points are counted once, whatever is told twice, late, otherwise or in another order of batches."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

AT = "2026-03-02T09:00:00+05:00"
TOLD = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3)), max_size=3, unique_by=lambda one: one[0]),
    max_size=5,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TOLD)
def test_a_balance_is_the_sum_of_what_was_told_first_of_each_entry(shop: Any, batches: list[list[tuple[str, int]]]):
    with shop.store.begin() as db:
        db.execute(text("truncate canonical.loyalty_entry, ledger.quarantine, hub.dirty, hub.cursor"))
        db.execute(text("drop schema if exists raw_market cascade"))
    shop["market"].holds["points"].clear()
    standing: dict[str, int] = {}
    otherwise: dict[str, bool] = {}
    for batch in batches:
        for entry, count in batch:
            standing.setdefault(entry, count)
            otherwise[entry] = standing[entry] != count
            shop["market"].says("points", {"id": entry, "buyer": "7", "at": AT, "points": str(count), "reason": "gift"})
        shop.reads("market", "points")
    balance = (
        "select coalesce(sum(balance), 0)::int, coalesce(bool_or(overdrawn), false) from canonical.loyalty_balance"
    )
    assert shop.rows(balance) == [(sum(standing.values()), sum(standing.values()) < 0)]
    assert {key for _, key, _ in shop.aside()} == {entry for entry, differs in otherwise.items() if differs}
