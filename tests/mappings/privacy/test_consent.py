"""What was said, and what it comes to. The rule for sets is held against the rule told one at a time."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as some

from mappings.privacy.consent import AHEAD, STATEMENTS, settled, state_now, strictest, yet_to_come

DAY = datetime(2026, 3, 1, tzinfo=UTC)
MOMENTS = [DAY + timedelta(days=number) for number in range(5)]

statements = some.lists(
    some.fixed_dictionaries({
        "subject": some.sampled_from(["mobile", "mailbox"]),
        "channel": some.sampled_from(["sms", "email"]),
        "purpose": some.just("marketing"),
        "state": some.sampled_from(["granted", "refused"]),
        "by": some.sampled_from(["person", "import", "platform"]),
        "at": some.sampled_from(MOMENTS),
        "expires_at": some.sampled_from([None, *MOMENTS]),
        "giver": some.sampled_from([None, "crm:1", "mail:7"]),
    }),
    max_size=8,
)  # fmt: skip


def come_to(told):
    return settled(pa.Table.from_pylist(told, schema=STATEMENTS)).to_pylist()


def said(state, day, by="person", **more):
    told = {"subject": "mobile", "channel": "sms", "purpose": "marketing", "state": state, "by": by, "at": MOMENTS[day]}
    return {**told, "expires_at": None, "giver": None, **more}


def one_by_one(told):
    """granted or refused for each identifier and channel, by reading the statements in the order they were made."""
    states = {}
    for one in sorted(told, key=lambda one: (one["at"], one["state"] == "refused")):
        key = one["subject"], one["channel"]
        if one["state"] == "refused" or one["by"] == "person" or states.get(key) != "refused":
            states[key] = one["state"]
    return states


@given(statements)
def test_the_set_says_what_the_statements_say_one_by_one(told):
    assert {(one["subject"], one["channel"]): one["state"] for one in come_to(told)} == one_by_one(told)


@given(statements, some.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(told, dice):
    shuffled = list(told)
    dice.shuffle(shuffled)
    assert come_to(shuffled) == come_to(told)


@given(statements)
def test_a_list_imported_later_never_ends_a_refusal(told):
    refused = {(one["subject"], one["channel"]) for one in come_to(told) if one["state"] == "refused"}
    later = [
        {**said("granted", 4, by), "subject": subject, "channel": channel}
        for subject, channel in refused
        for by in ("import", "platform")
    ]
    still = {(one["subject"], one["channel"]) for one in come_to([*told, *later]) if one["state"] == "refused"}
    assert still == refused


@given(statements)
def test_a_consent_for_one_identifier_says_nothing_of_another(told):
    mobile = [one for one in told if one["subject"] == "mobile"]
    assert come_to(mobile) == [one for one in come_to(told) if one["subject"] == "mobile"]


@given(statements, some.sampled_from(MOMENTS), some.timedeltas(timedelta(0), timedelta(days=4000)))
def test_a_refusal_ends_whatever_was_heard_by_the_day_before_it(told, now, later):
    heard = [{**one, "at": one["at"] + later} for one in told]
    possible = [one for one in heard if one["state"] == "refused" or not yet_to_come(one["at"], now)]
    refusals = [{**said("refused", 0), "at": now + AHEAD, "subject": one["subject"], "channel": one["channel"]}
                for one in possible]  # fmt: skip
    assert {one["state"] for one in come_to([*possible, *refusals])} <= {"refused"}


@given(some.lists(some.sampled_from(["granted", "refused", "expired", "none"])))
def test_the_strictest_of_a_persons_identifiers_wins(states):
    assert (strictest(states) == "refused") == ("refused" in states)
    assert (strictest(states) == "granted") == ("granted" in states and "refused" not in states)


def test_the_persons_own_later_word_ends_a_refusal():
    [state] = come_to([said("granted", 0, "import"), said("refused", 1), said("granted", 2)])
    assert (state["state"], state["since"]) == ("granted", MOMENTS[2])


def test_of_the_same_moment_the_refusal_holds():
    [state] = come_to([said("granted", 1), said("refused", 1)])
    assert state["state"] == "refused"


def test_a_consent_runs_out_on_its_day():
    [state] = come_to([said("granted", 0, expires_at=MOMENTS[3])])
    assert state_now(state["state"], state["expires_at"], MOMENTS[2]) == "granted"
    assert state_now(state["state"], state["expires_at"], MOMENTS[3]) == "expired"


def test_a_consent_that_ended_a_refusal_names_only_those_who_gave_it():
    [state] = come_to([
        said("granted", 0, giver="crm:old-owner"),
        said("refused", 1),
        said("granted", 2, giver="crm:new-owner"),
    ])  # fmt: skip
    assert state["givers"] == ["crm:new-owner"]
