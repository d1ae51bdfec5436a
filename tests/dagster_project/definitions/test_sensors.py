"""Sensors ask for the runs that are due, and for none twice."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import text

from dagster_project import clock
from dagster_project.automation.sensors import RETRY
from dagster_project.definitions import build
from tests.dagster_project.conftest import Street
from tests.dagster_project.definitions.conftest import key, run, shown


def jobs(defs: Definitions) -> list[str]:
    return [job.name for job in defs.resolve_all_job_defs()]


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
