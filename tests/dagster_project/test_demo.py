"""What the demo leaves in a home, and what it never touches."""

import stat
from pathlib import Path

import pytest

from connectors.sdk import ConfigError
from dagster_project import demo, segment_files
from dagster_project.connections import load
from dagster_project.simulators import simulators


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path))
    monkeypatch.delenv("KERUEN_CONNECTIONS", raising=False)
    return tmp_path


def write() -> None:
    demo.write_connections({one.name: "http://127.0.0.1:1" for one in simulators()})


def test_every_sandbox_becomes_a_connection_whose_settings_and_secrets_are_complete(home: Path):
    write()
    hub = load()
    assert set(hub.connections) == {one.name for one in simulators() if one.demo}
    for connection in hub.connections.values():
        assert connection.config.connection == connection.name
    assert stat.S_IMODE((home / "secrets.env").stat().st_mode) == 0o600


def test_orders_of_the_channels_go_to_the_one_who_keeps_the_books(home: Path):
    write()
    hub = load()
    takes = {name: one for name, one in hub.connections.items() if "order.push" in one.capabilities}
    [keeper] = [name for name, one in takes.items() if one.entry.push.order == "auto"]
    assert hub.authority("product") == hub.authority("on_hand") == (keeper,)
    channels = [one for one in hub.connections.values() if "order.status" in one.capabilities]
    assert len(channels) >= 2
    assert {one.entry.orders_to for one in channels} == {keeper}


def test_a_sale_that_another_sandbox_tells_of_is_not_told_twice(home: Path):
    """The shop's site has its orders in the ERP; its deals in the CRM only accompany them."""
    write()
    assert load().connections["bitrix24"].config.orders_from == ()


def test_a_demo_may_follow_a_demo(home: Path):
    write()
    demo.refuse_foreign_home()
    write()


@pytest.mark.parametrize("name", ["connections.yaml", "secrets.env"])
def test_what_is_somebodys_is_refused_and_left_alone(home: Path, name: str):
    (home / name).write_text("# mine\n")
    with pytest.raises(ConfigError, match=rf"{name} was not written by the demo"):
        demo.refuse_foreign_home()
    assert (home / name).read_text() == "# mine\n"


def test_connections_that_lie_elsewhere_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERUEN_CONNECTIONS", str(home / "elsewhere.yaml"))
    with pytest.raises(ConfigError, match="unset KERUEN_CONNECTIONS"):
        demo.refuse_foreign_home()


def test_the_page_offers_what_can_be_tried(home: Path):
    (home / "inbox").mkdir()
    (home / "inbox" / "receipts_202601.csv").write_text("")
    shown = demo.page(3000, "", demo.Stage({"acme": "", "tills": ""}, erp="acme"))
    for line in (
        "sandbox price acme KR00001A 10",
        f"head -c 3000 {home}/inbox/receipts_202601.csv",
        "fault tills 500 --for 60",
    ):
        assert line in shown


def test_a_demo_with_people_has_a_segment_to_look_at_and_the_next_without_them_has_none(home: Path):
    write()
    assert [one.name for one in segment_files.segments(load())] == ["regulars"]
    assert "keruen segment activate regulars" in demo.page(3000, "", demo.Stage({"acme": ""}))
    demo.write_connections({"satu": "http://127.0.0.1:1"})
    assert segment_files.segments(load()) == ()
    assert "segment" not in demo.page(3000, "", demo.Stage({"acme": ""}))


def test_the_page_names_what_runs_where(home: Path):
    shown = demo.page(3000, "http://127.0.0.1:3001/feeds", demo.Stage({"acme": "http://127.0.0.1:4000"}))
    for word in ("http://127.0.0.1:3000", "http://127.0.0.1:3001/feeds", "acme", "http://127.0.0.1:4000", "Ctrl-C"):
        assert word in shown


def test_what_is_suggested_works_in_a_terminal_that_was_not_told_of_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    shown = demo.page(3000, "", demo.Stage({"acme": ""}, erp="acme"))
    assert shown.count(f"KERUEN_HOME={home} .venv/bin/keruen") == shown.count(".venv/bin/keruen")
    monkeypatch.chdir(home)
    monkeypatch.delenv("KERUEN_HOME")
    assert "KERUEN_HOME" not in demo.page(3000, "", demo.Stage({"acme": ""}, erp="acme"))
