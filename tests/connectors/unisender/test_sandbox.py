"""The simulator keeps UniSender's contract (email-platforms, 1), also where the connector does not go."""

from typing import Any

import pytest
import requests

from connectors.unisender.sandbox import KEY
from connectors.unisender.sandbox_methods import SYSTEM

NEW = "olga@example.kz"


@pytest.fixture
def asks(settings):
    """Calls a method: `asks(name, argument=…)`, by POST unless `by` says otherwise."""
    url = str(settings().base_url).rstrip("/")

    def call(method: str, *, by: str = "POST", **arguments: Any) -> Any:
        told = {"format": "json", "api_key": KEY, **arguments}
        where = {"data": told} if by == "POST" else {"params": told}
        reply = requests.request(by, f"{url}/ru/api/{method}", timeout=5, **where)
        assert reply.status_code == 200
        return reply.json()

    return call


def table(columns: list[str], *rows: list[str]) -> dict[str, str]:
    names = {f"field_names[{place}]": name for place, name in enumerate(columns)}
    cells = {f"data[{line}][{place}]": cell for line, row in enumerate(rows) for place, cell in enumerate(row)}
    return {**names, **cells}


def test_a_method_may_come_as_a_get_with_its_key_in_the_address(account, asks):
    assert asks("getLists", by="GET") == asks("getLists")
    assert asks("createList", by="GET", title="Осень")["result"]["id"] == "10"
    assert [account.sandbox.reads(seen) for seen in account.sandbox.journal] == [True, True, False]


def test_every_column_of_the_contract_may_be_imported(asks):
    columns = sorted(SYSTEM - {"delete"})
    assert {"email_excluded_list_ids", "email_subscribe_times", "phone_list_ids"} <= set(columns)
    row = [NEW if name == "email" else "77000000001" if name == "phone" else "" for name in columns]
    assert asks("importContacts", **table(columns, row))["result"]["inserted"] == 1


def test_who_is_excluded_by_an_import_leaves_that_list(account, asks):
    columns = ["email", "email_list_ids", "email_excluded_list_ids"]
    asks("importContacts", **table(columns, ["aigerim@example.kz", "9", "8"]))
    assert account.contacts["aigerim@example.kz"].lists == {"9"}


def test_a_ragged_row_is_named_in_the_log_and_costs_no_other(account, asks):
    result = asks("importContacts", **table(["email", "Name"], ["olga@example.kz"], ["ivan@example.kz", "Иван"]))[
        "result"
    ]
    assert (result["total"], result["inserted"], result["invalid"]) == (2, 1, 1)
    assert [one["index"] for one in result["log"]] == [0]
    assert NEW not in account.contacts


def test_what_was_deleted_is_counted(account, asks):
    rows = ["aigerim@example.kz", "1"], [NEW, "1"]
    result = asks("importContacts", **table(["email", "delete"], *rows))["result"]
    assert (result["deleted"], result["inserted"], result["updated"]) == (1, 0, 0)


def test_ten_tags_are_taken_and_an_eleventh_is_not(asks):
    told = {"list_ids": "8", "fields[email]": NEW}
    assert "result" in asks("subscribe", **told, tags=",".join(map(str, range(10))))
    assert asks("subscribe", **told, tags=",".join(map(str, range(11))))["code"] == "invalid_arg"


@pytest.mark.parametrize(("method", "told"), [
        ("createList", {}), ("exclude", {}), ("importContacts", {"data": "x"}), ("async/exportContacts", {}),
        ("async/exportContacts", {"field_names": "email"}), ("getCampaignDeliveryStats", {"campaign_id": "x"}),
        ("getCampaigns", {"offset": "x"}), ("getLists", {"data": "1", "data[0][0]": "2"}), ("unsubscribe", {}),
        ("exclude", {"contact_type": "fax", "contact": "1"}), ("exclude", {"contact_type": "phone", "contact": "x"}),
        ("createField", {"name": "Name", "type": "string"}), ("createField", {"name": "Age", "type": "int"}),
        ("deleteList", {"list_id": "77"}), ("subscribe", {"list_ids": "8", "fields[email]": NEW, "fields[Odd]": "x"}),
    ],
)  # fmt: skip
def test_a_missing_or_odd_argument_is_a_refusal_inside_a_200(asks, method, told):
    assert asks(method, **told)["code"] == "invalid_arg"


