"""The portal on loopback answers by the contract's word, and where that is silent refuses as a vendor does."""

from typing import Any

import pytest
import requests

from connectors.bitrix24.notation import command, plain
from connectors.bitrix24.sandbox import Sandboxed
from tests.connectors.bitrix24.conftest import Settings


@pytest.fixture
def asks(empty: Sandboxed, settings: Settings) -> Any:
    root = str(settings(empty).base_url).rstrip("/")
    for name in ("Әлия", "Айгүл", "Марат"):
        empty.add("CONTACT", {"NAME": name})

    def ask(method: str, door: str = "rest/1/q4w7sandboxcode0", **sent: Any) -> requests.Response:
        return requests.post(f"{root}/{door}/{method}", timeout=10, **sent)

    return ask


def names(answer: requests.Response) -> list[str]:
    return [row["NAME"] for row in answer.json()["result"]]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"%NAME": "а"}, ["Айгүл", "Марат"]), ({"!%NAME": "а"}, ["Әлия"]), ({"=%NAME": "М%т"}, ["Марат"]),
        ({"%=NAME": "%л%"}, ["Әлия", "Айгүл"]), ({"=%NAME": "М"}, []),
        ({"NICKNAME": "Мака"}, ["Әлия", "Айгүл", "Марат"]), ({"%UF_CRM_CITY": "Алматы"}, []),
    ],
)  # fmt: skip
def test_a_filter_looks_for_parts_and_ignores_fields_that_there_are_not(asks, condition, found):
    assert names(asks("crm.contact.list", json={"filter": condition})) == found


def test_a_batch_tells_totals_and_where_lists_go_on(asks, empty):
    for number in range(60):
        empty.add("LEAD", {"NAME": f"Лид {number}"})
    commands = {"all": "crm.lead.list", "quick": "crm.lead.list?start=-1", "card": "crm.contact.fields"}
    said = asks("batch", json={"cmd": commands}).json()["result"]
    assert (said["result_total"], said["result_next"]) == ({"all": 60, "quick": 0}, {"all": 50})
    assert asks("batch", json={"cmd": {"card": "crm.contact.fields"}}).json()["result"]["result_next"] == []


def test_a_webhook_reads_no_queue_of_events(asks):
    answer = asks("event.offline.get")
    assert (answer.status_code, answer.json()["error"]) == (403, "WRONG_AUTH_TYPE")
    inside = asks("batch", json={"cmd": ["event.offline.get"]}).json()["result"]["result_error"]
    assert inside["0"]["error"] == "WRONG_AUTH_TYPE"


def test_an_access_token_is_good_for_an_hour(asks, empty, clock):
    token = empty.door.refreshed({
        "client_id": "local.app", "client_secret": "sandbox-app-secret", "grant_type": "refresh_token",
        "refresh_token": "first-refresh-token",
    })[1]["access_token"]  # fmt: skip
    assert asks("event.offline.get", "rest", json={"auth": token}).status_code == 200
    clock.passes(hours=1)
    answer = asks("event.offline.get", "rest", json={"auth": token})
    assert (answer.status_code, answer.json()["error"]) == (401, "expired_token")


def test_a_form_is_taken_as_well_as_json(asks):
    assert names(asks("crm.contact.list", data={"filter[=NAME]": "Марат", "select[0]": "NAME"})) == ["Марат"]


@pytest.mark.parametrize(
    "where",
    [
        {"ID": 2}, {">ID": 1}, {"@ID": [1, 3]}, {"@ID": []}, {"=SECOND_NAME": None}, {"!NAME": None}, {">ID": None},
        {"@NAME": ["Марат", "Әлия"]}, {"NAME": []}, {">=DATE_MODIFY": None}, {"!@ID": []}, {"%NAME": None},
    ],
)  # fmt: skip
def test_a_condition_means_the_same_in_json_and_in_brackets(asks, where):
    asked = {"filter": where, "order": {"ID": "ASC"}, "select": [], "start": -1}
    inside = asks("batch", json={"cmd": {"one": command("crm.contact.list", asked)}}).json()["result"]["result"]["one"]
    assert asks("crm.contact.list", json=plain(asked)).json()["result"] == inside
    assert asks("crm.contact.list", json=asked).json()["result"] == inside


