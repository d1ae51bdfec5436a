"""What MoySklad's records mean: amounts, codes, references and states."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.moysklad import CONNECTOR
from connectors.moysklad.api import uuid_of
from connectors.moysklad.config import MoySkladConfig
from mappings.canonical import Order
from mappings.tables import Mapped, Quarantined

CONFIG = MoySkladConfig(token="not-a-real-token").named("moysklad")
ITEM = "be903062-f504-11e5-8a84-bae50000019a"
HREF = f"https://api.moysklad.ru/api/remap/1.2/entity/product/{ITEM}"


def mapped(resource: str, record: dict[str, Any], entity: str | None = None, **settings: Any) -> Any:
    maps = CONNECTOR.resource(resource).maps
    config = CONFIG if not settings else MoySkladConfig(token="not-a-real-token", **settings).named("moysklad")
    result = maps[entity or next(iter(maps))](record, config)
    assert isinstance(result, Mapped), result
    return result.records


def a_document(*positions: dict[str, Any], **facts: Any) -> dict[str, Any]:
    rows = [{"id": str(n), "assortment": {"meta": {"href": HREF}}, **one} for n, one in enumerate(positions)]
    return {"id": "1", "name": "00001", "moment": "2026-03-02 08:00:00", "positions": {"rows": rows}, **facts}


def a_variant(**facts: Any) -> dict[str, Any]:
    parent = {
        "id": "p",
        "code": "P",
        "pathName": "Посуда",
        "buyPrice": {"value": 50000.0},
        "salePrices": [sale(90000.0)],
    }
    return {"meta": {"type": "variant"}, "id": "v", "code": "V", "name": "Пиала (көк)", "product": parent, **facts}


def sale(value: float, name: str = "Цена продажи", uuid: str = "t-1") -> dict[str, Any]:
    return {"value": value, "priceType": {"id": uuid, "name": name}}


# ── references ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "href",
    [
        HREF,
        f"https://online.moysklad.ru/api/remap/1.2/entity/product/{ITEM}",
        f"{HREF}?expand=supplier",
        f"https://api.moysklad.ru/api/remap/1.2/entity/product/66cc36dc-f7d2-11e5-8a84-bae500000074/{ITEM}",
    ],
)
def test_a_reference_is_the_id_at_its_end(href: str) -> None:
    assert uuid_of({"meta": {"href": href}}) == ITEM


@pytest.mark.parametrize("nothing", [None, {}, {"meta": {}}, "text", {"meta": "text"}])
def test_what_refers_to_nothing_has_no_id(nothing: Any) -> None:
    assert uuid_of(nothing) is None


# ── goods and prices ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_variant_takes_from_its_product_what_it_does_not_say() -> None:
    [product] = mapped("products", a_variant(), "product")
    assert (product.category, product.parent_sku) == ("Посуда", "P")
    prices = {price.price_type: price.amount for price in mapped("products", a_variant(salePrices=[]), "price")}
    assert prices == {"retail": 900, "purchase": 500}
    own = {
        price.price_type: price.amount for price in mapped("products", a_variant(salePrices=[sale(95000.0)]), "price")
    }
    assert own == {"retail": 950, "purchase": 500}


def test_a_variant_of_an_archived_product_is_archived() -> None:
    item = a_variant()
    item["product"]["archived"] = True
    assert mapped("products", item, "product")[0].status == "archived"


def test_price_types_are_named_by_name_or_id_and_others_keep_their_name() -> None:
    prices = [sale(100.0), sale(200.0, "Опт", "t-2"), sale(300.0, "Цена для друзей", "t-3")]
    told = mapped("products", a_variant(salePrices=prices), "price", price_types={"Опт": "wholesale", "t-1": "retail"})
    named = {price.price_type: price.amount for price in told}
    assert named == {"purchase": 500, "retail": 1, "wholesale": 2, "Цена для друзей": 3}


def test_no_tax_is_not_a_tax_of_zero() -> None:
    assert mapped("products", a_variant(vat=0, vatEnabled=False), "product")[0].vat_rate is None
    assert mapped("products", a_variant(vat=0, vatEnabled=True), "product")[0].vat_rate == 0
    assert mapped("products", a_variant(effectiveVat=16, effectiveVatEnabled=True), "product")[0].vat_rate == 16


@pytest.mark.parametrize("kind", ["service", "consignment"])
def test_services_and_lots_are_no_goods(kind: str) -> None:
    item = a_variant(meta={"type": kind})
    assert mapped("products", item, "product") == mapped("products", item, "price") == ()


def test_an_item_without_any_code_is_set_aside_with_what_to_do() -> None:
    item = a_variant()
    del item["code"]
    result = CONNECTOR.resource("products").maps["product"](item, CONFIG)
    assert isinstance(result, Quarantined)
    assert result.rule == "no_unique_sku"
    assert "fill one in MoySklad" in result.reason


# ── amounts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

positions = st.fixed_dictionaries(
    {
        "quantity": st.decimals("0.001", "999", places=3).map(float),
        "price": st.decimals("0", "99999999", places=2).map(float),
        "discount": st.decimals("-50", "100", places=2).map(float),
    }
)


@given(st.lists(positions, max_size=6))
def test_an_order_is_the_sum_of_its_positions_each_rounded_half_up(rows: list[dict[str, float]]) -> None:
    sums = [
        (Decimal(str(row["quantity"])) * Decimal(str(row["price"])) * (100 - Decimal(str(row["discount"]))) / 100)
        for row in rows
    ]
    minor = sum((one.quantize(Decimal(1), ROUND_HALF_UP) for one in sums), Decimal(0))
    [order] = mapped("customer_orders", a_document(*rows, sum=float(minor)))
    assert order.total == minor / 100
    assert order.total == sum(line.total for line in order.lines)


def test_a_sum_that_is_not_the_positions_is_set_aside_with_the_difference() -> None:
    position = {"quantity": 1, "price": 100000.0}
    result = CONNECTOR.resource("customer_orders").map(a_document(position, sum=200000), CONFIG)
    assert isinstance(result, Quarantined)
    assert result.reason == "total: positions make 1000.00, the document says 2000.00"


def test_a_document_in_another_currency_keeps_it_or_is_converted_at_its_own_rate() -> None:
    """The source spells the currency out; a saved reply only refers to it, but tells the rate."""
    position, ref = {"quantity": 1, "price": 10000.0}, {"meta": {"href": "…/currency/usd"}}
    spelt = {"currency": {**ref, "isoCode": "USD"}, "value": 512.3}
    [order] = mapped("customer_orders", a_document(position, sum=10000, rate=spelt))
    assert (order.total, order.currency) == (100, "USD")
    [order] = mapped("customer_orders", a_document(position, sum=10000, rate={"currency": ref, "value": 512.3}))
    assert (order.total, order.currency) == (51230, "KZT")


# ── states, channels, copies ──────────────────────────────────────────────────────────────────────────────────────────


def ordered(**facts: Any) -> Order:
    settings = facts.pop("settings", {})
    [order] = mapped("customer_orders", a_document(sum=0, **facts), **settings)
    assert isinstance(order, Order)
    return order


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"name": "Собран", "stateType": "Regular"}, "ready"),
        ({"name": "Вручён", "stateType": "Successful"}, "completed"),
        ({"name": "Брак", "stateType": "Unsuccessful"}, "cancelled"),
        ({"name": "Ждём звонка", "stateType": "Regular"}, "placed"),
        (None, "placed"),
    ],
)
def test_a_state_means_what_the_table_says_or_its_type(state: Any, status: str) -> None:
    assert ordered(state=state).status == status


def test_the_merchants_table_goes_by_id_or_name() -> None:
    state = {"meta": {"href": "…/states/s-1"}, "name": "Собран", "stateType": "Regular"}
    assert ordered(state=state, settings={"states": {"s-1": "assembling"}}).status == "assembling"
    assert ordered(state=state, settings={"states": {"Собран": "shipped"}}).status == "shipped"


def test_the_channel_is_the_merchants_word_else_the_sales_channels_type() -> None:
    sales = {"meta": {"href": "…/saleschannel/c-1"}, "name": "WhatsApp", "type": "MESSENGER"}
    assert ordered(salesChannel=sales).channel == "messenger"
    assert ordered(salesChannel=sales, settings={"channels": {"WhatsApp": "whatsapp"}}).channel == "whatsapp"
    assert ordered().channel == "office"


def test_only_our_own_external_codes_make_a_copy() -> None:
    assert ordered(externalCode="keruen:kaspi_almaty:MTIz").copy_of == "kaspi_almaty:MTIz"
    assert ordered(externalCode="CntjFix4hoyZOIhZiULjv2").copy_of is None
    assert ordered(externalCode="1C:000123").copy_of is None


def test_the_zone_of_document_dates_is_a_setting() -> None:
    assert ordered().placed_at.isoformat() == "2026-03-02T05:00:00+00:00"
    assert ordered(settings={"timezone": "Asia/Almaty"}).placed_at.isoformat() == "2026-03-02T03:00:00+00:00"


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("facts", "number"),
    [
        ({"mod__requisites__kz": {"bin": "000000000017"}}, "000000000017"),
        ({"mod__requisites__kz": {"iin": "000000000025"}, "inn": "7700000000"}, "000000000025"),
        ({"inn": "000000000033"}, "000000000033"),
        ({"mod__requisites__kz": {"kbe": "19"}}, None),
    ],
)
def test_the_tax_number_stands_in_either_place(facts: Any, number: str | None) -> None:
    [customer] = mapped("counterparties", {"id": "1", "name": "Әлия", **facts})
    assert customer.tax_id == number


def test_one_phone_field_may_hold_several() -> None:
    [customer] = mapped(
        "counterparties", {"id": "1", "name": "Әлия", "phone": "8 (700) 000-00-01; +7 700 000 00 02, нет"}
    )
    assert customer.phones == ("+77000000001", "+77000000002")
