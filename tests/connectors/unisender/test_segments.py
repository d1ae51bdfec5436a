"""People come into a segment's list and go out of it; and nobody who refused comes back by us."""

import pytest
from pydantic import ValidationError

from connectors.sdk import Accepted, Change, ConfigError, ContractError, Deferred, Rejected, Unknown
from connectors.unisender import CONNECTOR
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.records import pseudonym
from connectors.unisender.sink import _logged
from tests.connectors.unisender.conftest import joins, leaves, sent, shown

SEGMENT = CONNECTOR.sink("segment.push")
CONFIG = UniSenderConfig(api_key="x")


def test_people_known_and_new_join_in_one_request_and_keep_their_other_lists(account, settings):
    made = sent(settings(), joins("aigerim@example.kz"), joins("olga@example.kz"))
    assert [type(one) for one in made] == [Accepted, Accepted]
    assert account.contacts["aigerim@example.kz"].lists == {"8", "9"}
    assert (account.contacts["olga@example.kz"].lists, account.contacts["olga@example.kz"].status) == ({"9"}, "new")
    assert len(account.sandbox.requests(path="importContacts")) == 1


def test_a_row_that_is_refused_costs_no_other(account, settings):
    good, bad = joins("olga@example.kz"), joins("abuse@example.kz")
    assert sent(settings(), bad, good)[0] == Rejected(bad, "invalid_arg", "Role address")
    assert account.contacts["olga@example.kz"].lists == {"9"}


@pytest.mark.parametrize("new_addresses", ["new", "active", "confirm"])
def test_who_refused_letters_is_never_subscribed_again(account, settings, new_addresses):
    account.contacts["daniyar@example.kz"].status = "unsubscribed"
    sent(settings(new_addresses=new_addresses), joins("daniyar@example.kz"))
    assert account.contacts["daniyar@example.kz"].status == "unsubscribed"
    assert account.invited == []


@pytest.mark.parametrize("mode", [0, 4])
def test_with_double_opt_in_a_new_address_is_asked_and_one_that_agreed_is_not(account, settings, mode):
    config = settings(new_addresses="confirm", double_optin=mode)
    made = sent(config, joins("olga@example.kz"), joins("aigerim@example.kz"))
    assert [type(one) for one in made] == [Accepted, Accepted]
    assert account.invited == ["olga@example.kz"]
    assert account.contacts["olga@example.kz"].status == "new"
    assert account.contacts["aigerim@example.kz"].lists == {"8", "9"}


def test_a_mode_that_mails_no_request_is_refused_in_the_settings(settings):
    with pytest.raises(ValidationError, match="double_optin"):
        settings(new_addresses="confirm", double_optin=3)


def test_who_leaves_a_segment_is_taken_out_of_its_list_and_of_no_other(account, settings):
    config = settings()
    [joined] = sent(config, joins("aigerim@example.kz"))
    assert [type(one) for one in sent(config, leaves("aigerim@example.kz", joined.receipt))] == [Accepted]
    assert account.contacts["aigerim@example.kz"].lists == {"8"}
    assert account.contacts["aigerim@example.kz"].status == "active"


def test_who_has_another_address_now_leaves_under_the_old_one(account, settings):
    config = settings()
    [joined] = sent(config, joins("aigerim@example.kz"))
    assert [type(one) for one in sent(config, leaves("new.address@example.kz", joined.receipt))] == [Accepted]
    assert account.contacts["aigerim@example.kz"].lists == {"8"}
    assert "new.address@example.kz" not in account.contacts


def test_whose_removal_under_the_old_address_had_no_answer_is_looked_for_under_the_old_one(account, settings):
    config = settings()
    [joined] = sent(config, joins("aigerim@example.kz"))
    gone = leaves("new.address@example.kz", joined.receipt)
    account.sandbox.faults.set("500", match="exclude", times=1)
    assert isinstance(sent(config, gone)[0], Unknown)
    assert shown(config, gone)[gone.subject]["member"] is True
    sent(config, gone)
    assert shown(config, gone)[gone.subject]["member"] is False


def test_who_has_another_address_now_loses_the_field_under_the_old_one(account, settings):
    account.fields.add("Vip")
    config = settings(membership="field", audiences={"VIP": "Vip"})
    [joined] = sent(config, joins("aigerim@example.kz"))
    gone = leaves("new.address@example.kz", joined.receipt)
    assert shown(config, gone)[gone.subject]["member"] is True
    assert [type(one) for one in sent(config, gone)] == [Accepted]
    assert account.contacts["aigerim@example.kz"].fields["Vip"] == "0"
    assert "new.address@example.kz" not in account.contacts


def test_who_was_added_under_another_key_of_receipts_leaves_all_the_same(account, settings):
    [joined] = sent(settings(), joins("aigerim@example.kz"))
    sent(settings(pseudonym_key="another"), leaves("aigerim@example.kz", joined.receipt))
    assert account.contacts["aigerim@example.kz"].lists == {"8"}


def test_a_receipt_does_not_tell_the_address(settings):
    [joined] = sent(settings(), joins("aigerim@example.kz"))
    assert joined.receipt == pseudonym(settings(), " Aigerim@Example.kz ")
    assert "aigerim" not in joined.receipt