def test_brackets_without_a_number_are_a_list(account, asks):
    asked = {"field_names[]": ["email", "Name"], "email": "Aigerim@example.kz"}
    [uuid] = [asks("async/exportContacts", **asked)["result"]["task_uuid"]]
    assert account.files[uuid].split() == ["email,Name", "aigerim@example.kz,Айгерім"]


def test_who_unsubscribes_is_of_that_status_and_an_import_does_not_bring_him_back(account, asks):
    address = {"contact_type": "email", "contact": "aigerim@example.kz"}
    assert asks("unsubscribe", **address, list_ids="8") == {"result": {}}
    said = account.contacts["aigerim@example.kz"]
    assert (said.status, said.lists, said.left) == ("active", set(), {"8"}), "one list is not all of them"
    asks("unsubscribe", **address)
    asks("importContacts", **table(["email", "email_status", "phone"], ["aigerim@example.kz", "active", "77000000001"]))
    assert asks("getContact", email="aigerim@example.kz")["result"]["email"]["status"] == "unsubscribed"
    asks("unsubscribe", contact_type="phone", contact="+7 700 000 00 01")
    assert said.phone_status == "unsubscribed"


def test_nobody_is_excluded_for_a_phone_that_is_none(account, asks):
    asks("exclude", contact_type="phone", contact="x")
    assert account.contacts["aigerim@example.kz"].lists == {"8"}


def test_fields_and_tags_come_with_a_subscription_and_are_shown(account, asks):
    assert asks("createField", name="Age", type="number")["result"]["id"]
    assert {"Age", "Name"} <= {one["name"] for one in asks("getFields")["result"]}
    told = {"fields[email]": NEW, "fields[Name]": "Ольга", "fields[Age]": "40"}
    assert asks("subscribe", list_ids="8,9", tags="a,b", **told)["result"]["person_id"]
    contact = asks("getContact", email=NEW, include_fields=1, include_lists=1, include_details=1)["result"]["email"]
    assert (contact["fields"], [one["id"] for one in contact["lists"]]) == ({"Name": "Ольга", "Age": "40"}, ["8", "9"])
    assert {"last_send_datetime", "last_read_datetime", "rating", "availability", "added_at"} <= contact.keys()
    assert account.contacts[NEW].tags == {"a", "b"}
    asks("importContacts", **table(["email", "tags"], [NEW, "c"]), overwrite_tags="1")
    assert account.contacts[NEW].tags == {"c"}


def test_a_campaign_is_counted_by_the_last_state_of_its_letters(account, asks, now):
    campaign = account.mailed("8", "Осень", now)
    account.turns(campaign, "aigerim@example.kz", "ok_link_visited")
    account.turns(campaign, "daniyar@example.kz", "err_user_unknown")
    stats = asks("getCampaignCommonStats", campaign_id=campaign)["result"]
    assert stats == {"total": 2, "sent": 2, "delivered": 1, "read_unique": 1, "read_all": 1, "clicked_unique": 1,
                     "clicked_all": 1, "unsubscribed": 0, "spam": 0}  # fmt: skip
    assert [row[0] for row in asks("getVisitedLinks", campaign_id=campaign)["result"]["data"]] == ["aigerim@example.kz"]


def test_a_list_is_renamed_and_deleted(account, asks):
    asks("updateList", list_id="8", title="Все")
    assert [one["title"] for one in asks("getLists")["result"]] == ["Все", "VIP"]
    asks("deleteList", list_id="8")
    assert account.contacts["aigerim@example.kz"].lists == set()