@pytest.mark.parametrize(
    ("method", "sent", "changes"),
    [
        ("crm.contact.list", {}, False), ("CRM.CONTACT.ADD.json", {"fields": {"NAME": "Дана"}}, True),
        ("batch", {"cmd": ["crm.contact.fields", "crm.duplicate.findbycomm?type=PHONE"]}, False),
        ("batch", {"CMD": {"look": "crm.contact.get?ID=1", "make": "crm.lead.add?fields[NAME]=x"}}, True),
    ],
)  # fmt: skip
def test_a_post_that_changes_nothing_is_a_read(asks, empty, method, sent, changes):
    empty.sandbox.faults.set("500", match="write")
    assert asks(method, json=sent).status_code == (500 if changes else 200)
    assert empty.sandbox.reads(empty.sandbox.journal[-1]) is not changes


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"start": "abc"}}, {"json": {"filter": "abc"}}, {"json": {"order": "abc"}}, {"json": ["abc"]},
        {"data": b"{", "headers": {"Content-Type": "application/json"}}, {"data": "filter=1&filter[ID]=2",
         "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)  # fmt: skip
def test_what_nobody_can_read_is_refused_and_breaks_nothing(asks, sent):
    assert asks("crm.contact.list", **sent).status_code == 400


def test_a_command_that_nobody_can_read_costs_no_other_of_the_batch(asks):
    commands = {"odd": "crm.contact.list?filter=1&filter[a]=2", "plain": "crm.contact.list?select[]=NAME"}
    said = asks("batch", json={"cmd": commands}).json()["result"]
    assert (said["result_error"]["odd"]["error"], len(said["result"]["plain"])) == ("INVALID_REQUEST", 3)


def test_names_of_parameters_may_be_in_capitals_as_in_the_vendors_examples(asks):
    assert names(asks("crm.contact.list", json={"FILTER": {"NAME": "Марат"}, "SELECT": ["NAME"]})) == ["Марат"]
    inside = asks("batch", json={"CMD": {"one": "crm.contact.list?FILTER[NAME]=Марат&SELECT[]=NAME"}}).json()["result"]
    assert [row["NAME"] for row in inside["result"]["one"]] == ["Марат"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"PHONE": "8 (700) 000-00-07"}, ["Жанна"]), ({"PHONE": "+77000000007"}, []),
        ({"EMAIL": "b@example.kz"}, ["Жанна"]),
        ({"UF_CRM_SEGMENTS": "vip"}, ["Жанна"]), ({"@UF_CRM_SEGMENTS": ["new", "care"]}, ["Жанна"]),
        ({"!UF_CRM_SEGMENTS": "vip"}, ["Әлия", "Айгүл", "Марат"]),
    ],
)  # fmt: skip
def test_a_field_of_several_values_is_found_by_each_of_them_as_typed(asks, empty, condition, found):
    multi = {"PHONE": [{"VALUE": "8 (700) 000-00-07"}], "EMAIL": [{"VALUE": "a@example.kz"}, {"VALUE": "b@example.kz"}]}
    empty.add("CONTACT", {"NAME": "Жанна", **multi, "UF_CRM_SEGMENTS": ["vip", "care"]})
    assert names(asks("crm.contact.list", json={"filter": condition})) == found


def test_twenty_hits_of_one_type_suppress_the_others(asks, empty):
    bears = {"PHONE": [{"VALUE": "8 (700) 000-00-07"}]}
    company = empty.add("COMPANY", {"TITLE": "ТОО", **bears})
    crowd = [empty.add("CONTACT", bears) for _ in range(19)]
    wanted = {"type": "PHONE", "values": ["+77000000007"]}
    assert asks("crm.duplicate.findbycomm", json=wanted).json()["result"] == {"CONTACT": crowd, "COMPANY": [company]}
    crowd.append(empty.add("CONTACT", bears))
    assert asks("crm.duplicate.findbycomm", json=wanted).json()["result"] == {"CONTACT": crowd}
