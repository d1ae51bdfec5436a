"""Every file of the vendor's examples: mapped, sent, or listed with the reason why neither."""

import json

import pytest
from pydantic import SecretStr

from connectors.satu import CONNECTOR
from connectors.satu.config import SatuConfig
from connectors.satu.sink import _walked, status_body, stock_fields
from connectors.sdk import Accepted, Change, Rejected
from mappings.tables import Mapped
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "satu"
pytestmark = needs(EXAMPLES)
CONFIG = SatuConfig(token=SecretStr("x"))

READ = {
    "clients_list.response.json": "clients",
    "order_detail_custom_status.json": "orders",
    "orders_list_money_with_currency_suffix.json": "orders",
    "products_list.response.json": "products",
}
SENT = {
    "orders_set_status_canceled.request.json", "orders_set_status_received.request.json", "products_edit.request.json",
}  # fmt: skip
ANSWERS = {
    "orders_set_status.response.json", "orders_set_status_rejected.response.json", "products_edit.response.json",
    "products_edit_wrapped_body_error.response.json",
}  # fmt: skip
NOT_USED = {
    "SOURCES.md": "tells where the examples come from",
    "delivery_options_list.response.json": "delivery methods are read from the orders",
    "groups_list.response.json": "categories come with the products",
    "messages_list.response.json": "enquiries are no resource yet",
    "order_delivery_provider_data.json": "a fragment: one member of an order, without the order",
    "products_edit_by_external_id.request.json": "products are edited by the platform's own id, which bindings keep",
    "products_import_status.sequence.json": "imports act on the whole catalogue; Keruen writes differences",
    "products_import_url.request.json": "imports act on the whole catalogue; Keruen writes differences",
    "yml_feed_satu.xml": "input of the platform's import, which is not used",
    "yml_offer_evo_portal_category.xml": "input of the platform's import, which is not used",
}


def load(name: str):
    return json.loads((EXAMPLES / name).read_text("utf-8"))


def test_every_example_is_in_exactly_one_table():
    tables = [set(READ), SENT, ANSWERS, set(NOT_USED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    assert {path.name for path in EXAMPLES.iterdir()} == set.union(*tables)


@pytest.mark.parametrize("name", READ)
def test_a_reply_is_recognised_and_maps_with_none_set_aside(name):
    reply = load(name)
    fits = {resource.name: resource.reads(reply) for resource in CONNECTOR.resources}
    assert [resource for resource, found in fits.items() if found is not None] == [READ[name]]
    for record in fits[READ[name]]:
        for to_entity in CONNECTOR.resource(READ[name]).maps.values():
            assert isinstance(to_entity(record, CONFIG), Mapped)


def test_status_requests_equal_the_vendors():
    cancel = {"status": "cancelled", "reason": "out_of_stock", "comment": "Закончился"}
    assert status_body(Change("order.status", "s", "501", cancel)) == load("orders_set_status_canceled.request.json")
    accept = Change("order.status", "s", "501", {"status": "confirmed"})
    assert status_body(accept) == load("orders_set_status_received.request.json")


def test_stock_requests_equal_the_vendors():
    available, to_order = load("products_edit.request.json")
    assert {"id": 1000001, **stock_fields(CONFIG, 12)} == available
    by_order = CONFIG.model_copy(update={"out_of_stock": "order"})
    assert {"id": 1000002, **stock_fields(by_order, 0)} == to_order


def test_answers_reach_the_right_outcome():
    order = Change("order.status", "s", "501", {"status": "confirmed"})
    assert [*_walked([order], load("orders_set_status.response.json"))] == [Accepted(order)]
    assert [*_walked([order], load("orders_set_status_rejected.response.json"))] == [
        Rejected(order, "error", "This status value is not allowed")
    ]
    products = [Change("stock.push", number, number, 1) for number in ("1000001", "1000002")]
    assert [*_walked(products, load("products_edit.response.json"))] == [Accepted(one) for one in products]
    wrapped = load("products_edit_wrapped_body_error.response.json")
    assert [*_walked(products, wrapped)] == [Rejected(one, "error", "Ожидается список товаров") for one in products]
