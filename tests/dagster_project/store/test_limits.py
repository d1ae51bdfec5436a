"""One account, many processes: together they keep to what the vendor allows."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, text

from connectors.sdk.runtime import LocalBucket, Runtime, current, using
from dagster_project.store.limits import StoreBucket, lent


@pytest.fixture
def bucket(store: Engine) -> StoreBucket:
    return StoreBucket(store)


@contextmanager
def asked(store: Engine) -> Iterator[list[str]]:
    """What the bucket asks the driver meanwhile."""
    questions: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        execute = psycopg.Connection.execute
        patch.setattr(psycopg.Connection, "execute", lambda *a, **k: (questions.append(a[1]), execute(*a, **k))[1])
        yield questions


def store_tokens(store: Engine) -> float:
    with store.connect() as db:
        return float(db.execute(text("select tokens from hub.bucket")).scalar_one())


def test_a_rested_account_may_send_a_burst_and_then_waits_by_the_rate(bucket):
    waits = [bucket.take("shop", 1, 0.5, 2) for _ in range(4)]
    assert waits[:2] == [0, 0]
    assert waits[2] == pytest.approx(2, abs=0.2)
    assert waits[3] == pytest.approx(4, abs=0.2)


def test_dear_requests_take_more(bucket):
    bucket.take("shop", 5, 1, 5)
    assert bucket.take("shop", 3, 1, 5) == pytest.approx(3, abs=0.2)


def test_accounts_do_not_share_and_processes_do(bucket, store):
    bucket.take("shop", 1, 1, 1)
    assert StoreBucket(store).take("shop", 1, 1, 1) > 0.5
    assert bucket.take("other", 1, 1, 1) == 0


def test_a_pause_holds_everybody_and_the_count_goes_on_after_it(bucket, store):
    bucket.pause("shop", 30)
    assert bucket.take("shop", 1, 1, 5) == pytest.approx(31, abs=0.5)
    assert bucket.take("shop", 1, 1, 5) == pytest.approx(32, abs=0.5)
    with store.connect() as db:
        assert db.execute(text("select paused_until > now() from hub.bucket")).scalar()


def test_a_shorter_pause_does_not_end_a_longer_one(bucket):
    bucket.pause("shop", 60)
    bucket.pause("shop", 1)
    assert bucket.take("shop", 1, 1, 5) > 55


def test_tokens_come_back_with_time_and_never_beyond_the_burst(bucket, store):
    bucket.take("shop", 3, 1, 3)
    with store.begin() as db:
        db.execute(text("update hub.bucket set at = at - interval '1 hour'"))
    assert [bucket.take("shop", 1, 1, 3) for _ in range(3)] == [0, 0, 0]
    assert bucket.take("shop", 1, 1, 3) > 0.5


def test_where_tokens_are_plenty_many_requests_cost_one_question(bucket, store):
    with asked(store) as questions:
        assert [bucket.take("shop", 1, 1000, 1000) for _ in range(50)] == [0] * 50
    assert len(questions) <= 3


def test_tokens_taken_ahead_are_taken_from_everybody(bucket, store):
    for _ in range(3):
        bucket.take("shop", 1, 100, 100)
    left = store_tokens(store)
    assert 100 - left >= 3
    assert StoreBucket(store).take("shop", left, 100, 100) == pytest.approx(0, abs=0.1)
    assert StoreBucket(store).take("shop", 100, 100, 100) > 0.5


def test_a_pause_ends_what_was_taken_ahead(bucket):
    for _ in range(3):
        bucket.take("shop", 1, 1000, 1000)
    bucket.pause("shop", 30)
    assert bucket.take("shop", 1, 1000, 1000) > 29


def test_a_test_that_brings_its_own_bucket_keeps_it(store):
    mine = LocalBucket()
    with lent(store):
        assert isinstance(current().bucket, StoreBucket)
    with using(Runtime(bucket=mine)), lent(store):
        assert current().bucket is mine


def test_a_connection_that_was_lost_between_two_requests_is_replaced(bucket, store):
    bucket.take("shop", 1, 1, 5)
    with store.begin() as db:
        asked_last = "select pg_terminate_backend(pid) from pg_stat_activity where query like '%hub.bucket%returning%'"
        db.execute(text(f"{asked_last} and pid <> pg_backend_pid()"))
    assert bucket.take("shop", 1, 1, 5) == 0
