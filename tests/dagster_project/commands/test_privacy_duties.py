"""`keruen privacy`: demands that are not met, what a person did about them, and what is kept for too long."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from dagster_project import clock
from dagster_project.cli import app
from dagster_project.home import home
from dagster_project.store.people import erasure
from dagster_project.store.people.erasure import Duty


def says(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def demand(store) -> int:
    """Received twelve days ago, with a desk that cannot delete anybody."""
    (home() / "connections.yaml").write_text("hub: {}\n", "utf-8")
    now: datetime = clock.now()
    with store.begin() as db:
        due = now + timedelta(days=3, hours=1)
        number = erasure.received(db, "p-1", "letter 1", now=now - timedelta(days=12), due=due)
        erasure.reported(db, number, {"proof": {}}, [Duty("desk: delete the person there")])
    return number


def test_a_demand_waits_for_a_person_and_is_met_by_his_word(store, demand):
    [row] = json.loads(says("privacy", "requests", "--json"))
    assert (row["request"], row["state"], row["days_left"]) == (demand, "owed", 3)
    assert row["what"] == "desk: delete the person there"
    assert f"request {demand} is met" in says("privacy", "done", str(row["duty"]), "--why", "client 7 deleted")
    assert "every demand is met" in says("privacy", "requests")
    with store.connect() as db:
        report = db.execute(text("select report from privacy.erasure_request")).scalar_one()
    [confirmed] = report["confirmed"]
    assert (confirmed["what"], confirmed["why"]) == ("desk: delete the person there", "client 7 deleted")
    assert confirmed["by"]


def test_a_duty_is_done_once(demand):
    [row] = json.loads(says("privacy", "requests", "--json"))
    says("privacy", "done", str(row["duty"]), "--why", "x")
    again = CliRunner().invoke(app, ["privacy", "done", str(row["duty"]), "--why", "x"])
    assert again.exit_code == 1
    assert "there is no open duty" in again.output


def test_a_term_that_is_near_or_over_is_told_by_its_day(store, demand):
    now = clock.now()
    with store.connect() as db:
        assert erasure.due_before(db, now + timedelta(days=2)) == []
        assert [number for number, _ in erasure.due_before(db, now + timedelta(days=5))] == [demand]


def test_a_dry_run_of_retention_says_what_each_class_is_kept_for(demand):
    report = json.loads(says("privacy", "retention", "--dry-run", "--json"))
    assert {"marketing", "carts", "buyers", "access", "erasures"} <= {row["class"] for row in report}
    assert all(row["purpose"] and row["days"] and row["removed"] == 0 for row in report)
