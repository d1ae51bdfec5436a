"""Whatever happened to an answer is found out, and a change has one effect."""

from typing import Any

import pytest

from connectors.bitrix24 import CONNECTOR
from connectors.sdk import Accepted, Deferred, Rejected, Shown, Unknown
from tests.connectors.bitrix24.conftest import push, shown
from tests.connectors.bitrix24.writing.changes import person


@pytest.mark.parametrize("fault", ["lost_reply", "cut"])
def test_a_lost_answer_is_read_back_and_the_repeat_makes_no_second_contact(empty, settings, fault):
    config = settings(empty)
    empty.sandbox.faults.set(fault, match="write", times=1)
    [lost] = push(config, person())
    assert isinstance(lost, Unknown)
    assert shown(config, person()) == {"p-1": person().value}
    push(config, person())
    assert len(empty.crm["CONTACT"]) == 1


def test_a_failure_before_anything_happened_is_unknown_until_read_back(empty, settings):
    config = settings(empty)
    empty.sandbox.faults.set("500", match="write", times=1)
    assert isinstance(push(config, person())[0], Unknown)
    assert shown(config, person()) == {}


def test_one_refused_command_does_not_harm_the_others(empty, settings):
    empty.required = ("LAST_NAME",)
    first, second, third = push(
        settings(empty), person("p-1"), person("p-2", last_name=None, phones=["+77000000002"], emails=[]),
        person("p-3", phones=["+77000000003"], emails=[]),
    )  # fmt: skip
    assert isinstance(first, Accepted)
    assert isinstance(second, Rejected)
    assert "required" in second.message
    assert isinstance(third, Accepted)
    assert len(empty.crm["CONTACT"]) == 2


def test_a_method_out_of_time_inside_a_batch_waits_and_nothing_is_lost(empty, settings, clock):
    empty.sandbox.limits = "contract"
    empty.door.worked["crm.contact.add"] = {int(clock().timestamp() // 60): 480.0}
    [waiting] = push(settings(empty), person())
    assert isinstance(waiting, Deferred)
    assert 500 < waiting.retry_after <= 600
    assert empty.crm["CONTACT"] == {}


def test_a_full_bucket_defers_a_write(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.sandbox.limits = "contract"
    empty.door.level, empty.door.at = 49.0, empty.door.now()
    [waiting] = push(config, person(last_name="Ахметова"))
    assert isinstance(waiting, Deferred)
    assert 1 <= waiting.retry_after <= 2
    assert empty.crm["CONTACT"][1]["LAST_NAME"] == "Бейсенова"


def test_a_batch_that_ends_early_leaves_the_rest_unknown(empty, settings, monkeypatch):
    from connectors.bitrix24.simulator import door

    whole = door._batch

    def half(portal: Any, keeper: Any, methods: Any, params: Any) -> Any:
        said = whole(portal, keeper, methods, params)
        if any("contact.add" in command for command in params["cmd"].values()):
            said["result"].popitem()
        return said

    monkeypatch.setattr(door, "_batch", half)
    made = push(settings(empty), person("p-1"), person("p-2", phones=["+77000000002"], emails=[]))
    assert [type(one) for one in made] == [Accepted, Unknown]


def test_an_expired_token_is_refreshed_and_the_write_has_one_effect(empty, settings, tmp_path):
    config = settings(
        empty, webhook=None, client_id="local.app", client_secret="sandbox-app-secret",
        refresh_token="first-refresh-token", token_file=str(tmp_path / "tokens.json"),
    )  # fmt: skip
    config = config.model_copy(update={"oauth_url": f"{str(config.base_url).rstrip('/')}/oauth/token/"}).named("crm")
    push(config, person())
    empty.door.access_token = "another"
    [made] = push(config, person(last_name="Ахметова"))
    assert isinstance(made, Accepted)
    assert empty.door.refreshes == 2
    assert len(empty.crm["CONTACT"]) == 1


def test_whose_card_was_made_before_its_answer_got_lost_is_told_by_it(empty, settings):
    config = settings(empty)
    push(config, person())
    assert CONNECTOR.sink("customer.push").read_back(config, [person()])["p-1"] == Shown(person().value, "1")
