"""Every file of the vendor's documentation: read, sent, answered to, or listed with the reason why none of it."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import responses

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.api import Call, as_map, ask, look_up, rows_of
from connectors.bitrix24.cards import by_value, delta, mended
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.copies import set_rows
from connectors.bitrix24.deals import line
from connectors.bitrix24.events import hint, pushed
from connectors.bitrix24.notation import brackets, command
from connectors.bitrix24.sink import outcome, push_customers
from connectors.bitrix24.source import rows_of_deals
from connectors.sdk import Accepted, Change, ConfigError, ContractError, HubError, Rejected, RejectedError
from connectors.sdk.runtime import Runtime, using
from mappings.tables import convert, unmapped
from tests.connectors.examples import FOLDER, needs, read_and_mapped

EXAMPLES = FOLDER / "bitrix24"
pytestmark = needs(EXAMPLES)
ROOT = "https://some-domain.bitrix24.com/rest/1/q4w7"
CONFIG = Bitrix24Config(base_url="https://some-domain.bitrix24.com", webhook="1/q4w7").named("crm")

READ: dict[str, tuple[str, dict[str, int]]] = {
    "crm.contact.list.response.json": ("contacts", {"customer": 5}),
    "crm.contact.get.response.json": ("contacts", {"customer": 1}),
    "crm.company.get.response.json": ("companies", {"customer": 1}),
    "crm.lead.get.response.json": ("leads", {"customer": 1}),
    "crm.deal.list.response.json": ("deals", {"order": 6}),
    "sale.order.get.response.json": ("shop_orders", {"order": 1}),
    "sale.order.list.response.json": ("shop_orders", {"order": 1}),
    "catalog.product.list.response.json": ("products", {"product": 1, "price": 1, "stock_level": 0}),
    "catalog.price.list.response.json": ("prices", {"price": 2}),
    "catalog.price.modify.response.json": ("prices", {"price": 3}),
    "catalog.store.list.response.json": ("stores", {"location": 1}),
    "catalog.storeproduct.list.response.json": ("stock", {"stock_level": 2}),
}
"""Resource and records. The total of a product counts only where the settings say so."""

PARTS = {
    "batch.response.json", "catalog.catalog.list.response.json", "crm.contact.fields.response.json",
    "crm.duplicate.findbycomm.response.json", "crm.item.productrow.set.response.json",
    "crm.contact.add.response.json", "crm.item.update.deal.response.json", "event.offline.get.response.json",
    "oauth.token_refresh.response.json", "crm.status.list.deal_stages.response.json",
}  # fmt: skip
"""What is read beside records, or answered to a write."""

SENT = {
    "batch.linked_commands.request.json", "crm.contact.add.request.json", "crm.contact.list.request.json",
    "crm.contact.update.multifield_append.request.json", "crm.contact.update.multifield_delete.request.json",
    "crm.contact.update.multifield_edit.request.json", "crm.duplicate.findbycomm.request.json",
    "crm.item.productrow.set.request.json", "crm.item.update.deal.request.json",
    "catalog.product.list.request.json",
}  # fmt: skip

REFUSALS: dict[str, tuple[int, type[HubError]]] = {
    "crm.contact.list.error_access_denied.json": (400, ConfigError),
    "crm.contact.update.error_not_found.json": (400, RejectedError),
    "crm.item.list.error_invalid_filter.json": (400, RejectedError),
    "catalog.price.modify.error.json": (400, RejectedError),
    "catalog.document.element.add.error_conducted.json": (400, RejectedError),
    "sale.order.get.error_not_found.json": (400, RejectedError),
    "oauth.error_payment_required.json": (403, ConfigError),
}
INSIDE = {"batch.response_with_errors_halt0.json", "crm.item.batchImport.response_partial_failure.json"}

EVENTS = {
    f"event.{source}.{name}.{kind}"
    for source, name in (
        ("app", "CATALOG.PRODUCT.ON.UPDATE"), ("app", "ONCRMCONTACTUPDATE"), ("app", "ONOFFLINEEVENT"),
        ("app", "ONORDERENTITYSAVED"), ("outgoing_webhook", "ONCRMDEALADD"),
    )
    for kind in ("form", "json")
}  # fmt: skip

LEFT: dict[str, str] = {
    "SOURCES.md": "says where the examples are from",
    "catalog.document.add.request.json": "stock is not written",
    "catalog.document.add.response.json": "stock is not written",
    "catalog.document.conduct.response.json": "stock is not written",
    "catalog.document.element.add.response.json": "stock is not written",
    "catalog.price.modify.request.json": "prices are not written; this call deletes those left out",
    "crm.category.list.response.json": "pipelines are named by their ids in the settings",
    "crm.currency.list.response.json": "amounts say their currency and are not converted",
    "crm.item.batchImport.deals.request.json": "an import runs no robots; twenty a call, where a batch has fifty",
    "crm.item.get.lead.response.json": "leads are read by the older method, which lists phones",
    "crm.item.list.leads.response.json": "leads are read by the older method, which lists phones",
    "crm.item.list.leads_or_logic.request.json": "leads are read by the older method, which lists phones",
    "crm.stagehistory.list.response.json": "the hub keeps its own history of statuses",
    "sale.order.update.request.json": "orders of the online store are not written",
    "sale.payment.list.response.json": "an order comes with its payments",
    "sale.status.list.response.json": "what a status means stands in the settings",
}


def example(name: str) -> Any:
    text = (EXAMPLES / name).read_text("utf-8")
    return json.loads(text) if name.endswith(".json") else text.strip()


@pytest.fixture(autouse=True)
def alone() -> Any:
    with using(Runtime(sleep=lambda seconds: None)):
        yield


def test_every_example_has_its_place() -> None:
    placed = [*READ, *PARTS, *SENT, *REFUSALS, *INSIDE, *EVENTS, *LEFT]
    assert sorted(placed) == sorted(path.name for path in EXAMPLES.iterdir())


@pytest.mark.parametrize("name", READ)
def test_a_reply_is_read_by_one_resource_and_maps_whole(name: str) -> None:
    assert read_and_mapped(CONNECTOR, CONFIG, example(name)) == READ[name]


@pytest.mark.parametrize("name", READ)
def test_no_field_of_a_reply_is_overlooked(name: str) -> None:
    """But for those that the merchant made: UF_…, PARENT_ID_… and properties are his to map."""
    resource = CONNECTOR.resource(READ[name][0])
    covered = frozenset().union(*(one.covered for one in resource.maps.values()))
    left = {field for record in resource.reads(example(name)) or [] for field in unmapped(record, covered)}
    assert {field for field in left if not field.startswith(("UF_CRM_", "PARENT_ID_", "property"))} == set()


@pytest.mark.parametrize("name", sorted(one for one in [*PARTS, *SENT, *REFUSALS, *INSIDE, *EVENTS, *LEFT]
                                        if one.endswith(".json")))  # fmt: skip
def test_other_files_are_not_taken_for_records(name: str) -> None:
    assert [resource.name for resource in CONNECTOR.resources if resource.reads(example(name)) is not None] == []


def test_the_saved_contact_is_read_to_the_last_phone() -> None:
    [contact] = CONNECTOR.resource("contacts").reads(example("crm.contact.get.response.json")) or []
    [person] = CONNECTOR.resource("contacts").map(contact, CONFIG).records
    assert (person.first_name, person.middle_name, person.last_name) == ("John", "Doe", "Smith")
    assert person.birth_date.isoformat() == "2001-11-11", "the day as written; in UTC it would be the same night's eve"
    assert person.phones == ("+77007674859", "+77001105979")
    assert person.emails == ("johnsmith@example.mailing", "johnsmith@example.work")


def test_the_saved_deals_are_placed_in_the_second_pipeline() -> None:
    deals = CONNECTOR.resource("deals").reads(example("crm.deal.list.response.json")) or []
    orders = [order for deal in deals for order in CONNECTOR.resource("deals").map(deal, CONFIG).records]
    assert {order.status for order in orders} == {"placed"}
    assert str(orders[0].total) == "19999.99"


def test_the_saved_order_of_the_online_store_has_its_delivery_buyer_and_tax() -> None:
    [saved] = CONNECTOR.resource("shop_orders").reads(example("sale.order.get.response.json")) or []
    [order] = CONNECTOR.resource("shop_orders").map(saved, CONFIG).records
    assert (order.external_id, order.number, order.status, order.customer) == ("O_236", "392", "placed", "6")
    assert (order.total, order.delivery_cost, order.lines[0].total, order.lines[0].vat_rate) == (1480, 500, 980, 20)
    assert (order.contact_name, order.contact_phone) == ("John Smith", "+77006967334")
    assert order.payment == {"state": "unpaid", "method": "Card Payment"}


def test_every_stage_that_bitrix_makes_has_a_meaning() -> None:
    stages = rows_of(example("crm.status.list.deal_stages.response.json")["result"])
    assert {stage["STATUS_ID"] for stage in stages} <= set(CONFIG.stages)
    ends = {"S": "completed", "F": "cancelled"}
    named = [(stage["STATUS_ID"], ends[stage["SEMANTICS"]]) for stage in stages if stage["SEMANTICS"]]
    assert [(stage, CONFIG.stages[stage]) for stage, _ in named] == named


# ── what stands beside a record ───────────────────────────────────────────────────────────────────────────────────────


@responses.activate
def test_rows_come_to_a_deal_in_one_batch() -> None:
    rows = example("crm.item.productrow.set.response.json")["result"]
    answer = {"result": {"d13143": rows}, "result_error": [], "result_total": [], "result_next": [], "result_time": []}
    asked = responses.post(f"{ROOT}/batch", json={"result": answer, "time": {}})
    found = rows_of_deals(CONFIG, ["13143"])
    assert [str(line(row).total) for row in found["13143"]] == ["99999.99", "31800.00"]
    sent = json.loads(asked.calls[0].request.body)["cmd"]
    assert dict(nested(sent["d13143"]))["filter[=ownerId]"] == "13143"


@responses.activate
def test_a_batch_is_walked_command_by_command() -> None:
    responses.post(f"{ROOT}/batch", json=example("batch.response.json"))
    calls = {"get_user": Call("user.current", {}), "get_department": Call("department.get", {})}
    found = look_up(CONFIG, calls)
    assert found["get_user"]["ID"] == "1"
    assert rows_of(found["get_department"])[0]["NAME"] == "DEMO"


def test_catalogues_fields_and_doubles_are_understood() -> None:
    assert [one["skuPropertyId"] for one in rows_of(example("catalog.catalog.list.response.json")["result"])] == [97]
    assert {"NAME", "BIRTHDATE", "PHONE"} <= example("crm.contact.fields.response.json")["result"].keys()
    assert as_map(example("crm.duplicate.findbycomm.response.json")["result"])["CONTACT"] == [275, 2297]
    assert as_map(example("batch.response.json")["result"]["result_error"]) == {}


def test_a_queued_event_without_data_hints_at_nothing() -> None:
    [event] = example("event.offline.get.response.json")["result"]["events"]
    found = hint(event["EVENT_NAME"], as_map(event["EVENT_DATA"]))
    assert (found.kind, found.id) == ("LEAD", None)


def test_the_saved_token_answer_has_the_pair_that_is_kept() -> None:
    assert {"access_token", "refresh_token"} <= example("oauth.token_refresh.response.json").keys()


# ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def nested(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text.partition("?")[2], keep_blank_values=True)


def test_a_reference_stays_as_it_is_in_a_command() -> None:
    wanted = example("batch.linked_commands.request.json")["cmd"]["get_department"]
    assert command("department.get", {"ID": "$result[get_user][UF_DEPARTMENT][0]"}) == wanted


@responses.activate
def test_a_new_contact_is_sent_as_in_the_documentation() -> None:
    """The fields of a person; how he was won, whom he belongs to and whose staff he is, is the managers' affair."""
    wanted = example("crm.contact.add.request.json")["FIELDS"]
    nothing = {"result": {"result": {"q0": [], "q1": [], "q2": []}, "result_error": []}}
    for _ in ("by our mark", "by phone and e-mail"):
        responses.post(f"{ROOT}/batch", json=nothing)
    made = {"p-1": example("crm.contact.add.response.json")["result"]}
    posted = responses.post(f"{ROOT}/batch", json={"result": {"result": made, "result_error": [], "result_time": []}})
    value = {
        "first_name": "John", "middle_name": "Doe", "last_name": "Smith", "birth_date": "2001-11-11",
        "phones": ["+1333333555"], "emails": ["john.smith@example.mailing"],
    }  # fmt: skip
    [accepted] = push_customers(CONFIG, [Change("customer.push", "p-1", "", value)])
    assert isinstance(accepted, Accepted)
    assert accepted.receipt == "46"
    sent = dict(nested(json.loads(posted.calls[0].request.body)["cmd"]["p-1"]))
    same = ("NAME", "SECOND_NAME", "LAST_NAME", "BIRTHDATE")
    assert {name: sent[f"fields[{name}]"] for name in same} == {name: wanted[name] for name in same}
    for name in ("PHONE", "EMAIL"):
        assert sent[f"fields[{name}][0][VALUE]"] == wanted[name][0]["VALUE"]
        assert {f"fields[{name}][0][{part}]" for part in wanted[name][0]} <= sent.keys()


