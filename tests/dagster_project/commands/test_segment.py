"""Segments from the command line: looked at, tried, and only then made live."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from dagster_project import clock
from dagster_project.connections import load
from dagster_project.home import home
from dagster_project.steps.people.due import people_due
from dagster_project.store.dirty import mark

CONNECTIONS = """
files_in:
  connector: files
  settings: {path: "in/*.csv", layout: products, timezone: Asia/Almaty, currency: KZT}
bot:
  connector: telegram
  secrets: {token: BOT_TOKEN}
"""
CONSENT = {"channel": "email", "purpose": "marketing"}


def written(where: Any = None, **more: Any) -> Path:
    """The segment `buyers`: who bought anything."""
    folder = home() / "segments"
    folder.mkdir(exist_ok=True)
    where = where or {"field": "orders.count", "op": ">", "value": 0}
    title = {"ru": "Покупатели", "kk": "Сатып алушылар", "en": "Buyers"}
    path = folder / "buyers.yaml"
    path.write_text(yaml.safe_dump({"segment": "buyers", "title": title, "where": where, **more}), "utf-8")
    return path


@pytest.fixture
def shop(store: Engine) -> Engine:
    """Two people, of whom ANNA bought."""
    (home() / "connections.yaml").write_text(CONNECTIONS, "utf-8")
    with store.begin() as db:
        for person in ("ANNA", "BOLAT"):
            db.execute(
                text("insert into identity.person (person_id, created_at, records) values (:p, now(), 1)"),
                {"p": person},
            )
        db.execute(
            text(
                'insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, status, '
                "person_id, total, currency, source) values ('files_in', '1', '1', 'sale', 'store', now(), "
                "'completed', 'ANNA', 900, 'KZT', '{}')"
            )
        )
        mark(db, "person", ["ANNA", "BOLAT"])
    return store


def keruen(*words: str) -> Result:
    from dagster_project.cli import app

    return CliRunner().invoke(app, ["segment", *words])


def told(*words: str) -> Any:
    done = keruen(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def settled(store: Engine) -> None:
    people_due(store, load(), now=clock.now())


def test_a_segment_is_tried_before_anybody_is_in_it(shop):
    written()
    found = told("preview", "buyers")
    assert (found["members"], found["entering"], found["leaving"]) == (0, 0, 0), "nobody was added up yet"
    settled(shop)
    written({"field": "orders.count", "op": "=", "value": 0})
    found = told("preview", "buyers")
    assert (found["members"], found["entering"], found["leaving"]) == (1, 1, 1)
    assert [row["person_id"] for row in found["sample"]] == ["BOLAT"]
    assert [row["person_id"] for row in told("members", "buyers")] == ["ANNA"], "a preview writes nothing"


def test_a_preview_says_how_many_agreed_to_be_reached(shop):
    written(consent=CONSENT, activate=[{"channel": "bot", "audience": "buyers"}])
    settled(shop)
    found = told("preview", "buyers")
    assert (found["reachable"], found["shown_to"]) == (0, ["bot/buyers"])


def test_activating_is_a_dry_run_until_it_is_said_aloud(shop):
    written(consent=CONSENT, activate=[{"channel": "bot", "audience": "buyers"}])
    settled(shop)
    assert "nothing was changed" in keruen("activate", "buyers").output
    assert [row["state"] for row in told("list")] == ["not activated"]
    assert told("activate", "buyers", "--yes")["activated"] is True
    assert [(row["state"], row["members"]) for row in told("list")] == [("live", 1)]
    with shop.connect() as db:
        subjects = db.execute(text("select subject from hub.dirty where entity = 'member'")).scalars().all()
    assert subjects == ["buyers/ANNA"]


def test_a_segment_without_a_channel_cannot_be_activated(shop):
    written()
    settled(shop)
    done = keruen("activate", "buyers", "--yes")
    assert done.exit_code == 1
    assert "names no channel: add `activate:" in done.stderr


def test_a_segment_for_a_channel_that_takes_none_cannot_be_activated(shop):
    written(consent=CONSENT, activate=[{"channel": "files_in", "audience": "buyers"}])
    settled(shop)
    done = keruen("activate", "buyers", "--yes")
    assert done.exit_code == 1
    assert "would reach nobody through files_in: Files takes no segments" in " ".join(done.stderr.split())
    assert [row["state"] for row in told("list")] == ["not activated"]


def test_members_are_told_with_when_and_why_they_came_and_went(shop):
    written()
    settled(shop)
    written({"field": "orders.sum", "op": ">", "value": 5000})
    settled(shop)
    assert told("members", "buyers") == []
    [stay] = told("members", "buyers", "--past")
    assert stay["person_id"] == "ANNA"
    assert stay["left_at"]


def test_an_unknown_segment_and_a_broken_file_end_in_one_sentence(shop):
    written()
    assert "there is no segment 'vip'; known: buyers" in keruen("preview", "vip").stderr
    written({"field": "orders.counts", "op": "=", "value": 1})
    assert "is 'orders.count' meant?" in keruen("preview", "buyers").stderr


def test_a_segment_with_a_mistake_is_listed_with_its_members_and_what_to_mend(shop):
    written()
    settled(shop)
    written({"field": "orders.counts", "op": "=", "value": 1})
    [line] = told("list")
    assert line["members"] == 1
    assert line["state"].startswith("not activated, to be mended: segments/buyers.yaml:")
    assert [row["person_id"] for row in told("members", "buyers")] == ["ANNA"]


UNKNOWN_CHANNEL = """
segment: vip
title: {ru: В, kk: В, en: V}
where: {field: orders.count, op: ">", value: 9}
consent: {channel: email}
activate: [{channel: letters, audience: vip}]
"""
UNKNOWN_SEGMENT = """
segment: vip
title: {ru: В, kk: В, en: V}
where: {segment: nobody_wrote}
"""


@pytest.mark.parametrize("slip", [UNKNOWN_CHANNEL, UNKNOWN_SEGMENT, "segment: vip\nwhere: {all: ["])
def test_a_slip_in_one_file_keeps_nobody_from_looking_at_another_segment(shop, slip):
    path = written({"all": [{"segment": "loyal"}]})
    loyal = {**yaml.safe_load(path.read_text("utf-8")), "segment": "loyal"}
    loyal["where"] = {"field": "orders.count", "op": ">", "value": 0}
    path.with_name("loyal.yaml").write_text(yaml.safe_dump(loyal), "utf-8")
    settled(shop)
    path.with_name("vip.yaml").write_text(slip, "utf-8")
    assert told("preview", "buyers")["members"] == 1
    assert keruen("preview", "vip").exit_code == 1


def test_fields_and_the_shape_of_a_file_are_told_without_a_store():
    assert {"orders.count", "clv.next_12m", "lifecycle"} <= {row["field"] for row in told("list", "--fields")}
    assert json.loads(keruen("list", "--schema").stdout)["title"] == "Segment"
