"""Every file of the vendor's examples: read, sent, answered to, or listed with the reason why none of it."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from defusedxml.ElementTree import fromstring

from connectors.kaspi import CONNECTOR
from connectors.kaspi.cities import CITIES
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.records import from_id, to_id
from connectors.kaspi.sandbox_front import read_catalog
from connectors.kaspi.source import Reading
from connectors.sdk import Accepted, Change, Deferred, Offer, Outcome, Rejected, Snapshot, outcomes
from mappings.canonical import Customer, Order
from mappings.tables import Mapped, unmapped
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "kaspi"
pytestmark = needs(EXAMPLES)
CONFIG = KaspiConfig(token="not-a-real-token", merchant_id="30000000").named("kaspi_almaty")
ORDERS = CONNECTOR.resource("orders")

READ = {
    "order_by_code_kaspi_delivery_cancelling.json": ("cancelled", "5990", ["355654asiuowl"]),
    "order_by_code_own_delivery.json": ("shipped", "4500", [None]),
    "orders_list_include_user_legacy.json": ("ready", "97045", [None]),
    "orders_list_kaspi_delivery_not_assembled.json": ("assembling", "2190", [None]),
    "orders_list_pickup_include_entries.json": ("ready", "2000", ["259204", None]),
}
"""Status, total and SKUs. None: the saved list does not carry the line; a poll would ask for it."""

PARTS = {
    "order_entries_list.json",
    "orderentry_product_masterproduct.json",
    "masterproduct_merchantproduct.json",
}
"""Answers that make an order whole."""

SENT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "post_order_accept.request.json": ("NEW", "APPROVED_BY_BANK", {"status": "confirmed"}),
    "post_order_assemble.request.json": ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {"status": "ready", "spaces": 2}),
    "post_order_cancel.request.json": ("NEW", "APPROVED_BY_BANK", {"status": "cancelled", "reason": "buyer"}),
}

FEWER_SENT: dict[str, tuple[str, dict[str, dict[str, int]], dict[str, str]]] = {
    "partial_cancel_single.request.json": (
        "900000011", {"1": {"quantity": 1}}, {"reason": "buyer", "comment": "Отказ клиента"},
    ),
    "partial_cancel_bulk.request.json": (
        "900000012", {line: {"quantity": 1, "weight_g": 1000} for line in "01"},
        {"reason": "out_of_stock", "comment": "merchant out of stock"},
    ),
}  # fmt: skip
"""The order, what shall stay of which line, and why."""

FEWER_ANSWERS = {
    "partial_cancel_single.response.json": "partial_cancel_single.request.json",
    "partial_cancel_bulk.response.json": "partial_cancel_bulk.request.json",
}
"""What taking lines out is answered with: the work goes on behind the answer."""

ANSWERS: dict[str, tuple[int, type[Outcome]]] = {
    "post_order_accept.response.json": (200, Accepted),
    "post_order_assemble.response.json": (200, Accepted),
    "post_order_cancel.response.json": (200, Accepted),
    "error_complete_already_completed.json": (400, Accepted),
    "error_complete_bad_code.json": (400, Rejected),
}
"""What a status write is answered with, and the outcome of an acceptance that gets it."""

PRICE_LISTS = {
    "price_list_cityprice_preorder.xml",
    "price_list_single_price.xml",
    "price_list_two_stores_off.xml",
}

TABLES = {"city_codes.csv"}

NOT_USED = {
    "SOURCES.md": "tells where the examples come from",
    "classification_attributes.json": "product cards are made in the cabinet, not by Keruen",
    "classification_categories.json": "product cards are made in the cabinet, not by Keruen",
    "products_import.request.json": "product cards are made in the cabinet, not by Keruen",
    "products_import.response.json": "product cards are made in the cabinet, not by Keruen",
    "products_import_result.json": "product cards are made in the cabinet, not by Keruen",
    "products_import_schema.json": "product cards are made in the cabinet, not by Keruen; it bounds a SKU by 64",
    "imei_operation.request.json": "an IMEI is read off a box by a person, in the cabinet",
    "pointofservice.json": "points are a setting, since nothing lists them; their ids are decoded from the entries",
    "post_order_complete.request.json": "needs the buyer's code: a person completes an order",
}


def load(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text("utf-8"))


def test_every_example_is_in_exactly_one_table():
    tables = [
        set(READ),
        PARTS,
        set(SENT),
        set(ANSWERS),
        set(FEWER_SENT),
        set(FEWER_ANSWERS),
        PRICE_LISTS,
        TABLES,
        set(NOT_USED),
    ]

    assert sum(map(len, tables)) == len(set.union(*tables))
    assert {path.name for path in EXAMPLES.iterdir()} == set.union(*tables)


def test_only_orders_are_taken_for_orders():
    fitting = {path.name for path in EXAMPLES.glob("*.json") if ORDERS.reads(load(path.name)) is not None}

    assert fitting == set(READ)


@pytest.mark.parametrize("name", READ)
def test_an_order_maps_with_none_set_aside(name):
    (record,) = ORDERS.reads(load(name)) or ()

    order, customer = (ORDERS.maps[entity](record, CONFIG) for entity in ("order", "customer"))

    assert isinstance(order, Mapped), order
    assert isinstance(customer, Mapped), customer
    ((sale,), (buyer,)) = order.records, customer.records
    assert isinstance(sale, Order)
    assert isinstance(buyer, Customer)
    status, total, skus = READ[name]
    assert (sale.status, str(sale.total.normalize() + 0), [line.sku for line in sale.lines]) == (status, total, skus)
    assert sale.customer == buyer.external_id
    covered = frozenset().union(*(one.covered for one in ORDERS.maps.values()))
    assert unmapped(record, covered) == frozenset()
    assert buyer.phones == (f"+7{record['attributes']['customer']['cellPhone']}",)


@responses.activate
def test_an_order_of_the_old_kind_is_made_whole_by_three_further_answers():
    listed = {"type": "orders", "id": to_id("900000006"),
              "attributes": {"code": "900000006", "totalPrice": 4000.0, "deliveryCost": 500.0, "state": "PICKUP",
                             "status": "ACCEPTED_BY_MERCHANT", "creationDate": 1_706_608_613_252}}  # fmt: skip
    entries = load("order_entries_list.json")
    product = load("orderentry_product_masterproduct.json")
    for path, body in {
        f"orders/{listed['id']}": {"data": listed},
        f"orders/{listed['id']}/entries": entries,
        f"orderentries/{entries['data'][0]['id']}/product": product,
        f"masterproducts/{product['data']['id']}/merchantProduct": load("masterproduct_merchantproduct.json"),
    }.items():
        responses.get(f"{CONFIG.base_url}/{path}", json=body)

    (record,) = Reading(CONFIG).order("900000006")
    order = ORDERS.maps["order"](record, CONFIG)

    assert isinstance(order, Mapped), order
    (sale,) = order.records
    assert isinstance(sale, Order)
    assert [(line.sku, line.quantity, line.total, line.location) for line in sale.lines] == [
        ("103403297", 2, 4000, "PP1")
    ]
    assert sale.total == 4500


def answered(code: str, state: str, status: str, value: dict[str, Any], answer: Callable[[], None]) -> Outcome:
    """The outcome of a change of an order that Kaspi shows so, when the write gets that answer."""
    found = {"type": "orders", "id": to_id(code), "attributes": {"code": code, "state": state, "status": status}}
    responses.get(f"{CONFIG.base_url}/orders/{found['id']}", json={"data": found})
    answer()
    (outcome,) = outcomes(CONNECTOR.sink("order.status"), CONFIG, [Change("order.status", code, code, value)])
    return outcome


@responses.activate
@pytest.mark.parametrize("name", SENT)
def test_what_is_sent_is_what_the_guide_shows(name):
    wanted = load(name)
    code = from_id(wanted["data"]["id"])

    answered(code, *SENT[name], lambda: responses.post(f"{CONFIG.base_url}/orders", json={"data": {}}))

    sent = responses.calls[-1].request
    assert json.loads(sent.body) == wanted
    assert sent.headers["Content-Type"] == "application/vnd.api+json"
    assert sent.headers["X-Merchant-Uid"] == "30000000"
    assert sent.headers["X-Auth-Token"] == "not-a-real-token"


def fewer(name: str, answer: Any) -> Outcome:
    """The outcome of taking lines out as in the example, of an order whose lines go on being shown as they were."""
    code, keep, why = FEWER_SENT[name]
    entries = [{"id": to_id(f"{code}##{line}"), "attributes": {"entryNumber": line, "quantity": 2, "weight": 2000}}
               for line in range(3)]  # fmt: skip
    responses.get(f"{CONFIG.base_url}/orders/{to_id(code)}/entries", json={"data": entries})
    responses.post(f"{CONFIG.base_url}/orderEntryCancelOperation", json=answer)
    responses.put(f"https://kaspi.kz/shop/api/orderPartialCancel/{to_id(code)}", json=answer)
    value = {"status": "confirmed", "keep": keep, **why}
    return answered(code, "PICKUP", "ACCEPTED_BY_MERCHANT", value, lambda: None)


@responses.activate
@pytest.mark.parametrize("name", FEWER_SENT)
def test_lines_are_taken_out_as_the_guide_shows(name):
    assert isinstance(fewer(name, {"status": "SUCCESSFUL"}), Accepted)

    (sent,) = [call.request for call in responses.calls if call.request.method != "GET"]
    assert json.loads(sent.body) == load(name)


@responses.activate
@pytest.mark.parametrize("name", FEWER_ANSWERS)
def test_lines_that_kaspi_is_still_taking_out_are_waited_for(name):
    assert isinstance(fewer(FEWER_ANSWERS[name], load(name)), Deferred)


@responses.activate
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_to_a_write_is_read_as_what_it_means(name):
    status, meaning = ANSWERS[name]

    outcome = answered(
        "900000007", "NEW", "APPROVED_BY_BANK", {"status": "confirmed"},
        lambda: responses.post(f"{CONFIG.base_url}/orders", json=load(name), status=status),
    )  # fmt: skip

    assert isinstance(outcome, meaning)
    if isinstance(outcome, Rejected):
        assert outcome.message == load(name)["errors"][0]["title"]


@pytest.mark.parametrize(
    ("name", "company", "offer"),
    [
        (
            "price_list_cityprice_preorder.xml", "Company",
            Offer("232130213", {"stock.push": {"PP1": 234}, "price.push": {"Алматы": "193000"}},
                  {"name": "iphone 5s white 32gb", "brand": "Apple", "pre_order": 3}),
        ),
        (
            "price_list_single_price.xml", "COMPANY_NAME",
            Offer("1100014950", {"stock.push": {"PP1": 10}, "price.push": "5990.00"},
                  {"name": "СИЯЮЩИЙ ПРАЙМЕР ДЛЯ ЛИЦА", "brand": "Alix Avien"}),
        ),
    ],
)  # fmt: skip
def test_a_price_list_is_written_as_in_the_guide_but_for_its_date(name, company, offer):
    guide = fromstring((EXAMPLES / name).read_bytes())
    merchant = guide.findtext("{kaspiShopping}merchantid")
    render = CONNECTOR.sink("price.push").render
    assert render is not None

    config = CONFIG.model_copy(update={"company": company, "merchant_id": merchant})
    ours = fromstring(render(config, Snapshot("v1", datetime(2026, 3, 2, tzinfo=UTC), [offer])))

    assert plain(ours) == plain(guide)


def plain(element: Any) -> Any:
    """An element without the blanks between its children, and without the date."""
    attributes = {name: value for name, value in element.attrib.items() if name != "date"}
    return (element.tag, attributes, (element.text or "").strip(), [plain(child) for child in element])


@pytest.mark.parametrize("name", sorted(PRICE_LISTS))
def test_the_sandbox_takes_the_price_lists_that_kaspi_takes(name):
    content = (EXAMPLES / name).read_bytes()
    merchant = fromstring(content).findtext("{kaspiShopping}merchantid")

    shown, problems = read_catalog(content, merchant)

    assert problems == []
    assert [sum(one.stock.values()) for one in shown.values()] in ([234], [10], [2, 0])


def test_the_table_of_cities_is_the_guides():
    with (EXAMPLES / "city_codes.csv").open(encoding="utf-8") as file:
        assert {row["city_id"]: row["name"] for row in csv.DictReader(file)} == CITIES
