"""The portal answers by methods that the hub does not call, too: whoever looks into it sees what was written."""

import json
from typing import Any

import pytest
import requests

from connectors.bitrix24.sandbox import Sandboxed
from tests.connectors.bitrix24.conftest import Settings
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "bitrix24"
KINDS = {"contact": 3, "company": 4, "lead": 1, "deal": 2}


@pytest.fixture
def asks(empty: Sandboxed, settings: Settings) -> Any:
    """Calls a method; gives its status and its body."""
    root = f"{str(settings(empty).base_url).rstrip('/')}/rest/1/q4w7sandboxcode0"

    def ask(method: str, **params: Any) -> tuple[int, Any]:
        answer = requests.post(f"{root}/{method}", json=params, timeout=10)
        return answer.status_code, answer.json()

    return ask


@pytest.fixture
def result(asks) -> Any:
    def of(method: str, **params: Any) -> Any:
        status, body = asks(method, **params)
        assert status == 200, body
        return body["result"]

    return of


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_of_each_kind_is_made_read_changed_and_deleted(asks, result, kind):
    key = result(f"crm.{kind}.add", fields={"COMMENTS": "a", "NO_SUCH_FIELD": "x", "ASSIGNED_BY_ID": 7})
    card = result(f"crm.{kind}.get", id=key)
    assert (card["ID"], card["COMMENTS"], card["ASSIGNED_BY_ID"]) == (str(key), "a", "7")
    assert "NO_SUCH_FIELD" not in card
    assert result(f"crm.{kind}.update", id=key, fields={"COMMENTS": "b"}) is True
    assert [row["COMMENTS"] for row in result(f"crm.{kind}.list")] == ["b"]
    assert result("crm.item.get", entityTypeId=KINDS[kind], id=key)["item"]["comments"] == "b"
    assert {"COMMENTS", "ID", "DATE_MODIFY"} <= result(f"crm.{kind}.fields").keys() | {"DATE_MODIFY"}
    assert result(f"crm.{kind}.delete", id=key) is True
    gone = {"error": "", "error_description": f"{kind.capitalize()} is not found"}
    assert asks(f"crm.{kind}.update", id=key, fields={}) == (400, gone)
    assert asks(f"crm.{kind}.get", id=key) == (400, {**gone, "error_description": "Not found"})
    status, body = asks("crm.item.get", entityTypeId=KINDS[kind], id=key)
    assert (status, body["error"]) == (400, "NOT_FOUND")


@needs(EXAMPLES)
def test_the_contact_of_the_documentation_is_kept_whole(result):
    sent = json.loads((EXAMPLES / "crm.contact.add.request.json").read_text("utf-8"))
    card = result("crm.contact.get", id=result("crm.contact.add", **sent))
    same = ("HONORIFIC", "NAME", "SECOND_NAME", "LAST_NAME", "TYPE_ID", "SOURCE_ID", "POST", "EXPORT", "UTM_SOURCE")
    assert {name: card[name] for name in same} == {name: sent["FIELDS"][name] for name in same}
    assert card["BIRTHDATE"] == "2001-11-11T05:00:00+05:00", "a day comes back as a moment of the portal's zone"
    assert [one["VALUE"] for one in card["PHONE"]] == [one["VALUE"] for one in sent["FIELDS"]["PHONE"]]
    assert (card["HAS_PHONE"], card["HAS_IMOL"]) == ("Y", "N")


@needs(EXAMPLES)
def test_multi_fields_are_edited_deleted_and_appended_as_in_the_documentation(result, empty):
    for _ in range(221):
        empty.next("FM")
    empty.add("CONTACT", {"PHONE": [{"VALUE": one} for one in ("1", "2", "3")]})
    for name, phones in (
        ("edit", ["1", "444444", "3"]), ("append", ["1", "444444", "3", "55555"]),
        ("append", ["1", "444444", "3", "55555", "55555"]), ("delete", ["55555", "55555"]),
    ):  # fmt: skip
        sent = json.loads((EXAMPLES / f"crm.contact.update.multifield_{name}.request.json").read_text("utf-8"))
        result("crm.contact.update", id=1, **sent)
        assert [one["VALUE"] for one in result("crm.contact.get", id=1)["PHONE"]] == phones


