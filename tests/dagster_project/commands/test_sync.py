"""`keruen sync`: once through everything, in words and in JSON."""

from tests.dagster_project.conftest import Street


def test_a_first_sync_brings_everything_and_a_second_one_changes_nothing(street: Street):
    street.opens("erp")
    street.opens("site", orders_to="erp")
    report = street.told("sync")
    read = {(row["connection"], row["resource"]): row for row in report["resources"]}
    assert read["erp", "variants"]["stored"] > 0
    assert all(row["quarantined"] == 0 and row["error"] is None for row in report["resources"])
    sent = {(row["connection"], row["capability"]): row["sent"] for row in report["capabilities"]}
    assert sent["site", "stock.push"] == len(street.shop.variants)

    for vendor in street.vendors.values():
        vendor.state.sandbox.journal.clear()
    again = street.keruen("sync")
    assert again.exit_code == 0
    assert "Nothing changed; nothing was written." in again.stdout
    assert street.writes("site") == []
    assert street.writes("erp") == []


def test_a_connection_that_fails_is_named_and_the_others_go_on(street: Street, monkeypatch):
    street.opens("erp")
    street.opens("site", orders_to="erp")
    monkeypatch.setenv("ERP_TOKEN", "not-the-right-token")
    done = street.keruen("sync")
    assert done.exit_code == 1
    assert "erp" in done.stderr
    assert "secrets" in done.stderr
    assert street.rows("select count(*) from canonical.listing where connection = 'site'") == [
        (len(street.shop.variants),)
    ]


def test_only_the_named_connection_is_read(street: Street):
    street.opens("erp")
    site = street.opens("site")
    report = street.told("sync", "erp")
    assert {row["connection"] for row in report["resources"]} == {"erp"}
    assert site.sandbox.journal == []


def test_a_name_that_nobody_bears_is_answered_with_the_names_there_are(street: Street):
    street.opens("site")
    assert street.refuses("sync", "sight") == ("there is no connection 'sight' in connections.yaml (known: site)")


def test_an_empty_hub_says_what_is_missing(street: Street):
    done = street.keruen("sync")
    assert done.exit_code == 0
    assert "connections.yaml names no connection to read" in done.stdout
