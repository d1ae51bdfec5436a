"""The hub in Dagster is a graph that loads anywhere, and can be followed from a record to its read back."""

import socket
from pathlib import Path
from typing import Any

import pytest
from dagster import DefaultScheduleStatus, DefaultSensorStatus, Definitions
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from connectors.sdk.registry import discover
from dagster_project.connections import parse
from dagster_project.definitions import build
from tests.dagster_project.definitions.conftest import key

EXAMPLE = Path(__file__).parents[3] / "connectors/connections.example.yaml"
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


def parents(graph: AssetGraph, path: str) -> set[str]:
    return {"/".join(one.path) for one in graph.get(key(path)).parent_keys}


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
    assert found["origins_known"] == {"canonical/order"}
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