def test_only_an_import_says_when_a_contact_was_made(result):
    made = {"DATE_CREATE": "2020-01-01T10:00:00+05:00"}
    late, early = (
        result("crm.contact.add", fields=made, params=params) for params in ({}, {"IMPORT": "Y"})
    )  # fmt: skip
    assert result("crm.contact.get", id=early)["DATE_CREATE"] == made["DATE_CREATE"]
    assert result("crm.contact.get", id=late)["DATE_CREATE"] > "2026"


def test_items_are_typed_and_named_otherwise(result):
    key = result(
        "crm.deal.add", fields={"TITLE": "A-1", "OPPORTUNITY": "999.9", "CATEGORY_ID": 1, "STAGE_ID": "C1:WON"}
    )
    item = result("crm.item.get", entityTypeId=2, id=key)["item"]
    assert (item["id"], item["opportunity"], item["categoryId"], item["contactId"]) == (key, 999.9, 1, 0)
    assert (item["stageId"], item["stageSemanticId"], item["entityTypeId"]) == ("C1:WON", "S", 2)
    assert {"createdTime", "updatedTime", "originatorId"} <= item.keys()
    [row] = result("crm.item.list", entityTypeId=2, select=["title"], filter={">id": 0, ">=opportunity": 900})["items"]
    assert row == {"id": key, "title": "A-1"}


def test_phones_of_an_item_stand_in_fm_and_are_written_by_their_ids(result):
    fm = {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": "+77000000007"},
          "n1": {"typeId": "EMAIL", "valueType": "HOME", "value": "a@example.kz"}}  # fmt: skip
    item = result("crm.item.add", entityTypeId=3, fields={"name": "Әлия", "fm": fm, "ufCrmCity": "Астана"})["item"]
    phone, email = item["fm"]
    assert (phone["value"], phone["typeId"], email["valueType"]) == ("+77000000007", "PHONE", "HOME")
    mended = {
        str(phone["id"]): {"typeId": "PHONE", "value": "+77000000008"},
        str(email["id"]): {"typeId": "EMAIL", "value": ""},
    }
    result("crm.item.update", entityTypeId=3, id=item["id"], fields={"fm": mended})
    assert [one["value"] for one in result("crm.item.get", entityTypeId=3, id=item["id"])["item"]["fm"]] == [
        "+77000000008"
    ]
    [whole] = result("crm.item.list", entityTypeId=3, select=["*"], useOriginalUfNames="Y")["items"]
    [bare] = result("crm.item.list", entityTypeId=3, select=["name"])["items"]
    assert (whole["UF_CRM_CITY"], "fm" in whole, "fm" in bare) == ("Астана", True, False)


@needs(EXAMPLES)
def test_a_filter_of_items_knows_or_and_names_what_it_does_not_know(asks, result, empty):
    sent = json.loads((EXAMPLES / "crm.item.list.leads_or_logic.request.json").read_text("utf-8"))
    for names, sum_ in (({"NAME": "Admin"}, 19000), ({"LAST_NAME": "Weber"}, 19600), ({}, 12000), ({"NAME": "X"}, 1)):
        facts = {"SOURCE_ID": "WEB", "OPPORTUNITY": f"{sum_}.00", "IS_MANUAL_OPPORTUNITY": "Y"}
        empty.add("LEAD", {**names, **facts})
    assert [one["opportunity"] for one in result("crm.item.list", **sent)["items"]] == [19000, 19600]
    refused = json.loads((EXAMPLES / "crm.item.list.error_invalid_filter.json").read_text("utf-8"))
    assert asks("crm.item.list", entityTypeId=1, filter={"FIELD": 1}) == (400, refused)
    assert asks("crm.item.list", entityTypeId=5)[1]["error"] == "ENTITY_TYPE_NOT_SUPPORTED"
    assert asks("crm.item.list")[1]["error"] == "100"


def test_an_import_of_items_takes_twenty_and_answers_for_each(asks, result, empty):
    empty.required = ("NAME",)
    said = result("crm.item.batchImport", entityTypeId=3, data=[{"name": "Әлия"}, {"lastName": "Бейсенова"}])["items"]
    assert (said[0]["item"]["id"], said[1]["error"]) == (1, "CRM_FIELD_ERROR_REQUIRED")
    assert asks("crm.item.add", entityTypeId=3, fields={})[1]["error"] == "CRM_FIELD_ERROR_REQUIRED"
    many = asks("crm.item.batchImport", entityTypeId=3, data=[{"name": "x"}] * 21)
    assert (many[0], many[1]["error"]) == (400, "MAX_IMPORT_BATCH_SIZE_EXCEEDED")


