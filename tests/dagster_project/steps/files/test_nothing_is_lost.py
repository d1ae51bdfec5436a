"""To the last line: what cannot be used is set aside, counted, and comes back by replay."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from connectors.files.mapping import KINDS
from dagster_project.steps.canonical import replay
from tests.dagster_project.steps.files.folder import MONDAY, RECEIPTS, Shop, line


def test_an_unusable_line_sets_its_whole_receipt_aside_counted_in_lines(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2), line(2, quantity="many"), line(2), line(3))
    (report,) = shop.reads()
    assert (report.read, report.stored, report.quarantined) == (5, 2, 3)
    assert set(shop.receipts) == {"1", "3"}
    ((key, number, lines, rule, reason),) = shop.asks(
        "select key, line, lines, rule, reason from ledger.quarantine where state = 'open'"
    )
    assert (key, number, lines, rule) == ("2", 4, 3, "not_a_number")
    assert "'many'" in reason


def test_a_corrected_file_closes_what_the_first_one_set_aside(shop: Shop):
    shop.drops("tills", "first.csv", RECEIPTS, line(1), line(2, quantity="many"))
    shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, line(1), line(2), minutes=5)
    shop.reads()
    assert shop.asks("select state from ledger.quarantine") == ["replayed"]
    assert set(shop.receipts) == {"1", "2"}


def test_a_receipt_that_cannot_be_read_this_time_keeps_its_last_good_version(shop: Shop):
    shop.drops("tills", "first.csv", RECEIPTS, line(1), line(2))
    shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, line(1), line(2, quantity="many"), minutes=5)
    shop.reads()
    assert set(shop.receipts) == {"1", "2"}
    assert shop.asks("select key, state from ledger.quarantine") == [("2", "open")]


def test_a_line_without_a_receipt_is_kept_under_its_file_and_line(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(""))
    (report,) = shop.reads()
    assert shop.asks("select key, line, rule from ledger.quarantine") == [
        (f"{str(report.hash)[:12]}:3", 3, "missing_field")
    ]


def test_quantity_zero_is_kept_with_its_money_and_without_a_price(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1, quantity="0", total="0.49"))
    (report,) = shop.reads()
    assert report.notes == {"zero_quantity": 1}
    assert shop.asks("select quantity, unit_price, total from canonical.order_line") == [
        (Decimal(0), None, Decimal("0.49"))
    ]


def test_an_hour_that_comes_twice_is_flagged(shop: Shop):
    shop.settings["tills"]["timezone"] = "Europe/Berlin"
    shop.drops("tills", "october.csv", RECEIPTS, line(1, at="2025-10-26 02:30"), line(2, at="2025-10-26 12:00"))
    (report,) = shop.reads()
    assert report.notes == {"clock_change": 1}
    flags = dict(shop.asks("""select external_id, source -> 'flags' from canonical."order" """))
    assert flags == {"1": ["clock_change"], "2": None}


def test_a_receipt_set_aside_for_a_setting_comes_back_by_replay_and_newer_ones_stay(shop: Shop):
    kinds = RECEIPTS + ",Тип"
    shop.drops(
        "tills", "first.csv", kinds, line(1) + ",Продажа", line(2) + ",Обмен", line(2, "milk", "-1", "-5.00") + ","
    )
    shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, line(1, total="90.00"), line(3), minutes=5)
    shop.settings["tills"]["partition"] = "receipt"
    shop.reads()
    with pytest.MonkeyPatch.context() as mended:
        mended.setitem(KINDS, "обмен", "sale")
        done = replay(shop.engine, shop.hub, now=MONDAY)
    assert (done.stored, done.quarantined) == (2, 0)
    assert shop.receipts == {"1": Decimal(90), "2": Decimal(100), "2/return": Decimal(5), "3": Decimal(100)}
    assert shop.asks("select state from ledger.quarantine") == ["replayed"]


def test_what_a_replay_still_cannot_read_stays_set_aside(shop: Shop):
    shop.drops("tills", "first.csv", RECEIPTS, line(1), line(2, quantity="many"))
    shop.reads()
    done = replay(shop.engine, shop.hub, now=MONDAY)
    assert (done.stored, done.quarantined) == (0, 1)
    assert shop.asks("select key, line, state from ledger.quarantine") == [("2", 3, "open")]


@pytest.mark.parametrize(
    "spoil", [lambda row: row, lambda row: row.replace("100.00", ""), lambda row: row + ",surplus"]
)
def test_lines_in_are_lines_stored_and_lines_set_aside(shop: Shop, spoil: Callable[[str], str]):
    rows = [line(number % 7, f"s{number}") for number in range(60)]
    shop.drops("tills", "monday.csv", RECEIPTS, *rows[:30], spoil(rows[30]), *rows[31:])
    (report,) = shop.reads()
    stored, aside = (
        shop.asks("select count(*) from canonical.order_line")[0],
        shop.asks("select coalesce(sum(lines), 0) from ledger.quarantine")[0],
    )
    assert report.read == 60 == stored + aside
    assert (report.stored, report.quarantined) == (stored, aside)