HAVE = [{"ID": number, "VALUE": value, "VALUE_TYPE": "MOBILE"} for number, value in ((222, "+77000000001"),
        (223, "+77000000002"), (224, "+77000000003"))]  # fmt: skip


def test_multi_fields_are_edited_added_and_deleted_as_in_the_documentation() -> None:
    edit = delta("PHONE", ["444444"], ["+77000000002"], HAVE[1:2], convert.phone)
    assert edit == example("crm.contact.update.multifield_edit.request.json")["fields"]["PHONE"]
    append = delta("PHONE", ["55555"], [], [], convert.phone)
    [wanted] = example("crm.contact.update.multifield_append.request.json")["fields"]["PHONE"]
    assert append == [{**wanted, "VALUE_TYPE": "MOBILE"}]
    deleted = delta("PHONE", [], ["+77000000001"], HAVE, convert.phone)
    assert deleted == example("crm.contact.update.multifield_delete.request.json")["fields"]["PHONE"][:1]


def test_nothing_is_appended_twice() -> None:
    """The documented append, repeated, would double the value: the difference is taken first."""
    facts = {"phones": ["+77000000001"]}
    assert mended(CONFIG, {"PHONE": HAVE}, facts) == {}


def test_a_search_by_contact_is_written_as_documented() -> None:
    """One value a command: the answer does not say which one it found."""
    wanted = example("crm.duplicate.findbycomm.request.json")
    assert by_value("PHONE", wanted["values"][0]).params == {**wanted, "values": wanted["values"][:1]}


