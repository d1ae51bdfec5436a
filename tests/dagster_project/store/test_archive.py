"""A dropped file is kept sealed; in clear it lies only as long as somebody reads it."""

import pytest

from connectors.sdk.errors import ConfigError
from dagster_project.store import archive

SALE = "receipt;buyer\n1;Әлия Сейтова\n"


@pytest.fixture
def digest(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path / "home"))
    dropped = tmp_path / "sales.csv"
    dropped.write_text(SALE)
    return archive.keep(dropped)


def lying() -> list[str]:
    return sorted(path.name for path in archive.folder().iterdir())


def test_what_lies_in_the_archive_shows_nothing_and_opens_to_what_came(digest):
    assert "Сейтова".encode() not in archive.kept(digest).read_bytes()
    with archive.opened(digest) as clear:
        assert clear.read_text() == SALE
        assert clear.stat().st_mode & 0o777 == 0o600
        assert archive.digest_of(clear) == digest
    assert lying() == [digest]


def test_a_copy_in_clear_whose_reader_died_goes_with_the_next_look(digest):
    (archive.folder() / f"{archive.CLEAR}999999999-x").write_text(SALE)
    with archive.opened(digest):
        pass
    assert lying() == [digest]


def test_a_rewritten_file_is_sealed_again_under_its_name(digest):
    with archive.opened(digest) as clear:
        clear.write_text("receipt;buyer\n1;\n")
        archive.again(archive.kept(digest), clear)
    assert archive.line_of(digest, 2) == "1;"
    assert lying() == [digest]


def test_two_seals_of_one_file_have_nothing_in_common(digest):
    """The old one may lie in a backup: beside it, a rewritten file must not tell what went out of it."""
    before = archive.kept(digest).read_bytes()
    with archive.opened(digest) as clear:
        archive.again(archive.kept(digest), clear)
    after = archive.kept(digest).read_bytes()
    assert len(after) == len(before)
    assert sum(one == other for one, other in zip(before[20:], after[20:], strict=True)) < len(after) / 4


def test_a_file_from_before_there_was_a_seal_is_read_as_it_is(digest):
    archive.kept(digest).write_text(SALE)
    assert archive.line_of(digest, 2) == "1;Әлия Сейтова"


def test_a_lost_file_and_a_lost_key_say_what_to_do(digest, monkeypatch):
    with pytest.raises(ConfigError, match="put it into its folder again"), archive.opened("0" * 64):
        pass
    monkeypatch.setenv("KERUEN_MASTER_KEY", "b" * 43 + "=")
    with pytest.raises(ConfigError, match="put back the master key"), archive.opened(digest):
        pass
    assert lying() == [digest]
