"""Whenever it is mapped, by whomever, and whatever dies in between: the canonical rows are the same."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from dagster_project.steps import canonical, orders


def an_order(dice: Random, number: int) -> dict:
    minute = dice.randrange(60)
    return {
        "id": str(number),
        "state": dice.choice(["NEW", "OK", "SENT", "DONE", "NO", "???"]),
        "placed": "2026-03-01T10:00:00+05:00",
        "updated": f"2026-03-01T11:{minute:02d}:00+05:00",
        "lines": [
            {"sku": dice.choice("ABC"), "qty": str(dice.randint(1, 3)), "price": "10"}
            for _ in range(dice.randint(0, 3))
        ],
    }


def told(shop, connection):
    """Everything canonical that one connection said, in comparable form."""
    heads = f"select external_id, status, status_raw, total from canonical.order where connection = '{connection}'"
    lines = f"select external_id, line, sku, quantity from canonical.order_line where connection = '{connection}'"
    events = f"select distinct external_id, at, status from canonical.order_event where connection = '{connection}'"
    aside = f"select key, rule from ledger.quarantine where connection = '{connection}' and state = 'open'"
    return [sorted(map(str, shop.rows(query))) for query in (heads, lines, events, aside)]


@pytest.mark.parametrize("seed", range(4))
def test_mapping_after_every_landing_or_once_at_the_end_tells_the_same(a_shop, seed):
    shop = a_shop("often: {connector: vendor}\nseldom: {connector: vendor}")
    dice = Random(seed)
    for _ in range(12):
        shop["often"].says("sales", *(an_order(dice, dice.randrange(5)) for _ in range(2)))
        shop.reads("often", "sales")
        shop._land_quickly("seldom", "sales", False)
    shop.map("seldom", "sales")
    often, seldom = told(shop, "often"), told(shop, "seldom")
    assert seldom == often


def test_small_chunks_and_large_ones_tell_the_same(a_shop, monkeypatch):
    shop = a_shop("large: {connector: vendor}\nsmall: {connector: vendor}")
    dice = Random(7)
    for _ in range(6):
        shop["large"].says("sales", *(an_order(dice, dice.randrange(9)) for _ in range(4)))
        shop._land_quickly("large", "sales", False)
        shop._land_quickly("small", "sales", False)
    shop.map("large", "sales")
    monkeypatch.setattr(canonical, "CHUNK", 3)
    shop.map("small", "sales")
    assert told(shop, "small") == told(shop, "large")


class Died(BaseException):
    """kill -9 as far as the code can tell."""


def test_a_mapping_that_dies_is_done_again_and_nothing_is_there_twice(a_shop, monkeypatch):
    shop = a_shop("whole: {connector: vendor}\nbroken: {connector: vendor}")
    dice = Random(3)
    shop["whole"].says("sales", *(an_order(dice, number) for number in range(6)))
    shop.reads("whole", "sales")
    shop._land_quickly("broken", "sales", False)

    def dies(work):
        orders.put_orders(work)
        raise Died

    with monkeypatch.context() as patch:
        patch.setitem(canonical.WAYS, "order", canonical.Way(("order", "order_line"), orders.order_rows, dies))
        with pytest.raises(Died):
            shop.map("broken", "sales")
    assert told(shop, "broken") == [[], [], [], []]
    shop.map("broken", "sales")
    assert told(shop, "broken") == told(shop, "whole")


def test_two_workers_map_every_record_once(a_shop):
    shop = a_shop("one: {connector: vendor}")
    dice = Random(5)
    shop["one"].says("sales", *({**an_order(dice, number), "state": "NEW"} for number in range(50)))
    shop._land_quickly("one", "sales", False)
    with ThreadPoolExecutor(2) as workers:
        done = list(workers.map(lambda _: shop.map("one", "sales"), range(2)))
    assert sorted(one.mapped for one in done) == [0, 50]
    assert shop.rows("select count(*) from canonical.order_event") == [(50,)]


def test_workers_of_different_resources_do_not_stand_in_each_others_way(shop):
    goods = [{"id": f"p{n}", "code": f"S{n}", "name": "x", "prices": {"retail": "1"}} for n in range(200)]
    shop["erp"].says("goods", *goods)
    shop["erp"].says("counts", *({"variant": f"p{n}", "place": "W1", "count": n} for n in range(200)))
    shop["market"].says("offers", *({"id": str(n), "sku": f"S{n}"} for n in range(200)))
    for connection, resource in (("erp", "goods"), ("erp", "counts"), ("market", "offers")):
        shop._land_quickly(connection, resource, False)
    with ThreadPoolExecutor(3) as workers:
        list(workers.map(lambda pair: shop.map(*pair), [("erp", "counts"), ("market", "offers"), ("erp", "goods")]))
    shop.map("erp", "counts")
    assert shop.rows("select count(*) from canonical.stock_level") == [(200,)]
    assert shop.rows("select count(*) from canonical.listing l join canonical.product p using (sku)") == [(200,)]
    assert shop.aside() == set()
