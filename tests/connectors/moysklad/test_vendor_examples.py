"""Every file of the vendor's documentation: read, sent, answered to, or listed with the reason why none of it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import responses

from connectors.moysklad import CONNECTOR
from connectors.moysklad.api import read as ask
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.lookup import Buyer, new_counterparty
from connectors.moysklad.sink import push_orders
from connectors.moysklad.source import documents
from connectors.sdk import (
    Accepted,
    Call,
    Change,
    ConfigError,
    ContractError,
    Heard,
    Outcome,
    Rejected,
    RejectedError,
    Since,
)  # fmt: skip
from connectors.sdk.testing.builders import a_line, an_order
from mappings.canonical import Order
from mappings.tables import unmapped
from tests.connectors.examples import FOLDER, needs, read_and_mapped

EXAMPLES = FOLDER / "moysklad"
pytestmark = [
    needs(EXAMPLES),
    pytest.mark.usefixtures("naps"),
]
ROOT = "https://api.moysklad.ru/api/remap/1.2"
CONFIG = MoySkladConfig(token="not-a-real-token", organization="850c8195-f504-11e5-8a84-bae50000015e").named("moysklad")

READ: dict[str, tuple[str, dict[str, int]]] = {
    "assortment_list_without_stock.response.json": ("products", {"product": 4, "price": 6}),
    "product_list.response.json": ("products", {"product": 3, "price": 10}),
    "product_get.response.json": ("products", {"product": 1, "price": 4}),
    "product_create_full.response.json": ("products", {"product": 1, "price": 4}),
    "product_bulk_upsert.response.json": ("products", {"product": 2, "price": 6}),
    "variant_list.response.json": ("products", {"product": 1, "price": 0}),
    "variant_get.response.json": ("products", {"product": 1, "price": 0}),
    "store_list.response.json": ("stores", {"location": 4}),
    "counterparty_list.response.json": ("counterparties", {"customer": 3}),
    "counterparty_bulk_upsert.response.json": ("counterparties", {"customer": 2}),
    "counterparty_kz_individual_create.response.json": ("counterparties", {"customer": 1}),
    "counterparty_kz_legal_create.response.json": ("counterparties", {"customer": 1}),
    "customerorder_list.response.json": ("customer_orders", {"order": 1}),
    "customerorder_create_minimal.response.json": ("customer_orders", {"order": 1}),
    "customerorder_create_with_positions.response.json": ("customer_orders", {"order": 0}),
    "retaildemand_list.response.json": ("retail_sales", {"order": 2}),
    "retaildemand_create_with_positions.response.json": ("retail_sales", {"order": 1}),
    "retailsalesreturn_get.response.json": ("retail_returns", {"order": 1}),
    "salesreturn_get.response.json": ("sales_returns", {"order": 1}),
    "salesreturn_get_expand_demand.response.json": ("sales_returns", {"order": 1}),
    "report_stock_all_current.response.json": ("stock", {"stock_level": 2}),
    "report_stock_all_current_with_filter.response.json": ("stock", {"stock_level": 2}),
    "report_stock_bystore_current.response.json": ("stock", {"stock_level": 4}),
}
"""Resource and records. The heading and the service of the assortment are no goods, an unset price is none, a draft is
no order, and the anonymous buyer is nobody."""

PARTS = {"customerorder_positions.response.json", "retaildemand_positions.response.json", "currency_list.response.json",
         "uom_list.response.json", "customerorder_metadata_states.response.json"}  # fmt: skip
"""What the source asks for beside a record, tried below."""

SENT = {"customerorder_create_with_positions.request.json", "customerorder_create_minimal.request.json",
        "counterparty_kz_individual_create.request.json"}  # fmt: skip

REFUSALS = {"error_3000_required_field.response.json"}

CALLED: dict[str, list[str]] = {
    "webhook_event_update_fields.payload.json": ["products"],
    "webhookstock_event.payload.json": ["stock"],
    "async_webhook_processed.payload.json": [],
}
"""Calls, and the resources they make us read. Nothing is asked for asynchronously, so nothing comes of the last."""

LEFT: dict[str, str] = {
    "assortment_settings.response.json": "whether codes are unique the hub finds out from the codes themselves",
    "async_task_status.response.json": "nothing is asked for asynchronously",
    "audit_contexts.response.json": "deletions are found by full listings, not by the audit",
    "audit_events_by_context.response.json": "deletions are found by full listings, not by the audit",
    "counterparty_bulk_upsert.request.json": "companies are not written; the bulk call is tried with orders",
    "counterparty_contactpersons.response.json": "contact persons of companies are not read",
    "counterparty_kz_legal_create.request.json": "buyers of marketplaces are people",
    "counterparty_states_metadata.response.json": "states of counterparties mean nothing to the hub",
    "demand_attributes_all_types.response.json": "shipments are not read; own fields are tried with products",
    "demand_get.response.json": "shipments are not read: the customer order tells the sale",
    "demand_template_from_customerorder.request.json": "shipments are not written",
    "demand_template_from_customerorder.response.json": "shipments are not written",
    "pricetype_list.response.json": "every price says its type by name and id",
    "pricetype_replace_list.request.json": "settings of the account are not written",
    "product_bulk_delete.response.json": "goods are not written",
    "product_bulk_upsert.request.json": "goods are not written",
    "product_create_full.request.json": "goods are not written",
    "productfolder_list.response.json": "every product says its folder's path",
    "report_stock_all.response.json": "the heavy report costs five units; the short one is read",
    "report_stock_bystore.response.json": "the heavy report costs five units; the short one is read",
    "retaildemand_create_with_positions.request.json": "receipts are made by tills",
    "retailshift_get.response.json": "shifts are not read",
    "retailstore_get.response.json": "tills are not read; which stores are shops is a setting",
    "saleschannel_list.response.json": "orders come with their sales channel expanded",
    "security_token.response.json": "a new token would end the merchant's own; the token is a secret of the connection",
    "variant_create.request.json": "goods are not written",
    "webhook_create.request.json": "an administrator makes the webhooks; their calls are what counts",
    "webhook_list.response.json": "an administrator makes the webhooks; their calls are what counts",
    "webhookstock_list.response.json": "an administrator makes the webhooks; their calls are what counts",
}


def example(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text("utf-8"))


def test_every_example_has_its_place() -> None:
    placed = [*READ, *PARTS, *SENT, *REFUSALS, *CALLED, *LEFT]
    assert sorted(placed) == sorted(path.name for path in EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("name", READ)
def test_a_reply_is_read_by_one_resource_and_maps_whole(name: str) -> None:
    assert read_and_mapped(CONNECTOR, CONFIG, example(name)) == READ[name]


@pytest.mark.parametrize("name", READ)
def test_no_field_of_a_reply_is_overlooked(name: str) -> None:
    resource = CONNECTOR.resource(READ[name][0])
    covered = frozenset().union(*(one.covered for one in resource.maps.values()))
    assert {field for record in resource.reads(example(name)) or [] for field in unmapped(record, covered)} == set()


@pytest.mark.parametrize("name", sorted([*PARTS, *SENT, *REFUSALS, *CALLED, *LEFT]))
def test_other_files_are_not_taken_for_records(name: str) -> None:
    assert [resource.name for resource in CONNECTOR.resources if resource.reads(example(name)) is not None] == []


# ── what stands beside a record ───────────────────────────────────────────────────────────────────────────────────────


@responses.activate
def test_an_order_gets_its_positions_its_state_and_its_currency() -> None:
    """The saved list says four positions; they make its sum to the tiyn, in the currency of the order."""
    orders = example("customerorder_list.response.json")
    order = orders["rows"][0]
    order["state"] = example("customerorder_metadata_states.response.json")["states"][1]
    currencies = example("currency_list.response.json")
    order["rate"]["currency"]["meta"]["href"] = currencies["rows"][1]["meta"]["href"]
    responses.get(f"{ROOT}/entity/customerorder", json=orders)
    positions = example("customerorder_positions.response.json")
    responses.get(f"{ROOT}/entity/customerorder/{order['id']}/positions", json=positions)
    responses.get(f"{ROOT}/entity/currency", json=currencies)
    responses.get(f"{ROOT}/entity/counterparty", json={"meta": {}, "rows": []})
    [page] = documents(CONFIG, "entity/customerorder", Since(), "state,positions")
    [mapped] = CONNECTOR.resource("customer_orders").map(page[0], CONFIG).records
    assert (mapped.status, mapped.currency, mapped.total) == ("confirmed", "USD", Decimal("3464537012.06"))
    assert [line.quantity for line in mapped.lines] == [1, 1, 1, 1]


def test_positions_of_a_receipt_keep_their_price_tax_and_item() -> None:
    receipt = example("retaildemand_list.response.json")["rows"][0]
    receipt["positions"] = example("retaildemand_positions.response.json")
    [order] = CONNECTOR.resource("retail_sales").map(receipt, CONFIG).records
    first, second = order.lines
    assert (first.quantity, first.unit_price, first.total, first.vat_rate) == (17, 3, 51, 18)
    assert (second.variant, second.vat_rate) == ("e91042b4-fa34-11e5-9464-e4de00000095", None)
    assert (order.total, order.fiscal_sign, order.payment["method"]) == (51, "1122330002", "cash")


def test_a_unit_is_known_by_its_okei_code() -> None:
    product = example("product_get.response.json")
    uom = next(unit for unit in example("uom_list.response.json")["rows"] if unit["name"] == "шт")
    product["uom"] |= {"code": uom["code"], "name": uom["name"]}
    [mapped] = CONNECTOR.resource("products").maps["product"](product, CONFIG).records
    assert mapped.unit == "796"


# ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────────

BUYER = "9794d400-f689-11e5-8a84-bae500000078"
STORE = "850ee995-f504-11e5-8a84-bae500000160"


def pushed(order: Order, items: list[Any], status: int, answer: Any) -> tuple[Any, Outcome]:
    """The body of the order that is posted, and its outcome. The account knows these items, and the buyer by phone."""

    def listed(path: str, rows: list[Any]) -> None:
        responses.get(f"{ROOT}/entity/{path}", json={"meta": {}, "rows": rows})

    listed("customerorder", [])
    listed("assortment", items)
    listed("counterparty", [{"id": BUYER, "phone": "8 700 000 00 01"}])
    responses.get(f"{ROOT}/entity/customerorder/metadata", json=example("customerorder_metadata_states.response.json"))
    posted = responses.post(f"{ROOT}/entity/customerorder", json=answer, status=status)
    config = CONFIG.model_copy(update={"store": UUID(STORE)})
    value = order.model_dump(mode="json") | {"connection": "market"}
    [outcome] = push_orders(config, [Change("order.push", f"market:{order.external_id}", "", value)])
    [body] = json.loads(posted.calls[0].request.body)
    return body, outcome


def ordered(wanted: Any) -> tuple[Order, list[Any]]:
    """The canonical order that a documented request writes, and the items it names."""
    items, lines = [], []
    for place, one in enumerate(wanted["positions"]):
        uuid = one["assortment"]["meta"]["href"].rpartition("/")[2]
        items.append({"id": uuid, "meta": {"type": "product"}, "code": f"SKU-{place}"})
        price = Decimal(str(one["price"])) / 100
        lines.append(a_line(f"SKU-{place}", one["quantity"], str(price), vat_rate=Decimal(one["vat"])))
    at = datetime(2016, 4, 19, 10, 50, 24, tzinfo=UTC)
    return an_order(wanted["name"], tuple(lines), placed_at=at, contact_phone="+77000000001"), items


@responses.activate
def test_an_order_is_sent_as_in_the_documentation() -> None:
    """Left out: `code` and `pack` are the merchant's own, `vatEnabled` the account's; a draft would reserve nothing."""
    wanted = example("customerorder_create_with_positions.request.json")
    made = example("customerorder_create_with_positions.response.json")
    body, outcome = pushed(*ordered(wanted), 200, [made])
    same = ("name", "organization", "moment", "agent", "state")
    assert {name: body[name] for name in same} == {name: wanted[name] for name in same}
    assert wanted.keys() - body.keys() == {"code", "vatEnabled"}
    for sent, asked in zip(body["positions"], wanted["positions"], strict=True):
        assert {name: sent[name] for name in asked.keys() - {"pack"}} == {n: v for n, v in asked.items() if n != "pack"}
    assert isinstance(outcome, Accepted)
    assert outcome.receipt == made["id"]


@responses.activate
def test_every_order_has_what_the_shortest_documented_one_has() -> None:
    wanted = example("customerorder_create_minimal.request.json")
    order, items = ordered(example("customerorder_create_with_positions.request.json"))
    body, outcome = pushed(order, items, 200, [example("customerorder_create_minimal.response.json")])
    assert {name: body[name] for name in wanted} == wanted
    assert isinstance(outcome, Accepted)


def test_a_new_buyer_is_written_as_a_person_of_kazakhstan() -> None:
    """A channel knows one name and the phone; surname, sex and ИИН are filled in by people."""
    wanted = example("counterparty_kz_individual_create.request.json")
    body = new_counterparty(CONFIG, Buyer("+77000000001", wanted["name"], "+77000000001", None))
    assert {name: body[name] for name in ("name", "companyType")} == {n: wanted[n] for n in ("name", "companyType")}


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


@responses.activate
def test_a_refused_read_says_code_and_words() -> None:
    responses.get(f"{ROOT}/entity/product", json=example("error_3000_required_field.response.json"), status=412)
    with pytest.raises(RejectedError, match="поле 'name' не может быть пустым") as refusal:
        ask(CONFIG, "entity/product")
    assert refusal.value.code == "3000"


@responses.activate
@pytest.mark.parametrize("in_the_list", [True, False], ids=["in its place in the list", "instead of the list"])
def test_a_refused_order_is_rejected_in_the_vendors_words(in_the_list: bool) -> None:
    order, items = ordered(example("customerorder_create_with_positions.request.json"))
    refusal = example("error_3000_required_field.response.json")
    _, outcome = pushed(order, items, 200 if in_the_list else 412, [refusal] if in_the_list else refusal)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.message) == ("3000", refusal["errors"][0]["error"])


# ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

LISTENING = MoySkladConfig(token="not-a-real-token", webhook_secret="not-a-real-secret").named("moysklad")


def heard(body: bytes, path: str = "not-a-real-secret", config: MoySkladConfig = LISTENING) -> list[Heard]:
    assert CONNECTOR.hear is not None
    return list(CONNECTOR.hear(config, Call(body, path=path)))


@pytest.mark.parametrize("name", CALLED)
def test_a_call_says_what_to_read_and_brings_no_data(name: str) -> None:
    assert heard((EXAMPLES / name).read_bytes()) == [Heard(resource, keys=("",)) for resource in CALLED[name]]


@pytest.mark.parametrize("path", ["", "another-secret"])
def test_a_call_without_the_secret_of_its_address_is_nobodys(path: str) -> None:
    with pytest.raises(RejectedError):
        heard((EXAMPLES / "webhookstock_event.payload.json").read_bytes(), path)


def test_without_a_secret_no_call_is_taken_and_a_strange_one_is_not_guessed_at() -> None:
    with pytest.raises(ConfigError, match="webhook_secret"):
        heard(b"{}", "", CONFIG)
    for body in (b"", b"[]", b'{"events": [{}]}'):
        with pytest.raises(ContractError):
            heard(body)
