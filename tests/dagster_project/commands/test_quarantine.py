"""Records set aside: seen, mended and replayed, or dropped."""

import pytest

from tests.dagster_project.conftest import Street


@pytest.fixture
def aside(street: Street) -> Street:
    """Two orders came in a status that nobody knows."""
    site = street.opens("site")
    for _ in range(2):
        order = site.sell([(street.shop.variants[0].sku, 1)])
        order["status"] = "teleported"
    assert street.keruen("sync").exit_code == 0
    return street


def open_numbers(street: Street) -> list[int]:
    return [row["id"] for row in street.told("quarantine", "list")]


def test_what_is_set_aside_is_listed_with_its_reason_and_shown_with_its_payload(aside: Street):
    rows = aside.told("quarantine", "list")
    assert {(row["connection"], row["resource"], row["rule"]) for row in rows} == {("site", "orders", "unknown_value")}
    assert all("teleported" in row["reason"] for row in rows)
    assert aside.told("quarantine", "list", "--rule", "another_rule") == []
    record = aside.told("quarantine", "show", str(rows[0]["id"]))
    assert record["payload"]["status"] == "teleported"
    assert "teleported" in aside.keruen("quarantine", "list").stdout


def test_a_replay_before_the_fix_sets_aside_again_and_after_it_stores(aside: Street):
    done = aside.keruen("quarantine", "replay", "--connection", "site")
    assert "0 stored, 2 still set aside" in done.stdout
    for order in aside["site"].orders.values():
        order["status"] = "received"
    aside.keruen("sync", "--full")
    assert open_numbers(aside) == []
    assert aside.rows(
        """select count(*) from canonical."order" where connection = 'site' and status = 'confirmed'"""
    ) != [(0,)]


def test_a_dropped_record_stays_in_the_ledger_and_leaves_the_list(aside: Street):
    first, second = sorted(open_numbers(aside))
    assert aside.keruen("quarantine", "drop", str(first)).stdout.strip() == "1 dropped"
    assert open_numbers(aside) == [second]
    assert aside.rows("select state from ledger.quarantine where id = :id", id=first) == [("dropped",)]


def test_a_number_that_is_none_is_answered_with_where_to_look(aside: Street):
    assert "`keruen quarantine list`" in aside.refuses("quarantine", "show", "999999")