def test_who_is_not_there_any_more_has_left(account, settings):
    assert [type(one) for one in sent(settings(), leaves("gone@example.kz"))] == [Accepted]
    assert "gone@example.kz" not in account.contacts


def test_leaving_a_segment_that_never_became_a_list_touches_no_list_at_all(account, settings):
    made = sent(settings(), leaves("aigerim@example.kz", audience="никогда не было"))
    assert [type(one) for one in made] == [Accepted]
    assert account.contacts["aigerim@example.kz"].lists == {"8"}
    assert account.sandbox.requests(path="exclude") == []


def test_an_exclusion_without_an_answer_leaves_only_itself_unclear(account, settings):
    config = settings()
    people = ["aigerim@example.kz", "daniyar@example.kz"]
    sent(config, *map(joins, people))
    account.sandbox.faults.set("lost_reply", match="/exclude", times=1)
    first, second = map(leaves, people)
    made = sent(config, first, second)
    assert [type(one) for one in made] == [Unknown, Deferred]
    assert shown(config, first, second) == {
        first.subject: {"audience": "VIP", "member": False}, second.subject: {"audience": "VIP", "member": True},
    }  # fmt: skip


def test_a_refusal_goes_out_before_anybody_is_added(account, settings):
    config = settings()
    sent(config, joins("aigerim@example.kz"))
    account.sandbox.journal.clear()
    sent(config, joins("daniyar@example.kz"), leaves("aigerim@example.kz"))
    writes = [seen.path.rpartition("/")[2] for seen in account.sandbox.journal if not account.sandbox.reads(seen)]
    assert writes == ["exclude", "importContacts"]


@pytest.mark.parametrize(
    "answer",
    [
        {"total": 1, "log": {"0": "odd"}}, {"total": 1, "invalid": 1, "log": []}, {"total": 2, "log": []},
        {"log": []}, [], None,
    ],
)  # fmt: skip
def test_an_import_whose_counts_do_not_add_up_is_unknown(answer):
    with pytest.raises(ContractError):
        list(_logged(CONFIG, [(joins("aigerim@example.kz"), ["aigerim@example.kz"])], answer))


def test_a_segment_without_a_list_gets_one_once(account, settings):
    config = settings()
    sent(config, joins("aigerim@example.kz", "at_risk_vip"))
    sent(config, joins("daniyar@example.kz", "at_risk_vip"))
    assert list(account.lists.values()) == ["Общий список", "VIP", "at_risk_vip"]
    assert account.contacts["daniyar@example.kz"].lists == {"8", "10"}


def test_a_segment_may_bear_another_name_there(account, settings):
    sent(settings(audiences={"best": "9"}), joins("aigerim@example.kz", "best"))
    assert account.contacts["aigerim@example.kz"].lists == {"8", "9"}
    assert len(account.lists) == 2


def test_a_list_that_only_the_merchant_may_make_is_asked_for(account, settings):
    [made] = sent(settings(create_lists=False), joins("aigerim@example.kz", "at_risk_vip"))
    assert (type(made), made.blocked) == (Deferred, True)
    assert "at_risk_vip" in made.why


def test_membership_may_be_a_field_of_the_contact(account, settings):
    account.fields.add("vip")
    config = settings(membership="field", audiences={"VIP": "vip"})
    sent(config, joins("aigerim@example.kz"), joins("daniyar@example.kz"))
    sent(config, leaves("daniyar@example.kz"))
    assert [account.contacts[f"{name}@example.kz"].fields["vip"] for name in ("aigerim", "daniyar")] == ["1", "0"]
    assert account.contacts["daniyar@example.kz"].lists == {"8"}


def test_a_field_does_not_bring_back_who_was_deleted(account, settings):
    account.fields.add("VIP")
    del account.contacts["daniyar@example.kz"]
    assert [type(one) for one in sent(settings(membership="field"), leaves("daniyar@example.kz"))] == [Accepted]
    assert "daniyar@example.kz" not in account.contacts


def test_somebody_without_an_address_is_refused_here_and_not_there(account, settings):
    [made] = sent(settings(), joins(""))
    assert isinstance(made, Rejected)
    assert account.sandbox.requests(path="importContacts") == []


def test_five_hundred_are_one_import(account, settings):
    people = [joins(f"buyer{number}@example.com") for number in range(SEGMENT.batch)]
    assert {type(one) for one in sent(settings(), *people)} == {Accepted}
    assert len(account.sandbox.requests(path="importContacts")) == 1


def test_a_wrong_key_names_the_page_that_mends_it(settings):
    with pytest.raises(ConfigError, match="Интеграция и API") as caught:
        CONNECTOR.check(settings(api_key="expired-key"))
    assert "expired-key" not in str(caught.value)


def test_who_was_erased_is_deleted_by_the_receipt_whichever_lists_they_are_in(account, settings):
    config = settings()
    [added] = sent(config, joins("aigerim@example.kz"))
    value = {"audience": "VIP", "member": False, "forget": True}
    forget = Change("segment.push", "VIP/person", added.receipt, value)
    assert sent(config, forget) == [Accepted(forget)]
    assert set(account.contacts) == {"daniyar@example.kz"}
    assert sent(config, forget) == [Accepted(forget)], "a repeat finds nobody, which is what was wanted"
