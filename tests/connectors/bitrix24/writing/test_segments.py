"""A segment is a value of one field of the contacts in it."""

from dataclasses import replace

import pytest

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.sandbox import SEGMENTS
from connectors.sdk import Accepted, ConfigError, Deferred, Shown, Unknown
from tests.connectors.bitrix24.conftest import push, shown, writes
from tests.connectors.bitrix24.writing.changes import member, person


def test_a_segment_is_one_value_of_a_field_and_the_others_stay(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.change("CONTACT", 1, {SEGMENTS: ["hand-made"]})
    push(config, member(segment="vip"))
    assert empty.crm["CONTACT"][1][SEGMENTS] == ["hand-made", "vip"]
    assert shown(config, member(segment="vip")) == {"vip/p-1": {"audience": "vip", "member": True}}
    push(config, member(segment="vip", into=False))
    assert empty.crm["CONTACT"][1][SEGMENTS] == ["hand-made"]


def test_the_last_segment_leaves_an_empty_field(empty, settings):
    config = settings(empty)
    push(config, person())
    push(config, member())
    push(config, member(into=False))
    assert empty.crm["CONTACT"][1][SEGMENTS] == []
    assert shown(config, member(into=False)) == {"vip/p-1": {"audience": "vip", "member": False}}


def test_two_segments_of_one_person_are_one_command(empty, settings):
    config = settings(empty)
    push(config, person())
    made = push(config, member(segment="vip"), member(segment="lapsed"))
    assert [one.receipt for one in made] == ["1", "1"]
    assert empty.crm["CONTACT"][1][SEGMENTS] == ["vip", "lapsed"]
    assert len(writes(empty)[-1]) == 1


def test_a_list_with_values_of_its_own_gets_their_ids(empty, settings):
    config = settings(empty, segment_values={"vip": "45"})
    push(config, person())
    push(config, member(segment="vip"))
    assert empty.crm["CONTACT"][1][SEGMENTS] == ["45"]


def test_who_has_no_contact_waits_alone_and_has_nothing_to_be_taken_out_of(empty, settings):
    joins, leaves = push(settings(empty), member(), member("p-2", into=False))
    assert isinstance(joins, Deferred)
    assert joins.alone
    assert isinstance(leaves, Accepted)
    assert writes(empty) == []


def test_without_a_field_for_segments_nothing_is_guessed(empty, settings):
    [told] = push(settings(empty, segment_field=None), member())
    assert isinstance(told, Deferred)
    assert told.blocked
    assert "segment_field" in told.why


def test_a_field_of_one_value_is_refused(empty, settings):
    with pytest.raises(ConfigError, match="multiple"):
        CONNECTOR.check(settings(empty, segment_field="UF_CRM_CITY"))


def test_whose_addition_had_no_answer_is_told_by_the_card_and_leaves_it_though_the_phone_is_another(empty, settings):
    """The card was made by managers and bears no mark of ours: nothing else finds it."""
    config = settings(empty)
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "+77000000001", "VALUE_TYPE": "WORK"}]})
    empty.sandbox.faults.set("lost_reply", match="write", times=1)
    assert [type(one) for one in push(config, member())] == [Unknown]
    told = CONNECTOR.sink("segment.push").read_back(config, [member()])["vip/p-1"]
    assert told == Shown({"audience": "vip", "member": True}, "1")
    push(config, replace(member(into=False, bound=told.receipt), about={"phone": "+77000000009"}))
    assert empty.crm["CONTACT"][1][SEGMENTS] == []
