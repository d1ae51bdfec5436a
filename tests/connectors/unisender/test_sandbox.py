"""The simulator keeps UniSender's contract (email-platforms, 1), also where the connector does not go."""

from typing import Any

import pytest
import requests

from connectors.unisender.sandbox import KEY, SYSTEM

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
    assert [one["index"] for one in result["log"]] == ["0"]
    assert NEW not in account.contacts


def test_what_was_deleted_is_counted(account, asks):
    rows = ["aigerim@example.kz", "1"], [NEW, "1"]
    result = asks("importContacts", **table(["email", "delete"], *rows))["result"]
    assert (result["deleted"], result["inserted"], result["updated"]) == (1, 0, 0)


def test_ten_tags_are_taken_and_an_eleventh_is_not(asks):
    told = {"list_ids": "8", "fields[email]": NEW}
    assert "result" in asks("subscribe", **told, tags=",".join(map(str, range(10))))
    assert asks("subscribe", **told, tags=",".join(map(str, range(11))))["code"] == "invalid_arg"


@pytest.mark.parametrize(("method", "told"), [("createList", {}), ("exclude", {}), ("importContacts", {"data": "x"})])
def test_a_missing_argument_is_a_refusal_inside_a_200(asks, method, told):
    assert asks(method, **told)["code"] == "invalid_arg"
