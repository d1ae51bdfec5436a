"""Segments in Dagster: who entered and left, stale ones, and a file with a typing error."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from dagster import AssetCheckSeverity, AssetKey, DagsterInstance, Definitions, materialize
from sqlalchemy import Engine, text

from dagster_project import clock
from dagster_project.connections import Hub, HubEntry
from dagster_project.definitions import build
from dagster_project.factories.segments import WATCHED, segment_assets, segment_checks, segment_schedules
from dagster_project.steps.people.due import people_due
from dagster_project.store.dirty import mark

BUYERS = {"field": "orders.count", "op": ">", "value": 0}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    (tmp_path / "segments").mkdir()
    written(tmp_path, BUYERS)
    return Hub({}, HubEntry(), tmp_path)


def written(folder: Path, where: object, name: str = "buyers", refresh: str = "daily") -> None:
    title = {"ru": "Покупатели", "kk": "Сатып алушылар", "en": "Buyers"}
    said = {"segment": name, "title": title, "where": where, "refresh": refresh}
    (folder / "segments" / f"{name}.yaml").write_text(yaml.safe_dump(said), "utf-8")


def somebody_buys(store: Engine, person: str) -> None:
    with store.begin() as db:
        lives = "insert into identity.person (person_id, created_at, records) values (:p, now(), 1)"
        db.execute(text(lives), {"p": person})
        db.execute(
            text(
                'insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, status, '
                "person_id, total, currency, source) values ('till', :p, :p, 'sale', 'store', now(), 'completed', :p, "
                "900, 'KZT', '{}')"
            ),
            {"p": person},
        )
        mark(db, "person", [person])


def test_a_run_shows_who_entered_and_why(store, hub):
    somebody_buys(store, "ANNA")
    assets = segment_assets(hub)
    with DagsterInstance.ephemeral() as instance:
        first = materialize(assets, instance=instance)
        somebody_buys(store, "BOLAT")
        second = materialize(assets, instance=instance)
    [made] = first.asset_materializations_for_node("segments")[1:]
    assert made.asset_key == AssetKey(["segment", "buyers"])
    assert made.metadata["entered"].value == 1
    [again] = second.asset_materializations_for_node("segments")[1:]
    assert (again.metadata["entered"].value, again.metadata["dagster/row_count"].value) == (1, 2)
    assert "ANNA" not in str(again.metadata)
    assert {check.check_name: check.passed for check in second.get_asset_check_evaluations()} == {
        "files_readable": True,
    }


@pytest.mark.parametrize(("hours", "refresh", "passes"), [
    (1, "on_change", True), (3, "on_change", False), (3, "daily", True), (27, "daily", False),
])  # fmt: skip
def test_a_schedule_that_stopped_is_told_of_by_another(store, hub, monkeypatch, hours, refresh, passes):
    written(hub.folder, BUYERS, refresh=refresh)
    people_due(store, hub, now=_now(store))
    monkeypatch.setattr(clock, "now", lambda: _now(store) + timedelta(hours=hours))
    hourly = next(one for one in segment_schedules(hub) if one.cron_schedule == WATCHED)
    defs = Definitions(segment_assets(hub), asset_checks=segment_checks(hub), schedules=[hourly])
    with DagsterInstance.ephemeral() as instance:
        run = defs.resolve_job_def(hourly.job_name).execute_in_process(instance=instance)
    [check] = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("fresh", passes, AssetCheckSeverity.WARN)
    assert run.get_asset_materialization_events() == []


def test_a_file_with_a_typing_error_is_a_failed_check_and_the_other_segments_go_on(store, hub):
    somebody_buys(store, "ANNA")
    people_due(store, hub, now=_now(store))
    written(hub.folder, {"field": "orders.cuont", "op": ">", "value": 0}, "vip")
    somebody_buys(store, "BOLAT")
    with DagsterInstance.ephemeral() as instance:
        run = materialize(segment_assets(hub), instance=instance)
    [check] = run.get_asset_check_evaluations()
    assert not check.passed
    assert "is 'orders.count' meant?" in str(check.metadata["problem"].value)
    people_due(store, hub, now=_now(store))
    with store.connect() as db:
        members = "select person_id from segment.membership order by 1"
        assert db.execute(text(members)).scalars().all() == ["ANNA", "BOLAT"]


def test_an_empty_hub_has_no_segments_and_loads():
    assert build(Hub({})).assets is None or build(Hub({})).assets == []


def _now(store: Engine):
    with store.connect() as db:
        return db.execute(text("select now()")).scalar_one()
