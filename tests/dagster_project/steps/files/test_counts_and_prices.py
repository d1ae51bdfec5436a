"""Counts and price lists replace those before them, place by place and type by type; a blank is never zero."""

from datetime import timedelta
from decimal import Decimal

from dagster_project.steps.files.read import approve_file
from tests.dagster_project.steps.files.folder import MONDAY, Shop


def stock_of(shop: Shop) -> dict[str, Decimal]:
    return dict(shop.asks("select sku, on_hand from canonical.stock_level where deleted_at is null"))


def test_a_count_is_as_of_its_file_and_never_below_zero(known: Shop):
    known.drops("counts", "monday.csv", "sku,location,on_hand", "tea,A,5", "milk,A,-3")
    (report,) = known.reads("counts")
    assert (report.stored, report.notes) == (2, {"negative": 1})
    assert stock_of(known) == {"tea": 5, "milk": 0}
    assert known.asks("select distinct as_of from canonical.stock_level") == [MONDAY]
    assert set(known.asks("select subject from hub.dirty where entity = 'stock'")) == {"tea", "milk"}


def test_a_whole_count_replaces_the_count_of_its_places(known: Shop):
    skus = ["tea", *map(str, range(20))]
    known.drops("counts", "monday.csv", "sku,location,on_hand", *(f"{sku},A,5" for sku in skus), "milk,B,1")
    known.reads("counts")
    known.drops("counts", "tuesday.csv", "sku,location,on_hand", *(f"{sku},A,4" for sku in skus[1:]), minutes=60)
    known.reads("counts")
    assert stock_of(known) == {"milk": 1, **dict.fromkeys(skus[1:], Decimal(4))}
    assert known.asks("select sku from canonical.stock_level where deleted_at is not null") == ["tea"]


def test_a_count_that_lost_half_of_its_goods_is_held(known: Shop):
    known.drops("counts", "monday.csv", "sku,location,on_hand", *(f"{sku},A,5" for sku in range(20)))
    known.reads("counts")
    known.drops("counts", "tuesday.csv", "sku,location,on_hand", *(f"{sku},A,5" for sku in range(10)), minutes=60)
    _, report = known.reads("counts")
    assert report.state == "held"
    assert len(stock_of(known)) == 20
    approve_file(known.engine, known.hub, str(report.hash), who="aigul", now=MONDAY)
    assert len(stock_of(known)) == 10


def test_a_count_older_than_the_known_one_changes_nothing(known: Shop):
    header = "sku,location,on_hand,as_of"
    known.drops("counts", "new.csv", header, "tea,A,5,2026-03-02 10:00")
    known.reads("counts")
    known.drops("counts", "old.csv", header, "milk,A,9,2026-03-01 10:00", "tea,A,9,2026-03-01 10:00", minutes=60)
    known.reads("counts")
    assert stock_of(known) == {"tea": 5, "milk": 9}


def test_the_same_count_sent_after_another_one_counts_again(known: Shop):
    five, three = ("sku,location,on_hand", "tea,A,5"), ("sku,location,on_hand", "tea,A,3")
    for minutes, (name, lines) in enumerate((("mon.csv", five), ("tue.csv", three), ("wed.csv", five))):
        known.drops("counts", name, *lines, minutes=60 * minutes)
        known.reads("counts", MONDAY + timedelta(hours=minutes))
    assert stock_of(known) == {"tea": 5}
    assert {report.state for report in known.reads("counts", MONDAY + timedelta(days=1))} == {"unchanged"}
    assert stock_of(known) == {"tea": 5}


def test_a_line_that_cannot_be_read_does_not_delete_the_count_it_is_about(known: Shop):
    rows = [f"{sku},A,5" for sku in range(20)]
    known.drops("counts", "monday.csv", "sku,location,on_hand", *rows)
    known.reads("counts")
    known.drops("counts", "tuesday.csv", "sku,location,on_hand", "0,A,many", *rows[1:], minutes=60)
    _, report = known.reads("counts")
    assert (report.read, report.stored, report.quarantined) == (20, 19, 1)
    assert len(stock_of(known)) == 20


def test_a_count_of_goods_nobody_knows_waits_in_the_quarantine(known: Shop):
    known.drops("counts", "monday.csv", "sku,location,on_hand", "tea,A,5", "mystery,A,5")
    (report,) = known.reads("counts")
    assert (report.read, report.stored, report.quarantined, report.unbound) == (2, 1, 1, 1)
    assert known.asks("select line, rule from ledger.quarantine") == [(3, "unbound_variant")]


def test_a_count_that_waited_is_taken_when_its_product_appears(known: Shop):
    known.drops("counts", "monday.csv", "sku,location,on_hand", "tea,A,5", "coffee,A,7")
    known.reads("counts")
    known.drops("goods", "more.csv", "sku,name", "coffee,Кофе", minutes=5)
    known.reads("goods")
    known.reads("counts")
    assert stock_of(known) == {"tea": 5, "coffee": 7}
    assert known.asks("select state from ledger.quarantine") == ["replayed"]


def test_a_place_whose_stock_another_connection_owns_is_left_to_it(known: Shop):
    known.hub_settings = "{authority: {on_hand: {default: goods, 'counts:A': counts}}}"
    known.drops("counts", "monday.csv", "sku,location,on_hand", "tea,A,5", "tea,B,9")
    (report,) = known.reads("counts")
    assert report.notes == {"not_owned": 1}
    assert known.asks("select location from canonical.stock_level") == ["counts:A"]


def test_a_price_list_replaces_its_price_types(known: Shop):
    header = "sku,price_type,amount"
    rows = [f"{sku},Розничная,100" for sku in range(20)]
    known.drops("tags", "monday.csv", header, *rows, "tea,Оптовая,80")
    known.reads("tags")
    known.drops("tags", "tuesday.csv", header, *rows[1:-1], "19,Розничная,120", minutes=60)
    known.reads("tags")
    live = dict(known.asks("select sku || ' ' || price_type, amount from canonical.price where deleted_at is null"))
    assert live["19 retail"] == 120
    assert "0 retail" not in live
    assert live["tea wholesale"] == 80, "another price type is another list"
    assert "0" in known.asks("select subject from hub.dirty where entity = 'price'")


def test_a_blank_price_is_set_aside_and_never_zero(known: Shop):
    known.drops("tags", "monday.csv", "sku,price_type,amount", "tea,retail,", "milk,retail,5")
    (report,) = known.reads("tags")
    assert (report.stored, report.quarantined) == (1, 1)
    assert known.asks("select sku from canonical.price") == ["milk"]
