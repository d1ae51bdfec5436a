"""Who was erased is deleted with the contact, and nobody else is."""

from typing import Any

import pytest

from connectors.sdk import Accepted, Change, Deferred
from tests.connectors.bitrix24.conftest import push, shown, writes
from tests.connectors.bitrix24.writing.changes import member, person


def forget(key: str = "p-1", bound: str = "1", capability: str = "customer.push") -> Change:
    subject, told = (key, {}) if capability == "customer.push" else (f"vip/{key}", {"audience": "vip", "member": False})
    return Change(capability, subject, bound, {**told, "forget": True}, key=f"k:forget:{subject}")


@pytest.mark.parametrize("capability", ["customer.push", "segment.push"])
def test_who_was_erased_is_deleted_by_the_receipt_and_the_others_are_still_written(empty, settings, capability):
    config = settings(empty)
    push(config, person(), person("p-2", phones=["+77000000002"], emails=[]))
    asked = forget(capability=capability)
    other = person("p-2", last_name="Ахметова") if capability == "customer.push" else member("p-2", bound="2")
    assert push(config, asked, other) == [Accepted(other, "2"), Accepted(asked)]
    assert list(empty.crm["CONTACT"]) == [2]
    assert len(writes(empty)) == 2, "a deletion is one command of the batch"
    assert push(config, asked) == [Accepted(asked)], "a repeat finds nobody, which is what was wanted"


def test_two_segments_of_somebody_erased_are_one_deletion(empty, settings):
    config = settings(empty)
    push(config, person())
    one, two = forget(capability="segment.push"), forget(capability="segment.push")
    two = Change(**{**vars(two), "subject": "lapsed/p-1"})
    assert push(config, one, two) == [Accepted(one), Accepted(two)]
    assert len(writes(empty)[-1]) == 1
    assert empty.crm["CONTACT"] == {}


def test_a_lost_deletion_is_looked_for_by_the_card_not_by_the_segment(empty, settings):
    config = settings(empty)
    push(config, person())
    asked = forget(capability="segment.push")
    assert shown(config, asked) == {"vip/p-1": {**asked.value, "forget": False}}
    push(config, asked)
    assert shown(config, asked) == {"vip/p-1": asked.value}


def test_who_may_not_delete_has_not_deleted(empty, settings, monkeypatch):
    from connectors.bitrix24.simulator import methods
    from connectors.bitrix24.simulator.door import Refusal

    def refuse(portal: Any, params: Any) -> Any:
        raise Refusal(400, "", "Access denied.")

    monkeypatch.setitem(methods.METHODS, "crm.contact.delete", refuse)
    [told] = push(settings(empty), forget())
    assert isinstance(told, Deferred)
    assert told.blocked
