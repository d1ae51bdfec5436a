"""Satu.kz against its sandbox: what is read, what is written, and what the platform's odd answers become."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from connectors.satu import CONNECTOR
from connectors.satu.config import SatuConfig
from connectors.satu.sandbox import TOKEN, Satu, sandbox
from connectors.sdk import Accepted, Change, ConfigError, Rejected, Since, Unknown, outcomes
from connectors.sdk.testing.sandbox import served
from mappings.canonical import Order
from mappings.tables import Mapped

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PRICE, STOCK, STATUS = (CONNECTOR.sink(name) for name in ("price.push", "stock.push", "order.status"))


@pytest.fixture
def satu() -> Satu:
    state = sandbox(clock=lambda: NOW)
    state.product("TEA-250", name="Чай Әсем 250 г", price=1250, presence="available", quantity_in_stock=7)
    state.product("MUG-1", name="Кружка", price=1990, presence="available", quantity_in_stock=1)
    return state


@pytest.fixture
def config(satu: Satu) -> Iterator[SatuConfig]:
    with served(satu.sandbox) as base_url:
        yield SatuConfig(base_url=base_url, token=SecretStr(TOKEN), per_second=1000).named("satu_shop")  # type: ignore[misc]


def records(resource: str, config: SatuConfig, since: Since | None = None) -> list[dict]:
    pages = CONNECTOR.resource(resource).extract(config, since or Since(now=NOW))
    return [record for page in pages for record in page.records]


def change(satu: Satu, sku: str, capability: str, value: object) -> Change:
    number = next(product["id"] for product in satu.products.values() if product["sku"] == sku)
    return Change(capability, sku, str(number), value)


@pytest.mark.parametrize("inclusive", [True, False])
def test_paging_ends_and_repeats_nothing_whichever_way_last_id_is_meant(satu, config, inclusive):
    satu.inclusive = inclusive
    for number in range(250):
        satu.product(f"SKU-{number}")
    skus = [record["sku"] for record in records("products", config)]
    assert len(skus) == len(set(skus)) == 252


def test_an_order_moved_yesterday_is_seen_though_it_was_placed_long_ago(satu, config):
    order = satu.sell([("TEA-250", 2)], date_created=(NOW - timedelta(days=60)).isoformat())
    order["date_modified"] = (NOW - timedelta(days=1)).isoformat()
    since = Since(value=(NOW - timedelta(days=2)).isoformat(), now=NOW)
    assert [record["id"] for record in records("orders", config, since)] == [order["id"]]


def test_the_date_filter_is_written_the_only_way_the_platform_reads(satu, config):
    satu.sell([("TEA-250", 1)])
    records("orders", config, Since(value=(NOW - timedelta(hours=1)).isoformat(), now=NOW))
    [asked, *_] = satu.sandbox.requests(path="/orders/list")
    assert "last_modified_from=2026-03-02T13%3A00%3A00" in asked.query


def test_a_sale_becomes_a_canonical_order_with_money_to_the_tenge(satu, config):
    satu.sell([("TEA-250", 2), ("MUG-1", 1)], client_id=7, client_first_name="Айдана", delivery_cost=500,
              full_price="4\u00a0990\u00a0₸")  # fmt: skip
    [record] = records("orders", config)
    result = CONNECTOR.resource("orders").maps["order"](record, config)
    assert isinstance(result, Mapped)
    [order] = result.records
    assert isinstance(order, Order)
    assert (order.total, order.currency, order.delivery_cost) == (Decimal(4990), "KZT", Decimal(500))
    assert [(line.sku, line.quantity, line.total) for line in order.lines] == [
        ("TEA-250", Decimal(2), Decimal(2500)), ("MUG-1", Decimal(1), Decimal(1990))
    ]  # fmt: skip
    assert order.customer == "7"


def test_prices_and_counts_are_shown_after_a_push_and_read_back_equal(satu, config):
    price, stock = change(satu, "TEA-250", "price.push", "1300.00"), change(satu, "TEA-250", "stock.push", 3)
    assert [*outcomes(PRICE, config, [price])] == [Accepted(price)]
    assert [*outcomes(STOCK, config, [stock])] == [Accepted(stock)]
    assert PRICE.read_back(config, [price]) == {"TEA-250": 1300}
    assert STOCK.read_back(config, [stock]) == {"TEA-250": 3}


def test_nothing_left_takes_the_product_off_sale_not_just_to_zero(satu, config):
    list(outcomes(STOCK, config, [change(satu, "MUG-1", "stock.push", 0)]))
    shown = next(product for product in satu.products.values() if product["sku"] == "MUG-1")
    assert (shown["presence"], shown["quantity_in_stock"]) == ("not_available", 0)


def test_one_refused_product_does_not_cost_the_others(satu, config):
    good, gone = change(satu, "MUG-1", "price.push", 2100), Change("price.push", "GONE", "999", 100)
    result = {outcome.change.subject: outcome for outcome in outcomes(PRICE, config, [good, gone])}
    assert result["MUG-1"] == Accepted(good)
    assert result["GONE"] == Rejected(gone, "refused", "Товар не найден")


def test_an_answer_lost_after_the_write_is_unknown_and_read_back_tells_the_truth(satu, config):
    satu.sandbox.faults.set("lost_reply", match="/products/edit")
    wanted = change(satu, "MUG-1", "price.push", 2100)
    [outcome] = outcomes(PRICE, config, [wanted])
    assert isinstance(outcome, Unknown)
    assert len(satu.sandbox.requests("POST", "/products/edit")) == 1
    assert PRICE.read_back(config, [wanted]) == {"MUG-1": 2100}


def test_accepting_twice_is_unknown_and_read_back_finds_it_accepted(satu, config):
    order = satu.sell([("MUG-1", 1)])
    accept = Change("order.status", f"satu_shop:{order['id']}", str(order["id"]), {"status": "confirmed"})
    assert [*outcomes(STATUS, config, [accept])] == [Accepted(accept)]
    [again] = outcomes(STATUS, config, [accept])
    assert isinstance(again, Unknown)
    assert STATUS.same(accept.value, STATUS.read_back(config, [accept])[accept.subject])


def test_a_step_the_platform_has_no_word_for_accepts_the_order_and_is_then_nothing_to_write(satu, config):
    order = satu.sell([("MUG-1", 1)])
    packed = Change("order.status", f"satu_shop:{order['id']}", str(order["id"]), {"status": "ready"})
    assert [*outcomes(STATUS, config, [packed])] == [Accepted(packed)]
    assert order["status"] == "received"
    assert [*outcomes(STATUS, config, [packed])] == [Accepted(packed, "Satu.kz has no such step")]
    assert len(satu.sandbox.requests("POST", "/orders/set_status")) == 1
    assert STATUS.same(packed.value, STATUS.read_back(config, [packed])[packed.subject])


def test_cancelling_says_why_in_the_platforms_words(satu, config):
    order = satu.sell([("MUG-1", 1)])
    cancel = Change("order.status", "x", str(order["id"]), {"status": "cancelled", "reason": "out_of_stock"})
    assert [*outcomes(STATUS, config, [cancel])] == [Accepted(cancel)]
    assert order["status"] == "canceled"


def test_a_wrong_token_names_the_cabinet_page_that_mends_it(config):
    wrong = config.model_copy(update={"token": SecretStr("expired")}).named("satu_shop")
    with pytest.raises(ConfigError, match="Управление API-токенами") as caught:
        CONNECTOR.check(wrong)
    assert "expired" not in str(caught.value)