def test_rows_are_set_as_documented() -> None:
    wanted = example("crm.item.productrow.set.request.json")
    call = set_rows(wanted["ownerId"], wanted["productRows"])
    assert (call.method, call.params) == ("crm.item.productrow.set", wanted)


def test_a_deal_is_moved_by_the_documented_call() -> None:
    wanted = example("crm.item.update.deal.request.json")
    fields = {"stageId": wanted["fields"]["stageId"]}
    sent = nested(command("crm.item.update", {"entityTypeId": 2, "id": 351, "fields": fields}))
    assert set(sent) <= set(brackets(wanted))
    assert example("crm.item.update.deal.response.json")["result"]["item"]["id"] == 351


@responses.activate
@pytest.mark.parametrize(
    ("name", "resource"), [("crm.contact.list.request.json", "crm.contact.list"),
                           ("catalog.product.list.request.json", "catalog.product.list")],
)  # fmt: skip
def test_a_documented_question_arrives_as_it_is_written(name: str, resource: str) -> None:
    """Conditions with their signs, lists and directions; nothing of it stands in the address."""
    asked = responses.post(f"{ROOT}/{resource}", json={"result": [], "time": {}})
    ask(CONFIG, resource, example(name))
    request = asked.calls[0].request
    assert (request.url, request.headers["Content-Type"]) == (f"{ROOT}/{resource}", "application/json")
    assert [*brackets(json.loads(request.body))] == [*brackets(example(name))]


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


