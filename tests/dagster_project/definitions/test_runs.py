"""Runs do what the steps do, and tell it without naming anybody."""

from dagster import AssetsDefinition, ExecuteInProcessResult, materialize
from sqlalchemy import text

from dagster_project.connections import load
from dagster_project.definitions import build
from tests.dagster_project.conftest import Street
from tests.dagster_project.definitions.conftest import key, metadata, run, shown


def test_a_run_over_all_assets_lands_maps_decides_delivers_and_the_law_holds(open_street: Street, instance):
    defs = build(open_street.hub)
    assets = [one for one in defs.assets if isinstance(one, AssetsDefinition)]
    result = materialize(assets, instance=instance)
    assert result.success
    assert all(stock > 20 for stock in shown(open_street, "site").values())
    assert shown(open_street, "site") == shown(open_street, "outlet")
    checks = {
        (check.check_name, "/".join(check.asset_key.path)): check.passed
        for check in result.get_asset_check_evaluations()
    }
    assert checks["conservation", "delivery/site/stock_push"]
    assert checks["conservation", "delivery/outlet/price_push"]
    assert checks["read", "raw/site/orders"]
    told = metadata(result, "canonical/product")
    assert told["dagster/row_count"].value == len(open_street.shop.variants)
    assert open_street.shop.variants[0].sku in told["preview"].value
    assert metadata(result, "delivery/site/stock_push")["accepted"].value == len(open_street.shop.variants)
    assert metadata(result, "drift/site/stock_push")["drifted"].value == 0
    nobody_is_named(result, open_street)


def nobody_is_named(result: ExecuteInProcessResult, street: Street) -> None:
    """Runs may be shown to anybody: who bought is in none of their events."""
    said = " ".join(str(event.event_specific_data) for event in result.all_events)
    for person in street.shop.people:
        assert person.phone not in said
        assert person.email is None or person.email not in said


def test_a_broken_ledger_fails_the_delivery(open_street: Street, instance):
    defs = build(open_street.hub)
    broken = (
        "insert into ledger.item (connection, capability, subject, state) values ('site', 'stock.push', 'X', 'held')"
    )
    with open_street.store.begin() as db:
        db.execute(text(broken))
    result = run(defs, instance, "deliver", asset_selection=[key("delivery/site/stock_push")], raise_on_error=False)
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert "neither in sync nor with a reason" in check.metadata["violations"].value


def test_a_vendor_that_is_down_fails_its_own_run_and_a_bad_file_only_its_check(open_street: Street, instance):
    defs = build(open_street.hub)
    open_street["site"].sandbox.faults.set("500")
    assert not run(defs, instance, "pull_site_orders", raise_on_error=False).success
    (load().folder / "prices/broken.csv").write_text("sku,price_type,amount\nKR1,retail,12", "utf-8")
    result = run(defs, instance, "pull_prices_files")
    [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == "read"]
    assert not check.passed
    assert "broken.csv" in check.metadata["problem"].value


def test_what_can_be_read_of_a_vendor_is_mapped_though_another_part_fails(open_street: Street, instance):
    open_street["site"].sandbox.faults.set("500", match="/orders")
    result = run(build(open_street.hub), instance, "nightly_site")
    assert result.success
    read = {
        check.asset_key.path[-1]: check.passed
        for check in result.get_asset_check_evaluations()
        if check.check_name == "read"
    }
    assert read == {"products": True, "orders": False, "clients": True}
    assert metadata(result, "canonical/listing")["dagster/row_count"].value == len(open_street.shop.variants)


def test_a_decision_on_no_plan_fails_its_run_with_the_reason(street: Street, instance):
    street.stocks_shelves()
    defs = build(street.hub)
    config = {"ops": {"decision": {"config": {"plan": 999, "decision": "approve"}}}}
    result = run(defs, instance, "approve", run_config=config, raise_on_error=False)
    assert not result.success
    [failure] = [event for event in result.all_node_events if event.is_step_failure]
    assert "there is no plan 999" in str(failure.event_specific_data)
