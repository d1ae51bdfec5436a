"""What changed is decided once, and nothing that changed is forgotten."""

import threading
from collections.abc import Callable
from datetime import datetime

import pyarrow
from sqlalchemy import Engine

from dagster_project.store.dirty import mark, newest, take, waiting


def test_a_subject_marked_twice_is_decided_once_for_its_latest_reason(store: Engine) -> None:
    with store.begin() as db:
        mark(db, "stock", ["SKU-1", "SKU-2"], "counted")
        mark(db, "stock", pyarrow.chunked_array([["SKU-1"]]), "order K-7 reserved 2")
        mark(db, "price", ["SKU-1"], "retail price")
    with store.begin() as db:
        assert sorted(take(db, {"stock"}).to_pylist(), key=lambda row: row["subject"]) == [
            {"entity": "stock", "subject": "SKU-1", "because": "order K-7 reserved 2"},
            {"entity": "stock", "subject": "SKU-2", "because": "counted"},
        ]
    with store.begin() as db:
        assert take(db).to_pylist() == [{"entity": "price", "subject": "SKU-1", "because": "retail price"}]
    assert waiting(store) == 0
    assert newest(store) is None


def test_a_decision_that_fails_leaves_its_subjects_dirty(store: Engine) -> None:
    with store.begin() as db:
        mark(db, "stock", ["SKU-1"], "counted")
    before = newest(store)
    with store.connect() as db:
        assert take(db).num_rows == 1
        db.rollback()
    assert waiting(store) == 1
    assert newest(store) == before


def test_what_becomes_dirty_during_a_decision_waits_for_the_next(store: Engine) -> None:
    with store.connect() as early, store.begin() as deciding:
        mark(early, "stock", ["SKU-1"], "marked first, committed last")
        with store.begin() as db:
            mark(db, "stock", ["SKU-2"], "counted")
        assert take(deciding)["subject"].to_pylist() == ["SKU-2"]
        early.commit()
    with store.begin() as db:
        assert take(db)["subject"].to_pylist() == ["SKU-1"]


def test_what_counts_from_a_later_moment_waits_for_it(store: Engine, now: datetime) -> None:
    with store.begin() as db:
        mark(db, "price", ["SKU-1"], "promotion opens", due=now.replace(year=2126))
        mark(db, "price", ["SKU-2"], "promotion opened", due=now.replace(year=2020))
        assert take(db)["subject"].to_pylist() == ["SKU-2"]
        assert take(db).num_rows == 0
    assert newest(store) is None


def test_a_limit_takes_the_oldest_and_leaves_the_rest(store: Engine) -> None:
    with store.begin() as db:
        mark(db, "order", [f"shop:{n}" for n in range(5)], "placed")
        assert sorted(take(db, limit=3)["subject"].to_pylist()) == ["shop:0", "shop:1", "shop:2"]
    assert waiting(store) == 2


def test_the_second_decider_waits_and_finds_what_is_left(store: Engine, somebody_waits: Callable[[], None]) -> None:
    with store.begin() as db:
        mark(db, "stock", ["SKU-1"], "counted")
    found: list[pyarrow.Table] = []

    def second() -> None:
        with store.begin() as db:
            found.append(take(db))

    with store.begin() as db:
        assert take(db).num_rows == 1
        decider = threading.Thread(target=second)
        decider.start()
        somebody_waits()
        mark(db, "stock", ["SKU-9"], "its own decision made it dirty")
    decider.join(timeout=30)
    assert found[0]["subject"].to_pylist() == ["SKU-9"]
