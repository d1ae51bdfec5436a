"""A corrected file replaces what it speaks of and nothing else; one that would remove too much is held."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from connectors.sdk.errors import ConfigError
from dagster_project.steps.files.read import FileReport, approve_file, held_files, reject_file
from tests.dagster_project.steps.files.folder import MONDAY, RECEIPTS, Shop, line


def test_a_corrected_file_replaces_its_day_and_place_and_nothing_else(shop: Shop):
    monday = [line(number) for number in range(1, 21)]
    tuesday, elsewhere = line(30, at="2026-03-03 09:00"), line(40, location="B")
    shop.drops("tills", "first.csv", RECEIPTS, *monday, tuesday, elsewhere)
    shop.reads()
    corrected = [*monday[1:-1], line(20, total="55.00"), line(21)]
    shop.drops("tills", "second.csv", RECEIPTS, *corrected, minutes=5)
    assert [report.state for report in shop.reads()] == ["unchanged", "loaded"]
    assert set(shop.receipts) == {*map(str, range(2, 22)), "30", "40"}
    assert shop.receipts["20"] == Decimal(55)
    assert shop.asks("select count(*) from canonical.order_line") == [22]


def test_what_a_corrected_file_repeats_is_left_as_it_is(shop: Shop):
    shop.drops("tills", "first.csv", RECEIPTS, line(1), line(2))
    (first,) = shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, line(1), line(2), line(3), minutes=5)
    _, second = shop.reads()
    keys = dict(shop.asks("""select external_id, source ->> 'key' from canonical."order" """))
    assert keys == {"1": first.hash, "2": first.hash, "3": second.hash}


def test_who_bought_is_still_known_after_a_correction(shop: Shop):
    header = RECEIPTS + ",customer"
    shop.drops("tills", "first.csv", header, line(1) + ",ann")
    shop.reads()
    with shop.engine.begin() as db:
        db.execute(text("""update canonical."order" set person_id = 'p1'"""))
    shop.drops("tills", "second.csv", header, line(1, total="90.00") + ",ann", minutes=5)
    shop.reads()
    assert shop.asks("""select total, person_id from canonical."order" """) == [(Decimal(90), "p1")]


@pytest.fixture
def thinner(shop: Shop) -> FileReport:
    """A day of ten receipts comes again with five."""
    shop.drops("tills", "first.csv", RECEIPTS, *(line(number) for number in range(10)))
    shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, *(line(number) for number in range(5)), minutes=5)
    return shop.reads()[1]


def test_a_replacement_that_would_remove_too_much_is_held(shop: Shop, thinner: FileReport):
    assert (thinner.state, thinner.read, thinner.held, thinner.stored) == ("held", 5, 5, 0)
    assert "would lose 5 of 10" in str(thinner.reason)
    assert thinner.error is None
    assert len(shop.receipts) == 10
    assert [(name, claim.hash) for name, claim in held_files(shop.engine, shop.hub)] == [("tills", thinner.hash)]
    assert shop.reads()[1].state == "held", "it goes on waiting"


def test_a_held_file_that_a_person_approves_replaces_after_all(shop: Shop, thinner: FileReport):
    report = approve_file(shop.engine, shop.hub, str(thinner.hash)[:12], who="aigul", now=MONDAY)
    assert (report.state, report.stored) == ("loaded", 5)
    assert len(shop.receipts) == 5
    assert shop.asks("select state, decided_by from raw_tills.files where name = 'second.csv'") == [("loaded", "aigul")]
    assert held_files(shop.engine, shop.hub) == []


def test_a_held_file_that_a_person_rejects_is_never_read_again(shop: Shop, thinner: FileReport):
    reject_file(shop.engine, shop.hub, str(thinner.hash), who="aigul", now=MONDAY)
    assert [report.state for report in shop.reads()] == ["unchanged", "dropped"]
    assert len(shop.receipts) == 10
    with pytest.raises(ConfigError, match="no held file"):
        approve_file(shop.engine, shop.hub, str(thinner.hash), who="aigul", now=MONDAY)


def test_partitions_by_till_leave_the_other_till_alone(shop: Shop):
    shop.settings["tills"]["partition"] = ["location", "till", "day"]
    header = RECEIPTS + ",till"
    shop.drops("tills", "both.csv", header, line(1) + ",1", line(1) + ",2")
    shop.reads()
    shop.drops("tills", "first.csv", header, line(1, total="90.00") + ",1", minutes=5)
    shop.reads()
    assert shop.receipts == {"A/1/2026-03-02/1": Decimal(90), "A/2/2026-03-02/1": Decimal(100)}


def test_receipts_that_speak_for_themselves_alone_remove_nothing(shop: Shop):
    shop.settings["tills"]["partition"] = "receipt"
    shop.drops("tills", "first.csv", RECEIPTS, line(1), line(2))
    shop.reads()
    shop.drops("tills", "second.csv", RECEIPTS, line(2, total="5.00", at="2026-03-04 10:00"), minutes=5)
    shop.reads()
    assert shop.receipts == {"1": Decimal(100), "2": Decimal(5)}


def test_a_number_used_on_another_day_does_not_overwrite_that_receipt(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2))
    shop.reads()
    shop.drops("tills", "tuesday.csv", RECEIPTS, *(line(n, at="2026-03-03 10:00") for n in (2, 2, 3, 4)), minutes=5)
    _, tuesday = shop.reads()
    assert (tuesday.read, tuesday.stored, tuesday.quarantined) == (4, 2, 2)
    assert shop.asks("""select day::text from canonical."order" where external_id = '2'""") == ["2026-03-02"]
    assert shop.asks("select key, lines, rule from ledger.quarantine") == [("2", 2, "receipt_reused")]


def test_numbers_that_begin_anew_every_day_are_named_as_a_setting(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2))
    shop.reads()
    shop.drops(
        "tills", "tuesday.csv", RECEIPTS, line(1, at="2026-03-03 10:00"), line(2, at="2026-03-03 10:00"), minutes=5
    )
    _, tuesday = shop.reads()
    assert tuesday.state == "refused"
    assert "columns.receipt" in str(tuesday.error)
