"""Under which master key a process works, however often it asks."""

import base64
import os
from pathlib import Path

import pytest

from connectors.sdk.errors import ConfigError
from dagster_project.store.people.keyring import VARIABLE, keys


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Moves to a home of this name."""

    def moves(name: str) -> Path:
        monkeypatch.setenv("KERUEN_HOME", str(tmp_path / name))
        return tmp_path / name

    monkeypatch.delenv(VARIABLE, raising=False)
    return moves


def _sealed() -> str:
    return keys().seal("+77000000001", "phone")


def test_each_home_has_its_key_and_who_comes_back_finds_the_same(house):
    house("one")
    first = _sealed()
    house("other")
    other = _sealed()
    house("one")
    assert (_sealed() == first, other == first) == (True, False)


def test_a_key_from_a_backup_counts_at_once(house):
    folder = house("one")
    first = _sealed()
    backup = folder / "backup"
    backup.write_text(base64.b64encode(bytes(range(32))).decode())
    backup.chmod(0o600)
    os.replace(backup, folder / "master.key")
    assert _sealed() != first


def test_a_key_that_others_may_read_is_refused_even_where_it_was_read_before(house):
    folder = house("one")
    _sealed()
    (folder / "master.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        keys()


def test_a_thousand_questions_read_the_file_once(house, monkeypatch):
    house("one")
    keys()
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("read again"))
    assert len({id(keys()) for _ in range(1000)}) == 1