@responses.activate
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_concerns_whom_it_concerns(name: str) -> None:
    status, kind = REFUSALS[name]
    responses.post(f"{ROOT}/some.method", json=example(name), status=status)
    with pytest.raises(kind) as refused:
        ask(CONFIG, "some.method")
    assert str(example(name)["error_description"]) in str(refused.value)


@responses.activate
def test_an_error_inside_a_batch_is_of_its_command() -> None:
    responses.post(f"{ROOT}/batch", json=example("batch.response_with_errors_halt0.json"))
    with pytest.raises(ConfigError, match="lacks a scope"):
        look_up(CONFIG, {"get_user": Call("user.current", {})})


def test_one_item_of_an_import_may_be_refused_and_the_other_made() -> None:
    """Imports are not used; their errors are those of a batch."""
    from connectors.bitrix24.api import Answer
    from connectors.bitrix24.refusals import meaning

    refused = example("crm.item.batchImport.response_partial_failure.json")["result"]["items"][1]
    change = Change("customer.push", "p-1", "", {})
    made = outcome(change, Answer(error=meaning(CONFIG, None, refused, ())), "")
    assert isinstance(made, Rejected)
    assert made.code == "CRM_FIELD_ERROR_REQUIRED"


@responses.activate
def test_a_page_of_html_is_no_reply() -> None:
    responses.post(f"{ROOT}/some.method", body="<html>Login</html>")
    with pytest.raises(ContractError):
        ask(CONFIG, "some.method")


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(one for one in EVENTS if one.endswith(".form")))
def test_an_event_with_the_portals_token_is_a_hint(name: str) -> None:
    said = example(name.replace(".form", ".json"))
    given = {**CONFIG.model_dump(), "application_token": said["auth"]["application_token"]}
    config = Bitrix24Config.model_validate(given).named("crm")
    found = pushed(config, example(name))
    fields = as_map(said["data"]).get("FIELDS", {})
    assert (found.event, found.id) == (said["event"].upper(), str(fields["ID"]) if fields else None)
    wanted = {"ONCRMCONTACTUPDATE": "CONTACT", "ONCRMDEALADD": "DEAL"}
    assert found.kind == wanted.get(said["event"])


@pytest.mark.parametrize("name", sorted(one for one in EVENTS if one.endswith(".form")))
def test_an_event_of_somebody_else_is_not_believed(name: str) -> None:
    given = {**CONFIG.model_dump(), "application_token": "another"}
    for config in (CONFIG, Bitrix24Config.model_validate(given).named("crm")):
        with pytest.raises(RejectedError, match="application token") as refused:
            pushed(config, example(name))
        assert "51856fefc120afa4b628cc82d3935cce" not in str(refused.value)


def test_a_form_and_its_json_say_the_same() -> None:
    name = "event.app.ONCRMCONTACTUPDATE"
    assert sorted(parse_qsl(example(f"{name}.form"))) == sorted(
        parse_qsl(urlencode(list(brackets(example(f"{name}.json")))))
    )
