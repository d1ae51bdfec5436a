"""All processes of a hub together keep to what a vendor allows one account."""

import multiprocessing

import pytest
from sqlalchemy import Engine

from dagster_project.store.database import engine
from dagster_project.store.limits import StoreBucket

SLOW = 0.001  # tokens a second: so slow that the seconds a test takes do not matter


def _take(times: int, waits: "multiprocessing.Queue[float]") -> None:
    bucket = StoreBucket(engine())
    for _ in range(times):
        waits.put(bucket.take("shop", 1, SLOW, 10))


def test_two_processes_share_one_budget(store: Engine) -> None:
    fork = multiprocessing.get_context("fork")
    waits = fork.Queue()
    workers = [fork.Process(target=_take, args=(20, waits)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = sorted(waits.get(timeout=60) for _ in range(40))
    for worker in workers:
        worker.join(timeout=60)
    assert answers[:10] == [0] * 10, "the burst"
    assert [round(wait * SLOW) for wait in answers[10:]] == list(range(1, 31)), "then everybody waits for its own token"


def test_accounts_do_not_wait_for_each_other(store: Engine) -> None:
    bucket = StoreBucket(store)
    assert bucket.take("almaty", 5, SLOW, 5) == 0
    assert bucket.take("astana", 5, SLOW, 5) == 0
    assert bucket.take("almaty", 1, SLOW, 5) > 0


def test_a_heavier_request_costs_more(store: Engine) -> None:
    bucket = StoreBucket(store)
    assert bucket.take("shop", 4, SLOW, 5) == 0
    assert bucket.take("shop", 4, SLOW, 5) == pytest.approx(3 / SLOW, rel=0.01)


def test_tokens_never_grow_past_the_burst(store: Engine) -> None:
    bucket = StoreBucket(store)
    bucket.take("shop", 1, 1_000_000, 5)
    assert bucket.take("shop", 2_000_005, 1_000_000, 5) == pytest.approx(2, rel=1e-6)


def test_when_the_vendor_says_wait_nobody_calls(store: Engine) -> None:
    bucket = StoreBucket(store)
    bucket.pause("shop", 3600)
    bucket.pause("shop", 60)
    assert 3500 < bucket.take("shop", 1, 1_000_000, 5) <= 3601, "a shorter pause does not shorten a longer one"
    assert bucket.take("other", 1, 1_000_000, 5) == 0


def test_after_a_pause_the_burst_is_not_given_again(store: Engine) -> None:
    bucket = StoreBucket(store)
    bucket.pause("shop", 1000)
    first, second = bucket.take("shop", 1, SLOW, 5), bucket.take("shop", 1, SLOW, 5)
    assert first == pytest.approx(1000 + 1 / SLOW, rel=0.01)
    assert second - first == pytest.approx(1 / SLOW, rel=0.01)