def test_of_merged_cards_the_first_survives(result, empty):
    for name in ("Әлия", "Алия", "Aliya"):
        empty.add("CONTACT", {"NAME": name})
    assert result("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [2, 1]})["STATUS"] == "SUCCESS"
    assert [row["NAME"] for row in result("crm.contact.list")] == ["Алия", "Aliya"]
    assert result("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [2, 1]})["STATUS"] == "ERROR"


def test_prices_that_modify_is_not_told_are_gone(asks, result):
    for kind, price in ((1, 100), (2, 80)):
        made = {"productId": 8, "catalogGroupId": kind, "price": price, "currency": "KZT"}
        result("catalog.price.add", fields=made)
    retail = result("catalog.price.list")["prices"][0]
    retail = result("catalog.price.update", id=retail["id"], fields={"price": 110})["price"]
    assert [one["price"] for one in result("catalog.price.list", filter={"productId": 8})["prices"]] == [110, 80]
    told = [{**retail, "price": 120}]
    result("catalog.price.modify", fields={"product": {"id": 8, "prices": told}})
    assert [(one["id"], one["price"]) for one in result("catalog.price.list")["prices"]] == [(retail["id"], 120)]
    refused = asks("catalog.price.modify", fields={"product": {"id": 8, "prices": [{"catalogGroupId": 1}]}})
    assert refused == (400, {"error": 0, "error_description": "Required fields: price, currency"})


def test_an_order_of_the_online_store_is_moved_and_its_time_with_it(asks, result, empty, clock):
    empty.catalogue["orders"].append(
        {"id": 9, "statusId": "N", "canceled": "N", "dateUpdate": "2020-01-01T00:00:00+05:00"}
    )
    order = result("sale.order.update", id=9, fields={"statusId": "F", "version": 7})["order"]
    assert (order["statusId"], order["dateUpdate"], "version" in order) == ("F", empty.stamp(), False)
    assert result("sale.order.list", filter={">=dateUpdate": "2021-01-01"})["orders"][0]["id"] == 9
    refused = {"error": 200540400001, "error_description": "order does not exist"}
    assert asks("sale.order.update", id=10, fields={"canceled": "Y"}) == (400, refused)


def test_a_portal_tells_of_its_stages_pipelines_and_kinds(result):
    stages = result("crm.status.list", filter={"ENTITY_ID": "DEAL_STAGE_1"})
    assert {"C1:WON": "S", "C1:LOSE": "F"}.items() <= {one["STATUS_ID"]: one["SEMANTICS"] for one in stages}.items()
    assert [one["id"] for one in result("crm.category.list", entityTypeId=2)["categories"]] == [0, 1]
    assert [one["base"] for one in result("catalog.priceType.list")["priceTypes"]] == ["Y", "N"]
    statuses = result("sale.status.list", filter={"type": "D"})["statuses"]
    assert [one["id"] for one in statuses] == ["DN", "DD", "DF"]
    assert (result("crm.settings.mode.get"), result("catalog.document.mode.status")) == (1, "Y")
    assert result("server.time").endswith("+05:00")


def test_events_that_a_process_took_are_kept_for_it_until_it_confirms_them(empty, settings):
    token = empty.door.refreshed({
        "client_id": "local.app", "client_secret": "sandbox-app-secret", "grant_type": "refresh_token",
        "refresh_token": "first-refresh-token",
    })[1]["access_token"]  # fmt: skip
    root = f"{str(settings(empty).base_url).rstrip('/')}/rest"

    def ask(method: str, **params: Any) -> Any:
        return requests.post(f"{root}/{method}", json={"auth": token, **params}, timeout=10).json()

    for number in range(60):
        empty.add("LEAD", {"NAME": f"Лид {number}"})
    taken = ask("event.offline.get", clear=0, limit=500)["result"]
    assert len(taken["events"]) == 50, "fifty at most"
    assert len(ask("event.offline.get")["result"]["events"]) == 10, "nobody else is given what is reserved"
    assert ask("event.offline.clear", process_id=taken["process_id"])["result"] is True
    assert ask("event.offline.clear", process_id="another")["error"] == "PROCESS_ID_NOT_FOUND"
