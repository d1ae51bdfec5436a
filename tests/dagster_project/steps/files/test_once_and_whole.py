"""A file is taken once, whatever its name, and whole or not at all."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.steps.files import read as files
from dagster_project.steps.files.read import ingest_files
from dagster_project.store import archive, claims
from tests.dagster_project.steps.files.folder import MONDAY, RECEIPTS, Shop, line


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


def test_files_is_what_the_reports_are_called_by(shop: Shop):
    assert files.FILES == "files"
    assert shop.reads() == []
