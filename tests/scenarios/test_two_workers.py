"""Two processes drain one outbox."""

import pytest
from sqlalchemy import text


@pytest.mark.slow
def test_two_workers_share_the_work_and_never_a_row(stall, a_worker):
    goods = [f"SKU-{number:03}" for number in range(300)]
    stall.displays(*goods)
    stall.wants({sku: number for number, sku in enumerate(goods)})
    stall.platform.sandbox.faults.set("slow", size=0.02)
    both = [a_worker(), a_worker()]
    with stall.store.begin() as db:
        db.execute(text("select from ledger.outbox for update"))  # so that both reach for the same rows at once
        for worker in both:
            worker.starts(stall, batch=5)
        stall.has_at_the_door(2)
    sent = [worker.ends()["counts"]["accepted"] for worker in both]
    assert sum(sent) == 300
    assert min(sent) > 0
    assert set(stall.writes().values()) == {1}
    assert stall.shows() == {sku: number for number, sku in enumerate(goods)}
    assert stall.states() == {"in_sync": 300}
