"""`keruen sync`: once through everything, in words and in JSON."""

import pytest

from dagster_project.home import home
from tests.dagster_project.conftest import Street


def test_a_first_sync_brings_everything_and_a_second_one_changes_nothing(street: Street):
    street.stocks_shelves()
    street.opens("site")
    report = street.told("sync")
    read = {(row["connection"], row["resource"]): row for row in report["resources"]}
    assert read["goods", "files"]["stored"] == read["site", "products"]["stored"] == len(street.shop.variants)
    assert all(row["quarantined"] == 0 and row["error"] is None for row in report["resources"])
    sent = {(row["connection"], row["capability"]): row["sent"] for row in report["capabilities"]}
    assert sent["site", "stock.push"] == len(street.shop.variants)
    street.told("sync")

    street["site"].sandbox.journal.clear()
    again = street.keruen("sync")
    assert again.exit_code == 0
    assert "Nothing changed; nothing was written." in again.stdout
    assert street.writes("site") == []


def test_an_order_copied_to_the_erp_is_not_promised_twice(street: Street):
    """The copy reserves in the ERP what the order has reserved here: one promise, seen from two sides."""
    street.opens("erp")
    street.opens("site", orders_to="erp")
    street.told("sync")
    copies = street.rows("select count(*) from ledger.item where capability = 'order.push' and state = 'in_sync'")
    assert copies != [(0,)]
    shown = [product["quantity_in_stock"] for product in street["site"].products.values()]
    street["site"].sandbox.journal.clear()
    street.told("sync")
    assert street.rows("select count(*) from canonical.stock_level where reserved_by_source > 0") != [(0,)]
    assert [product["quantity_in_stock"] for product in street["site"].products.values()] == shown
    assert street.writes("site") == []


def test_status_says_what_to_do_where_a_connection_goes_by_another_name(street: Street):
    """Under the new one every card would be read again, beside those there are."""
    street.drops("crm", "customers", [{"external_id": "7", "name": "Ann"}])
    street.told("sync")
    assert street.keruen("status").stderr == ""
    street.entries["cards"] = street.entries.pop("crm")
    street.connects()
    assert "give it the name crm again" in " ".join(street.keruen("status").stderr.split())


def test_a_connection_that_fails_is_named_and_the_others_go_on(street: Street, monkeypatch):
    street.stocks_shelves()
    street.opens("site")
    monkeypatch.setenv("SITE_TOKEN", "not-the-right-token")
    done = street.keruen("sync")
    assert done.exit_code == 1
    assert "token" in done.stderr
    assert "not-the-right-token" not in done.output
    assert street.rows("select count(*) from canonical.product") == [(len(street.shop.variants),)]


def test_a_channel_whose_secret_is_not_set_is_a_line_of_the_table_and_the_others_go_on(street: Street, monkeypatch):
    """Its own rule of what belongs there asks for its settings, and is asked for the first time in this pass."""
    street.stocks_shelves()
    street.opens("market")
    street.opens("site")
    monkeypatch.delenv("MARKET_TOKEN")
    done = street.keruen("sync")
    assert done.exit_code == 1
    assert "MARKET_TOKEN" in done.stderr
    assert "site" in done.stdout, "the table is printed"
    assert street.rows("select distinct connection from ledger.item where acknowledged is not null") == [("site",)]
    rules = street.rows("select connection from hub.cursor where resource = 'decide:stock.push'")
    assert rules == [("site",)], "the next pass tries the market again"


def test_mistakes_in_files_of_segments_are_told_all_at_once_and_the_prices_go_on(street: Street):
    street.stocks_shelves()
    street.opens("site")
    street.told("sync")
    folder = home() / "segments"
    folder.mkdir()
    (folder / "vip.yaml").write_text("segment: vip\nwhere: {all: [", "utf-8")
    (folder / "new.yaml").write_text("segment: new\ntitle: {ru: Н, kk: Ж}", "utf-8")
    for command in ("sync", "status"):
        done = street.keruen(command)
        assert done.exit_code == 1
        assert "segments/vip.yaml:2:14 is not valid YAML" in done.stderr
        assert "segments/new.yaml:2: title.en: it is missing" in done.stderr
        assert "site" in done.stdout
    for slip in folder.iterdir():
        slip.unlink()
    assert (street.keruen("sync").exit_code, street.keruen("status").exit_code) == (0, 0)


def test_only_the_named_connection_is_read(street: Street):
    street.stocks_shelves()
    site = street.opens("site")
    report = street.told("sync", "goods")
    assert {row["connection"] for row in report["resources"]} == {"goods"}
    assert site.sandbox.journal == []


def test_a_name_that_nobody_bears_is_answered_with_the_names_there_are(street: Street):
    street.opens("site")
    assert street.refuses("sync", "sight") == ("there is no connection 'sight' in connections.yaml (known: site)")


NEED_A_HUB = (
    "status", "sync", "plan", "plan --held", "approve 1", "reject 1", "undo 1", "explain A-1", "sql select",
    "order withdraw east:1", "person show east:1", "person merge east:1 east:2", "consent show east:1",
    "privacy requests", "quarantine list", "segment list", "segment preview buyers",
)  # fmt: skip


@pytest.mark.parametrize("command", NEED_A_HUB)
def test_a_home_where_nothing_is_configured_is_named_and_gets_no_server(street: Street, monkeypatch, command: str):
    monkeypatch.delenv("KERUEN_DATABASE_URL")
    (home() / "connections.yaml").unlink()
    said = street.refuses(*command.split())
    assert f"there is no {home()}/connections.yaml" in said
    assert "KERUEN_HOME=FOLDER" in said
    assert list(home().iterdir()) == []


def test_connections_that_lie_elsewhere_need_none_in_the_home(street: Street, monkeypatch):
    elsewhere = home().parent / "elsewhere.yaml"
    monkeypatch.setenv("KERUEN_CONNECTIONS", str(elsewhere))
    assert f"there is no {elsewhere}" in street.refuses("status")
    elsewhere.write_text("hub: {}\n")
    assert street.keruen("status").exit_code == 0


def test_an_empty_hub_says_what_is_missing(street: Street):
    street.connects()
    done = street.keruen("sync")
    assert done.exit_code == 0
    assert "connections.yaml names no connection to read" in done.stdout


def test_loads_leave_no_growing_trail(street: Street):
    street.stocks_shelves()
    street.opens("site")
    for _ in range(3):
        street.told("sync")
    assert street.rows("select schema_name, count(*) from stage_site._dlt_loads group by 1 having count(*) > 1") == []
