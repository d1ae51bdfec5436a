"""From a vendor's pages to the stage table: nothing is lost, nothing depends on the order of fields."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from connectors.sdk import ConfigError, Page, Resource, Since
from connectors.sdk.extract import ENVELOPE, KEYLESS, Landed, envelope, land, pages, since
from dagster_project.store.database import libpq_url
from mappings.canonical import Product
from mappings.tables import Field, FieldMap

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def a_resource(*given_pages: Any, **declared: Any) -> Resource:
    declared = {"key": "id", "map": FieldMap(Product, {}), "reads": lambda reply: None, **declared}
    return Resource("goods", lambda config, since: iter(given_pages), **declared)


def rows(resource: Resource) -> list[dict[str, Any]]:
    return [row for batch in pages(resource, None, Since()) for row in batch.to_pylist()]


def test_a_record_lands_as_the_vendor_said_it():
    [row] = rows(a_resource([{"id": 7, "name": "Шай Әлия", "at": "2026-03-02"}], cursor="at"))
    assert row["key"] == "7"
    assert row["cursor"] == "2026-03-02"
    assert row["payload"] == '{"id":7,"name":"Шай Әлия","at":"2026-03-02"}'


def test_the_order_of_fields_does_not_make_a_record_look_changed():
    assert envelope({"a": 1, "b": {"x": 1, "y": 2}})[1] == envelope({"b": {"y": 2, "x": 1}, "a": 1})[1]
    assert envelope({"a": 1})[1] != envelope({"a": 2})[1]


def test_a_record_without_a_key_lands_under_its_hash_and_the_others_are_untouched():
    first, second = rows(a_resource([{"name": "no id"}, {"id": "2"}]))
    assert first["key"].startswith(KEYLESS)
    assert second["key"] == "2"


def test_a_page_that_states_its_own_cursor_overrides_the_records():
    [row] = rows(a_resource(Page([{"id": 1, "at": "old"}], cursor="asked at ten"), cursor="at"))
    assert row["cursor"] == "asked at ten"


def test_of_two_states_in_one_run_the_later_page_is_later():
    stopped = datetime(2026, 3, 2, tzinfo=UTC)
    resource = a_resource([{"id": 1, "n": 1}], [{"id": 1, "n": 2}])
    [batch] = pages(resource, None, Since(), clock=lambda: stopped)
    first, second = batch["landed_at"].to_pylist()
    assert first < second


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_json_becomes_text_that_a_database_can_hold(record: dict[str, Any]):
    payload, hashed = envelope(record)
    payload.decode()
    assert "\0" not in json.dumps(json.loads(payload), ensure_ascii=False)
    assert len(hashed) == 32


def test_characters_a_database_refuses_become_replacement_characters_and_a_backslash_stays():
    payload, _ = envelope({"a": "x\0y", "b": "\ud800", "c": "\\u0000", "d": 2**80})
    assert json.loads(payload) == {"a": "x\ufffdy", "b": "\ufffd", "c": "\\u0000", "d": 2**80}


def test_the_next_run_reads_again_what_may_have_been_committed_late():
    resource = a_resource(
        cursor="at", lag=timedelta(minutes=10), parse_cursor=datetime.fromisoformat, format_cursor=datetime.isoformat
    )
    assert since(resource, "2026-03-02T10:00:00", Since()).value == "2026-03-02T09:50:00"
    assert since(resource, None, Since()).first


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dlt"


def staged(store: Engine) -> list[tuple[str, str]]:
    with store.connect() as connection:
        return [
            tuple(row) for row in connection.execute(text("select key, payload from stage_shop.goods order by key"))
        ]


def landing(resource: Resource, folder: Path) -> Landed:
    return land(pages(resource, None, Since()), connection="shop", resource="goods", url=libpq_url(), folder=folder)


def test_the_stage_holds_the_last_run_and_only_that(store: Engine, folder: Path):
    first = landing(a_resource([{"id": "1"}, {"id": "2"}], [{"id": "3"}]), folder)
    assert first.rows == 3
    second = landing(a_resource([{"id": "4", "name": "Ұлан"}]), folder)
    assert second.rows == 1
    assert second.load_id != first.load_id
    assert staged(store) == [("4", '{"id":"4","name":"Ұлан"}')]


def test_a_run_that_brings_nothing_says_so_and_loads_nothing(store: Engine, folder: Path):
    assert landing(a_resource([], []), folder) == Landed(None, 0)
    assert not folder.exists()


def test_the_rows_travel_as_parquet(store: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """dlt ignores its own setting for this on PostgreSQL; the loader that unfolds JSON would be ten times slower."""
    seen: list[str] = []
    monkeypatch.setenv("LOAD__DELETE_COMPLETED_JOBS", "false")
    run = dlt.Pipeline.run

    def watched(self: dlt.Pipeline, *args: Any, **options: Any) -> Any:
        info = run(self, *args, **options)
        seen.extend(job.file_path for package in info.load_packages for job in package.jobs["completed_jobs"])
        return info

    monkeypatch.setattr(dlt.Pipeline, "run", watched)
    landing(a_resource([{"id": "1"}]), folder)
    assert [path.rsplit(".", 1)[1] for path in seen if "goods" in path] == ["parquet"]


def test_what_goes_wrong_at_the_vendor_comes_out_as_itself_and_the_next_run_starts_afresh(store: Engine, folder: Path):
    def broken() -> Iterator[Any]:
        yield from pages(a_resource([{"id": "1"}]), None, Since())
        raise ConfigError("put a valid token in the connection's secrets")

    with pytest.raises(ConfigError, match="put a valid token"):
        land(broken(), connection="shop", resource="goods", url=libpq_url(), folder=folder)
    landing(a_resource([{"id": "2"}]), folder)
    assert [key for key, _ in staged(store)] == ["2"]


def test_a_run_killed_between_reading_and_loading_does_not_come_back(
    store: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """dlt alone would load the old package and leave the new records aside."""
    with monkeypatch.context() as patch:
        patch.setattr(dlt.Pipeline, "load", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            landing(a_resource([{"id": "old"}]), folder)
    landing(a_resource([{"id": "new"}]), folder)
    assert [key for key, _ in staged(store)] == ["new"]


def test_finished_packages_leave_nothing_behind(store: Engine, folder: Path):
    for number in range(3):
        landing(a_resource([{"id": str(number)}]), folder)
    assert not list(folder.rglob("*.parquet"))
    assert not (folder / "shop__goods" / "load" / "loaded").exists()


def test_the_envelope_has_the_columns_that_stay():
    assert ENVELOPE.names == ["key", "cursor", "payload", "payload_hash", "landed_at"]


def test_a_resource_that_dlt_already_has_is_read_like_any_other():
    @dlt.resource(name="goods")
    def goods(since: str | None):
        yield [{"id": number, "after": since} for number in range(700)]
        yield {"id": 700, "after": since}

    resource = Resource.from_dlt(
        "goods", lambda config, since: goods(since.value), key="id", map=FieldMap(Product, {}), reads=lambda reply: None
    )
    read = list(pages(resource, None, Since(value="2026-03-02")))
    keys = [key for batch in read for key in batch["key"].to_pylist()]
    assert keys == [str(number) for number in range(701)]
    assert json.loads(read[0]["payload"][0].as_py())["after"] == "2026-03-02"


# ── what a resource knows of saved replies and of its cursor, unless it is told otherwise ─────────────────────────────


TEAS = Resource(
    "teas", lambda config, since: iter(()), "id", FieldMap(Product, {"sku": Field("code"), "name": Field("title")}),
    items="data", cursor="at", lag=timedelta(minutes=10),
)  # fmt: skip
A_TEA = {"id": 1, "code": "T-1", "title": "Шай", "at": "2026-03-02T05:00:00Z"}


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ({"data": [A_TEA]}, [A_TEA]),
        (A_TEA, [A_TEA]),
        ({"data": [{**A_TEA, "invented": "yesterday"}]}, [{**A_TEA, "invented": "yesterday"}]),
        ({"data": [{"id": 7, "state": "NEW", "total": "5", "lines": []}]}, None),
        ({"data": [{"code": "T-1", "title": "Шай"}]}, None),
        ({"data": []}, None),
        ({"error": "no"}, None),
        ("<html>", None),
        (None, None),
    ],
)
def test_a_saved_reply_belongs_to_the_resource_that_knows_most_of_its_fields(reply, read):
    assert TEAS.reads(reply) == read
    assert replace(TEAS, hot=True).reads(reply) == read


def test_a_lag_is_applied_to_iso_times_without_a_word_of_how():
    assert since(TEAS, "2026-03-02T05:00:00Z", Since()).value == "2026-03-02T04:50:00Z"
    assert since(TEAS, "2026-03-02T05:00:00", Since()).value == "2026-03-02T04:50:00"
