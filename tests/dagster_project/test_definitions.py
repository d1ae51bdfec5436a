"""The hub in Dagster: a graph that loads anywhere, and runs that do what the steps do."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import (
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    ExecuteInProcessResult,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
    materialize,
)
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import text

from connectors.sdk.registry import discover
from dagster_project import clock
from dagster_project.automation.sensors import RETRY
from dagster_project.connections import load, parse
from dagster_project.definitions import build
from tests.dagster_project.conftest import Street

EXAMPLE = Path(__file__).parents[2] / "connectors/connections.example.yaml"
BUNDLED = {path.parent.name for path in EXAMPLE.parent.glob("*/__init__.py")} - {"sdk"}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    """A hub of all bundled connectors, built with no secrets in the environment, no network and no store."""
    home = tmp_path_factory.mktemp("home")

    def refused(*_: Any) -> None:
        raise AssertionError("the network was touched")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refused)
        patch.setattr("dagster_project.store.database.engine", refused)
        patch.setenv("KERUEN_HOME", str(home))
        hub = parse(EXAMPLE.read_text("utf-8"), discover().specs)
        assert {one.entry.connector for one in hub.connections.values()} == BUNDLED
        defs = build(hub)
        Definitions.validate_loadable(defs)
        defs.resolve_asset_graph()
    assert list(home.iterdir()) == []
    return defs


@pytest.fixture(scope="module")
def graph(example: Definitions) -> AssetGraph:
    return example.resolve_asset_graph()


def key(path: str) -> AssetKey:
    return AssetKey(path.split("/"))


def parents(graph: AssetGraph, path: str) -> set[str]:
    return {"/".join(one.path) for one in graph.get(key(path)).parent_keys}


# The graph


def test_the_way_of_the_data_can_be_followed_from_a_record_to_its_read_back(graph: AssetGraph):
    assert parents(graph, "raw/erp/products") == set()
    assert {"raw/erp/products", "raw/site/products", "raw/tills/files"} <= parents(graph, "canonical/product")
    assert {"raw/kaspi_almaty/orders", "raw/site/orders", "raw/erp/customer_orders"} <= parents(
        graph, "canonical/order"
    )
    assert {"canonical/stock_level", "canonical/order"} <= parents(graph, "position/stock")
    assert "position/stock" in parents(graph, "desired/stock")
    assert "canonical/price" in parents(graph, "desired/price")
    assert parents(graph, "plan/site/stock_push") == {"desired/stock"}
    assert parents(graph, "delivery/site/stock_push") == {"plan/site/stock_push"}
    assert parents(graph, "drift/site/stock_push") == {"delivery/site/stock_push"}


def test_groups_read_from_left_to_right_and_kinds_name_the_connector(graph: AssetGraph):
    groups = {"/".join(one.path): graph.get(one).group_name for one in graph.get_all_asset_keys()}
    first_words = {
        group: {path.partition("/")[0] for path, its in groups.items() if its == group} for group in groups.values()
    }
    assert first_words == {
        "raw_1": {"raw"}, "canonical_2": {"canonical"}, "position_3": {"position"}, "desired_4": {"desired"},
        "plan_5": {"plan", "held_plan"}, "delivery_6": {"delivery"}, "drift_7": {"drift"}, "mart_8": {"mart"},
        "segment_4": {"segment"}, "golden_3": {"golden"}, "privacy": {"privacy"},
    }  # fmt: skip
    assert "dlt" in graph.get(key("raw/site/orders")).kinds
    assert "postgres" in graph.get(key("canonical/order")).kinds
    for one in graph.get_all_asset_keys():
        assert graph.get(one).description, f"{one} has no description"


def test_only_what_may_be_pushed_has_a_plan(graph: AssetGraph):
    plans = {path for one in graph.get_all_asset_keys() if (path := "/".join(one.path)).startswith("plan/")}
    assert plans == {
        "plan/erp/order_push",
        "plan/kaspi_almaty/price_push", "plan/kaspi_almaty/stock_push", "plan/kaspi_almaty/order_status",
        "plan/site/price_push", "plan/site/stock_push", "plan/site/order_status",
        "plan/crm/customer_push", "plan/crm/segment_push", "plan/letters/segment_push", "plan/ads/segment_push",
    }  # fmt: skip


def test_checks_stand_beside_what_they_watch(graph: AssetGraph):
    found: dict[str, set[str]] = {}
    for check in graph.asset_check_keys:
        found.setdefault(check.name, set()).add("/".join(check.asset_key.path))
    paths = {"/".join(one.path) for one in graph.get_all_asset_keys()}
    assert found["conservation"] == {path for path in paths if path.startswith("delivery/")}
    assert found["read"] == found["fresh"] == {path for path in paths if path.startswith("raw/")}
    assert found["quarantine_share"] == {path for path in paths if path.startswith("canonical/")}
    assert found["no_oversell"] == {"position/stock"}
    assert found["feed_is_fetched"] == {"delivery/kaspi_almaty/price_push", "delivery/kaspi_almaty/stock_push"}


def test_every_resource_is_read_on_its_cadence_and_everything_at_night(example: Definitions):
    schedules = {one.job_name: one for one in example.schedules}
    assert schedules["pull_kaspi_almaty_orders"].cron_schedule == "*/5 * * * *"
    assert schedules["nightly_site"].cron_schedule == "20 3 * * *"
    assert schedules["nightly"].cron_schedule == "20 4 * * *"
    assert all(one.execution_timezone == "Asia/Almaty" for one in schedules.values())
    assert all(one.default_status == DefaultScheduleStatus.RUNNING for one in schedules.values())
    read = {one for name in schedules if name.startswith("pull_") for one in selected(example, name) if one[0] == "raw"}
    assert read == {
        tuple(one.path) for one in example.resolve_asset_graph().get_all_asset_keys() if one.path[0] == "raw"
    }
    assert {path[0] for path in selected(example, "nightly_site")} == {"raw", "canonical"}
    assert {path[0] for path in selected(example, "nightly")} == {"golden", "position", "desired", "plan", "drift"}


def selected(defs: Definitions, job: str) -> set[tuple[str, ...]]:
    return {tuple(one.path) for one in defs.resolve_job_def(job).asset_layer.selected_asset_keys}


def test_sensors_watch_dirt_outbox_held_plans_files_hot_resources_and_vendors_who_call(example: Definitions):
    assert {one.name for one in example.sensors} == {
        "dirty", "outbox", "held_plans", "files_tills", "hot_bot", "hot_crm", "hot_erp", "hot_kaspi_almaty", "hot_site",
        "hot_letters",
    }  # fmt: skip
    assert all(one.default_status == DefaultSensorStatus.RUNNING for one in example.sensors)


def test_a_pool_of_its_own_keeps_each_vendors_limit(example: Definitions):
    pools = {"/".join(one.path): example.get_assets_def(one).op.pool for one in
             (key("raw/site/orders"), key("delivery/site/stock_push"), key("raw/erp/products"))}  # fmt: skip
    assert pools == {"raw/site/orders": "site", "delivery/site/stock_push": "site", "raw/erp/products": "erp"}


def test_an_empty_hub_loads():
    Definitions.validate_loadable(build(parse("", {})))


# Runs


@pytest.fixture
def instance() -> Any:
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def open_street(street: Street) -> Street:
    """Goods, prices and counts in files; two shops of one vendor that sell them."""
    street.stocks_shelves()
    street.opens("site")
    street.opens("outlet")
    return street


def run(defs: Definitions, instance: DagsterInstance, job: str, **how: Any) -> ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(instance=instance, **how)


def shown(street: Street, name: str) -> dict[str, int]:
    return {product["sku"]: product["quantity_in_stock"] for product in street[name].products.values()}


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


def metadata(result: ExecuteInProcessResult, path: str) -> Any:
    [event] = [one for one in result.get_asset_materialization_events() if one.asset_key == key(path)]
    return event.materialization.metadata


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


def jobs(defs: Definitions) -> list[str]:
    return [job.name for job in defs.resolve_all_job_defs()]


# Sensors


def tick(defs: Definitions, instance: DagsterInstance, name: str, cursor: str | None = None) -> Any:
    """What a sensor answers now: a list of run requests, a SkipReason or a SensorResult."""
    sensor = defs.resolve_sensor_def(name)
    context = build_sensor_context(instance=instance, cursor=cursor, definitions=defs, sensor_name=name)
    answer = sensor(context)
    return list(answer) if hasattr(answer, "__next__") else answer


def test_dirt_asks_for_one_decide_run_and_never_twice_for_the_same(open_street: Street, instance):
    defs = build(open_street.hub)
    assert isinstance(tick(defs, instance, "dirty"), SkipReason)
    run(defs, instance, "pull_counts_files")
    run(defs, instance, "pull_goods_files")
    [first], [again] = ([tick(defs, instance, "dirty")] for _ in range(2))
    assert first.run_key == again.run_key
    with_one_at_work = create_run_for_test(instance, job_name="decide", status=DagsterRunStatus.STARTED)
    assert "in progress" in tick(defs, instance, "dirty").skip_message
    instance.delete_run(with_one_at_work.run_id)
    assert run(defs, instance, "decide").success
    assert tick(defs, instance, "dirty").skip_message == "nothing is dirty"


@pytest.mark.parametrize("ends", [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
def test_dirt_whose_decide_run_failed_asks_again_after_a_while(open_street: Street, instance, monkeypatch, ends):
    defs = build(open_street.hub)
    run(defs, instance, "pull_counts_files")
    run(defs, instance, "pull_goods_files")
    asked = tick(defs, instance, "dirty").run_key
    create_run_for_test(instance, job_name="decide", status=ends)
    assert tick(defs, instance, "dirty").run_key == asked, "not at once: what failed may fail every ten seconds"
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + RETRY)
    [again, once] = [tick(defs, instance, "dirty").run_key for _ in range(2)]
    assert again == once != asked


def test_the_outbox_asks_for_one_delivery_per_channel_with_something_due(open_street: Street, instance):
    defs = build(open_street.hub)
    assert tick(defs, instance, "outbox") == []
    open_street.told("sync", "goods", "prices", "counts")
    for job in jobs(defs):
        if job.startswith(("pull_site_products", "pull_outlet_products")):
            run(defs, instance, job)
    run(defs, instance, "decide")
    asked: list[RunRequest] = tick(defs, instance, "outbox")
    selections = {"/".join(one.asset_selection[0].path): one for one in asked}
    assert {"delivery/site/stock_push", "delivery/outlet/stock_push"} <= set(selections)
    chosen = selections["delivery/site/stock_push"]
    busy = create_run_for_test(instance, job_name="deliver", status=DagsterRunStatus.STARTED, tags=chosen.tags)
    assert chosen.tags not in [one.tags for one in tick(defs, instance, "outbox")]
    instance.delete_run(busy.run_id)
    assert run(defs, instance, "deliver", asset_selection=chosen.asset_selection).success
    assert chosen.tags not in [one.tags for one in tick(defs, instance, "outbox")]
    assert set(shown(open_street, "site").values()) != {0}
    assert set(shown(open_street, "outlet").values()) == {0}


def test_a_new_order_moves_the_stock_of_the_other_channel_within_a_tick(open_street: Street, instance):
    defs = build(open_street.hub)
    open_street.told("sync")
    open_street.told("sync")
    assert "nothing new" in tick(defs, instance, "hot_site").skip_message
    sku = open_street.shop.variants[0].sku
    before = shown(open_street, "outlet")[sku]
    open_street["site"].sell([(sku, 2)])
    answer: SensorResult = tick(defs, instance, "hot_site")
    assert shown(open_street, "outlet")[sku] == before - 2
    assert answer.run_requests == []
    reported = {"/".join(event.asset_key.path) for event in answer.asset_events}
    assert {"raw/site/orders", "delivery/outlet/stock_push"} <= reported
    assert isinstance(tick(defs, instance, "dirty"), SkipReason)


def test_a_tick_that_outlived_its_time_is_not_overtaken(open_street: Street, instance):
    defs = build(open_street.hub)
    with open_street.store.connect() as still_at_work:
        still_at_work.execute(text("select pg_advisory_lock(hashtext('hot:site'))"))
        assert tick(defs, instance, "hot_site").skip_message == "the previous tick is still at work"


def test_a_held_plan_is_shown_with_its_rows_and_the_config_that_releases_it(street: Street, instance):
    street.stocks_shelves()
    street.opens("site", push={"stock": "auto", "first": "approve"})
    street.keruen("sync")
    defs = build(street.hub)
    answer: SensorResult = tick(defs, instance, "held_plans")
    [observation] = answer.asset_events
    assert observation.partition == answer.dynamic_partitions_requests[0].partition_keys[0]
    rows = observation.metadata["rows"].value
    assert all(variant.sku in rows for variant in street.shop.variants)
    assert "first sync" in observation.metadata["reason"].value
    assert "no newly held plan" in tick(defs, instance, "held_plans", cursor=answer.cursor).skip_message

    config = yaml.safe_load(observation.metadata["approve"].value.strip("`").removeprefix("yaml"))
    assert run(defs, instance, "approve", run_config=config).success
    run(defs, instance, "deliver", asset_selection=[key("delivery/site/stock_push")])
    assert set(shown(street, "site").values()) != {0}


def test_a_decision_on_no_plan_fails_its_run_with_the_reason(street: Street, instance):
    street.stocks_shelves()
    defs = build(street.hub)
    config = {"ops": {"decision": {"config": {"plan": 999, "decision": "approve"}}}}
    result = run(defs, instance, "approve", run_config=config, raise_on_error=False)
    assert not result.success
    [failure] = [event for event in result.all_node_events if event.is_step_failure]
    assert "there is no plan 999" in str(failure.event_specific_data)


def test_a_new_file_asks_for_a_pull_and_the_same_files_ask_with_the_same_key(street: Street, instance):
    street.stocks_shelves()
    street.told("sync", "goods")
    defs = build(street.hub)
    first, again = (tick(defs, instance, "files_prices") for _ in range(2))
    assert isinstance(first, RunRequest)
    assert first.run_key == again.run_key
    street.prices(**{street.shop.variants[0].sku: 990})
    assert tick(defs, instance, "files_prices").run_key != first.run_key
    assert run(defs, instance, "pull_prices_files").success
    [(amount,)] = street.rows("select amount from canonical.price where sku = :sku", sku=street.shop.variants[0].sku)
    assert amount == 990


def test_a_missing_folder_is_said_and_asks_for_nothing(street: Street, instance):
    street.stocks_shelves()
    street.entries["prices"]["settings"]["path"] = "nowhere/*.csv"
    street.connects()
    assert "nowhere" in tick(build(street.hub), instance, "files_prices").skip_message


def test_a_merchant_may_have_a_hot_resource_polled_less_often(open_street: Street, instance):
    open_street.entries["site"]["hot"] = {"orders": "1h"}
    open_street.connects()
    defs = build(open_street.hub)
    open_street.told("sync")
    open_street.told("sync")
    asked = len(open_street["site"].sandbox.journal)
    tick(defs, instance, "hot_site")
    assert len(open_street["site"].sandbox.journal) == asked
