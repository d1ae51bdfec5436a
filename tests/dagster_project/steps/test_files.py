"""A folder of files from the till to the canonical tables: once, whole, and accounted for to the last line."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.files import CONNECTOR
from connectors.files.mapping import KINDS
from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub, parse
from dagster_project.steps.canonical import replay
from dagster_project.steps.files import read as files
from dagster_project.steps.files.read import FileReport, approve_file, held_files, ingest_files, reject_file
from dagster_project.store import archive, claims
from dagster_project.store.people.keyring import keys
from tests.clear import clear

MONDAY = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
RECEIPTS = "receipt,location,sku,quantity,total,placed_at"
SETTINGS: dict[str, dict[str, Any]] = {
    "tills": {"layout": "receipts", "timezone": "Asia/Almaty", "currency": "KZT"},
    "counts": {"layout": "stock", "timezone": "Asia/Almaty"},
    "goods": {"layout": "products"},
    "tags": {"layout": "prices", "currency": "KZT", "timezone": "Asia/Almaty"},
    "people": {"layout": "customers", "timezone": "Asia/Almaty"},
}


@dataclass
class Shop:
    """A merchant with one folder per connection."""

    engine: Engine
    folder: Path
    settings: dict[str, dict[str, Any]]
    hub_settings: str = "{}"

    @property
    def hub(self) -> Hub:
        entries = {
            name: {"connector": "files", "settings": {"path": f"{name}/*", **settings}}
            for name, settings in self.settings.items()
        }
        written = "\n".join(f"{name}: {entry!r}".replace("None", "null") for name, entry in entries.items())
        return parse(f"hub: {self.hub_settings}\n{written}", {"files": CONNECTOR}, folder=self.folder)

    def drops(self, connection: str, name: str, *lines: str, minutes: int = 0) -> Path:
        path = self.folder / connection / name
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        os.utime(path, times=(MONDAY.timestamp() + 60 * minutes,) * 2)
        return path

    def reads(self, connection: str = "tills", now: datetime = MONDAY) -> list[FileReport]:
        hub = self.hub
        return ingest_files(self.engine, hub[connection], now=now, hub=hub)

    def asks(self, query: str) -> list[Any]:
        with self.engine.connect() as db:
            found = db.execute(text(query)).all()
        return [row[0] if len(row) == 1 else tuple(row) for row in found]

    @property
    def receipts(self) -> dict[str, Decimal]:
        return dict(self.asks('select external_id, total from canonical."order" order by 1'))


@pytest.fixture
def shop(store: Engine, tmp_path: Path) -> Shop:
    for name in SETTINGS:
        (tmp_path / name).mkdir()
    return Shop(store, tmp_path, {name: dict(settings) for name, settings in SETTINGS.items()})


def line(
    receipt: object,
    sku: str = "tea",
    quantity: str = "1",
    total: str = "100.00",
    at: str = "2026-03-02 10:00",
    location: str = "A",
) -> str:
    return f"{receipt},{location},{sku},{quantity},{total},{at}"


# ── once and whole ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_receipts_land_with_their_lines_and_say_where_they_come_from(shop: Shop):
    path = shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(1, "milk", "2", "60.50"), line(2, total="7.00"))
    (report,) = shop.reads()
    assert (report.state, report.read, report.stored, report.quarantined, report.unbound) == ("loaded", 3, 3, 0, 3)
    assert shop.receipts == {"1": Decimal("160.50"), "2": Decimal("7.00")}
    assert shop.asks(
        "select external_id, line, sku, quantity, unit_price, total from canonical.order_line order by 1, 2"
    ) == [
        ("1", "1", "tea", Decimal(1), Decimal(100), Decimal(100)),
        ("1", "2", "milk", Decimal(2), Decimal("30.25"), Decimal("60.50")),
        ("2", "1", "tea", Decimal(1), Decimal(7), Decimal(7)),
    ]
    (source,) = shop.asks("""select source from canonical."order" where external_id = '2'""")
    assert (source["connection"], source["resource"], source["key"], source["line"]) == (
        "tills",
        "files",
        report.hash,
        4,
    )
    with archive.opened(source["key"]) as clear:
        assert clear.read_bytes() == path.read_bytes()
    assert shop.asks("select hash, name, size, rows, state from raw_tills.files") == [
        (report.hash, "monday.csv", path.stat().st_size, 3, "loaded")
    ]


def test_the_same_file_is_read_once_whatever_its_name(shop: Shop):
    path = shop.drops("tills", "monday.csv", RECEIPTS, line(1))
    shop.reads()
    path.rename(path.with_name("renamed.csv"))
    shop.drops("tills", "copy.csv", RECEIPTS, line(1), minutes=5)
    assert [(report.state, report.read, report.stored, report.unchanged) for report in shop.reads()] == [
        ("unchanged", 0, 0, 1)
    ] * 2
    assert shop.asks("select count(*) from raw_tills.files") == [1]


def test_a_crash_leaves_the_file_unclaimed_and_the_next_run_takes_it(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(claims, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            shop.reads()
    assert shop.receipts == {}
    assert [report.state for report in shop.reads()] == ["loaded"]


def test_two_runs_at_once_take_a_file_once(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1))
    hub = shop.hub
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: ingest_files(shop.engine, hub["tills"], now=MONDAY, hub=hub), range(2)))
    assert sorted(report.state for run in runs for report in run) == ["loaded", "unchanged"]
    assert len(shop.receipts) == 1


def test_a_file_that_somebody_still_writes_waits(shop: Shop):
    path = shop.drops("tills", "monday.csv", RECEIPTS, line(1))
    with path.open("a"):
        assert [report.state for report in shop.reads()] == ["waiting"]
    assert [report.state for report in shop.reads()] == ["loaded"]


def test_a_file_that_changes_while_it_is_read_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    path = shop.drops("tills", "monday.csv", RECEIPTS, line(1))
    blocks = archive._blocks

    def meanwhile(source: Path) -> Iterator[bytes]:
        yield from blocks(source)
        shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2), minutes=1)

    with monkeypatch.context() as busy:
        busy.setattr(archive, "_blocks", meanwhile)
        assert [report.state for report in shop.reads()] == ["waiting"]
    assert list(archive.folder().iterdir()) == []
    assert [report.read for report in shop.reads()] == [2]
    assert path.exists()


def test_a_half_file_is_refused_and_the_others_go_on(shop: Shop):
    half = shop.drops("tills", "half.csv", RECEIPTS, line(1), line(2))
    half.write_text(half.read_text()[:-4])
    os.utime(half, times=(MONDAY.timestamp() - 60,) * 2)
    shop.drops("tills", "whole.csv", RECEIPTS, line(3))
    refused, loaded = shop.reads()
    assert refused.state == "refused"
    assert "half.csv breaks at line 3" in str(refused.error)
    assert (loaded.state, list(shop.receipts)) == ("loaded", ["3"])
    assert shop.reads()[0].error == refused.error, "it stays loud"
    assert shop.asks("select error from hub.cursor where connection = 'tills'") == [refused.error]


def test_a_file_refused_for_a_setting_is_read_when_the_setting_is_mended(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS.replace(",", ";"), line(1).replace(",", ";"))
    (refused,) = shop.reads()
    assert 'set delimiter: ";"' in str(refused.error)
    shop.settings["tills"]["delimiter"] = ";"
    assert [report.state for report in shop.reads()] == ["loaded"]


# ── a file that comes again ───────────────────────────────────────────────────────────────────────────────────────────


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


# ── nothing is lost ───────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── which goods ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_find_their_product_by_binding_by_sku_or_by_barcode(shop: Shop):
    shop.drops("goods", "goods.csv", "sku,name,barcode", "tea,Чай,4870000000043", "milk,Сүт,")
    shop.reads("goods")
    with shop.engine.begin() as db:
        db.execute(text("insert into hub.binding values ('tills', 'variant', 'T-1', 'tea', 'explicit', now(), null)"))
    rows = (
        line(1, "milk"),
        line(2, "T-1"),
        line(3, "").replace("2026-03-02 10:00", "2026-03-02 10:00"),
        line(4, "bread"),
    )
    barcodes = ("", "", "4870000000043", "")
    shop.drops(
        "tills",
        "monday.csv",
        RECEIPTS + ",barcode",
        *(f"{row},{code}" for row, code in zip(rows, barcodes, strict=True)),
    )
    (report,) = shop.reads()
    assert report.unbound == 1
    assert dict(shop.asks("select external_id, sku from canonical.order_line")) == {
        "1": "milk",
        "2": "tea",
        "3": "tea",
        "4": "bread",
    }


def test_our_names_of_places_are_used(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2, location="B"))
    hub = shop.hub
    connection = hub["tills"]
    connection = replace(connection, entry=connection.entry.model_copy(update={"locations": {"A": "Almaty-1"}}))
    ingest_files(shop.engine, connection, now=MONDAY, hub=hub)
    assert shop.asks("""select location from canonical."order" order by external_id""") == ["Almaty-1", "tills:B"]
    assert shop.asks("select location, name, kind from canonical.location order by 1") == [
        ("Almaty-1", "A", "store"),
        ("tills:B", "B", "store"),
    ]


def test_only_sales_after_somebody_elses_count_ask_for_a_new_decision(shop: Shop):
    with shop.engine.begin() as db:
        db.execute(
            text("""
            insert into canonical.stock_level (sku, location, on_hand, as_of, connection, source)
            values ('tea', 'tills:A', 5, '2026-03-02 10:30+05', 'erp', '{}')""")
        )
    shop.drops("tills", "monday.csv", RECEIPTS, line(1, at="2026-03-02 10:00"), line(2, at="2026-03-02 11:00"))
    shop.reads()
    assert shop.asks("select entity, subject from hub.dirty where entity = 'order'") == [("order", "tills:2")]


# ── stock, prices, products, customers ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def known(shop: Shop) -> Shop:
    shop.drops(
        "goods", "goods.csv", "sku,name", *(f"{sku},{sku}" for sku in ("tea", "milk", "bread", *map(str, range(20))))
    )
    assert [report.stored for report in shop.reads("goods")] == [23]
    return shop


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


def test_products_keep_what_a_file_does_not_tell(shop: Shop):
    shop.drops("goods", "first.csv", "sku,name,brand,barcode", "tea,Чай,Асыл,4870000000043")
    shop.reads("goods")
    shop.drops("goods", "second.csv", "sku,name", "tea,Чай чёрный", minutes=5)
    shop.reads("goods")
    assert shop.asks("select name, brand, barcodes, status from canonical.product") == [
        ("Чай чёрный", "Асыл", ["4870000000043"], "active")
    ]


def test_a_product_without_a_name_goes_by_its_article(shop: Shop):
    shop.drops("goods", "goods.csv", "sku,name", "25671,")
    shop.reads("goods")
    assert shop.asks("select sku, name from canonical.product") == [("25671", "25671")]


def test_a_connection_without_authority_over_products_gives_listings(shop: Shop):
    shop.hub_settings = "{authority: {product: tills}}"
    shop.drops("goods", "goods.csv", "sku,name,barcode", "tea,Чай,4870000000043")
    (report,) = shop.reads("goods")
    assert (report.stored, report.notes) == (1, {"not_owned": 1})
    assert shop.asks("select count(*) from canonical.product") == [0]
    assert shop.asks("select external_id, sku, title from canonical.listing") == [("tea", "tea", "Чай")]


def test_customers_come_with_clean_contacts_and_their_ids_elsewhere(shop: Shop):
    shop.settings["people"] |= {"columns": {"ref.crm": "crm"}, "masked": ["email"]}
    header = "external_id,name,phone,phone2,email,birth_date,crm"
    shop.drops(
        "people", "people.csv", header, "7,Айгүл С.,8 700 000 00 01,нет,AIGUL@Example.KZ,1990-05-01,c-1", "8,Ерлан,,,,,"
    )
    (report,) = shop.reads("people")
    assert report.stored == 2
    found = shop.asks("select phones, emails, masked, refs from canonical.customer order by external_id")
    phone, email = keys().seal("+77000000001", "phone"), keys().seal("aigul@example.kz", "email")
    assert found == [
        ([phone], [email], ["email"], ["crm\x1fc-1"]),
        ([], [], ["email"], []),
    ]
    named = clear(shop.engine, "select name, birth_date from canonical.customer order by external_id")
    assert named == [("Айгүл С.", "1990-05-01"), ("Ерлан", None)]


# ── the law ───────────────────────────────────────────────────────────────────────────────────────────────────────────


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


def test_files_is_what_the_reports_are_called_by(shop: Shop):
    assert files.FILES == "files"
    assert shop.reads() == []
