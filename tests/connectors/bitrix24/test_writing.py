"""Contacts, segments and deals are written once, by what differs, and whatever happened to an answer is found out."""

from typing import Any

import pytest

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.sandbox import SEGMENTS
from connectors.sdk import Accepted, Change, ConfigError, Deferred, Rejected, Unknown
from connectors.sdk.testing.builders import a_line, an_order
from tests.connectors.bitrix24.conftest import FIRST, push, read, shown, writes

ALIYA = {"first_name": "Әлия", "last_name": "Бейсенова", "phones": ["+77000000001"], "emails": ["aliya@example.com"]}


def person(key: str = "p-1", bound: str = "", was: Any = None, **facts: Any) -> Change:
    return Change("customer.push", key, bound, {**ALIYA, **facts}, was=was, key=f"k:{key}")


def member(key: str = "p-1", segment: str = "vip", into: bool = True, bound: str = "") -> Change:
    about = {"phone": "+77000000001", "first_name": "Әлия"}
    value = {"audience": segment, "member": into}
    return Change("segment.push", f"{segment}/{key}", bound, value, key=f"k:{segment}:{key}", about=about)


def ordered(number: str = "700000123", **facts: Any) -> Change:
    lines = facts.pop("lines", (a_line("KR00001A", 2, 1500), a_line("KR00002A", 1, 990)))
    order = an_order(number, lines, **{"contact_phone": "+77000000001", "contact_name": "Әлия Бейсенова", **facts})
    value = {**order.model_dump(mode="json"), "connection": "market"}
    return Change("order.push", f"market:{number}", "", value, key=f"k:{number}")


def values(row: dict[str, Any], name: str = "PHONE") -> list[str]:
    return [element["VALUE"] for element in row.get(name, [])]


# ── contacts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_somebody_unknown_becomes_one_contact_that_bears_our_mark(empty, settings):
    config = settings(empty)
    [made] = push(config, person(birth_date="1987-03-09"))
    assert made == Accepted(person(birth_date="1987-03-09"), "1")
    [contact] = empty.crm["CONTACT"].values()
    assert (contact["NAME"], contact["LAST_NAME"], contact["BIRTHDATE"]) == ("Әлия", "Бейсенова", "09.03.1987")
    assert (contact["ORIGINATOR_ID"], contact["ORIGIN_ID"]) == ("keruen", "p-1")
    assert push(config, person(birth_date="1987-03-09")) == [made]
    assert len(empty.crm["CONTACT"]) == len(writes(empty)) == 1


def test_a_contact_that_managers_made_is_found_by_the_phone_however_it_is_written(empty, settings):
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 (700) 000-00-01", "VALUE_TYPE": "WORK"}]})
    [made] = push(settings(empty), person())
    assert made.receipt == "1"
    [contact] = empty.crm["CONTACT"].values()
    assert values(contact) == ["8 (700) 000-00-01"], "the same number is not added a second time"
    assert values(contact, "EMAIL") == ["aliya@example.com"]
    assert contact["ORIGIN_ID"] == "p-1"


def test_a_son_does_not_become_his_mother_though_they_share_a_phone(empty, settings):
    empty.add("CONTACT", {"NAME": "Гүлнұр", "PHONE": [{"VALUE": "+77000000001"}]})
    config = settings(empty)
    push(config, person("mother", first_name="Гүлнұр", emails=[]), person("son", first_name="Мәди", emails=[]))
    assert [(row["NAME"], row["ORIGIN_ID"]) for row in empty.crm["CONTACT"].values()] == [
        ("Гүлнұр", "mother"), ("Мәди", "son"),
    ]  # fmt: skip


def test_two_people_never_get_one_card(empty, settings):
    empty.add("CONTACT", {"NAME": "", "PHONE": [{"VALUE": "+77000000001"}]})
    made = push(settings(empty), person("p-1"), person("p-2"))
    assert len({one.receipt for one in made}) == 2


def test_a_changed_phone_is_edited_in_its_place_and_what_managers_typed_stays(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.change("CONTACT", 1, {"PHONE": [{"VALUE": "+7 700 000 00 09", "VALUE_TYPE": "WORK"}]})
    ids = [element["ID"] for element in empty.crm["CONTACT"][1]["PHONE"]]
    push(config, person(bound="1", phones=["+77000000002"], was=ALIYA))
    assert values(empty.crm["CONTACT"][1]) == ["+77000000002", "+7 700 000 00 09"]
    assert [element["ID"] for element in empty.crm["CONTACT"][1]["PHONE"]] == ids


def test_a_phone_that_is_nobodys_any_more_is_taken_away(empty, settings):
    config = settings(empty)
    push(config, person(phones=["+77000000001", "+77000000002"]))
    was = {**ALIYA, "phones": ["+77000000001", "+77000000002"]}
    push(config, person(bound="1", was=was))
    assert values(empty.crm["CONTACT"][1]) == ["+77000000001"]


def test_nothing_is_sent_where_nothing_differs_and_nothing_is_ever_emptied(empty, settings):
    config = settings(empty)
    push(config, person())
    [made] = push(config, person(last_name=None, emails=[]))
    assert isinstance(made, Accepted)
    assert len(writes(empty)) == 1
    assert empty.crm["CONTACT"][1]["LAST_NAME"] == "Бейсенова"


def test_only_what_differs_is_sent(empty, settings):
    config = settings(empty)
    push(config, person())
    push(config, person(last_name="Ахметова"))
    [command] = writes(empty)[1].values()
    sent = "crm.contact.update?id=1&fields[LAST_NAME]=%D0%90%D1%85%D0%BC%D0%B5%D1%82%D0%BE%D0%B2%D0%B0"
    assert command == f"{sent}&params[REGISTER_SONET_EVENT]=N"


def test_a_deleted_contact_is_not_made_again(empty, settings):
    config = settings(empty)
    push(config, person())
    empty.delete("CONTACT", 1)
    [refused] = push(config, person(bound="1"))
    assert isinstance(refused, Rejected)
    assert refused.code == "gone"
    assert empty.crm["CONTACT"] == {}


def test_an_id_of_a_lead_is_no_contacts_and_a_lead_is_not_made_a_contact(empty, settings):
    config = settings(empty)
    empty.add("CONTACT", {"NAME": "Наталья"})
    [refused] = push(config, person(bound="L_1"))
    assert isinstance(refused, Rejected)
    assert refused.code == "no_contact"
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 700 000 00 01"}]})
    assert push(config, person(bound="L_1"))[0].receipt == "2"


def test_what_was_said_before_may_be_kept_as_a_digest(empty, settings):
    config = settings(empty)
    push(config, person())
    assert isinstance(push(config, person(was={"digest": "5f1", "fields": ["phones"]}))[0], Accepted)
    assert isinstance(push(config, person(was="5f1"))[0], Accepted)


def test_further_facts_go_to_the_fields_that_the_merchant_names(empty, settings):
    config = settings(empty, person_fields={"city": "UF_CRM_CITY"})
    push(config, person(city="Алматы"))
    assert empty.crm["CONTACT"][1]["UF_CRM_CITY"] == "Алматы"


def test_a_balance_of_points_goes_to_the_field_that_asks_for_it(empty, settings):
    config = settings(empty, person_fields={"points": "UF_CRM_CITY"})
    [sink] = [one for one in CONNECTOR.sinks if one.capability == "customer.push"]
    assert set(sink.takes(config)) == {"points"}
    assert set(sink.takes(settings(empty))) == set()
    push(config, person(points="120"))
    assert empty.crm["CONTACT"][1]["UF_CRM_CITY"] == "120"


def test_a_field_that_does_not_exist_is_told_because_the_portal_would_not(empty, settings):
    [told] = push(settings(empty, person_fields={"city": "UF_CRM_TOWN"}), person(city="Алматы"))
    assert isinstance(told, Deferred)
    assert told.blocked
    assert "UF_CRM_TOWN" in told.why
    assert empty.crm["CONTACT"] == {}


def test_fifty_people_are_one_write(empty, settings):
    crowd = [person(f"p-{n}", phones=[f"+770000001{n:02d}"], emails=[f"buyer{n}@example.com"]) for n in range(50)]
    made = push(settings(empty), *crowd)
    assert all(isinstance(one, Accepted) for one in made)
    assert len(empty.crm["CONTACT"]) == 50
    assert len(writes(empty)) == 1
    # a list of marks, a hundred finds in batches of what an address holds, the write
    assert len(empty.sandbox.journal) <= 6


# ── what can happen to an answer ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", ["lost_reply", "cut"])
def test_a_lost_answer_is_read_back_and_the_repeat_makes_no_second_contact(empty, settings, fault):
    config = settings(empty)
    empty.sandbox.faults.set(fault, match="POST", times=1)
    [lost] = push(config, person())
    assert isinstance(lost, Unknown)
    assert shown(config, person()) == {"p-1": person().value}
    push(config, person())
    assert len(empty.crm["CONTACT"]) == 1


def test_a_failure_before_anything_happened_is_unknown_until_read_back(empty, settings):
    config = settings(empty)
    empty.sandbox.faults.set("500", match="POST", times=1)
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


# ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── deals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def deal_of(config: Any, number: str = "700000123") -> Any:
    [deal] = [deal for deal in read(config, "deals", FIRST) if deal["TITLE"] == number]
    [order] = CONNECTOR.resource("deals").maps["order"](deal, config).records
    return order


def test_an_order_becomes_a_deal_that_reads_back_as_its_copy(portal, settings, shop):
    sku = shop.variants[0].sku
    change = ordered(lines=(a_line(sku, 3, 1000, total=1000 * 3 - 1),), delivery_cost=500, discount=99)
    config = settings(portal)
    [made] = push(config, change)
    order = deal_of(config)
    assert isinstance(made, Accepted)
    assert (order.external_id, order.copy_of, order.status) == (made.receipt, "market:700000123", "placed")
    assert order.total == 3400
    goods, delivery = order.lines
    assert (goods.quantity, delivery.total) == (3, 500)
    product = next(row for row in portal.catalogue["products"] if row["xmlId"] == sku)
    assert goods.variant == str(product["id"])
    buyer = portal.crm["CONTACT"][int(order.customer)]
    assert values(buyer) == ["+77000000001"]


def test_a_product_that_bitrix_does_not_know_is_a_row_with_its_name(empty, settings):
    config = settings(empty)
    push(config, ordered())
    order = deal_of(config)
    assert [(line.variant, line.name) for line in order.lines] == [(None, "KR00001A"), (None, "KR00002A")]


def test_a_binding_of_the_hub_wins(empty, settings):
    change = ordered()
    bound = Change(**{**vars(change), "about": {"variants": {"KR00001A": "77", "KR00002A": "78"}}})
    config = settings(empty)
    push(config, bound)
    assert [line.variant for line in deal_of(config).lines] == ["77", "78"]


def test_two_orders_of_one_new_buyer_make_one_contact(empty, settings):
    push(settings(empty), ordered("1"), ordered("2"))
    assert len(empty.crm["CONTACT"]) == 1
    assert {deal["CONTACT_ID"] for deal in empty.crm["DEAL"].values()} == {"1"}


def test_a_buyer_whom_managers_know_keeps_his_card(empty, settings):
    empty.add("CONTACT", {"NAME": "Әлия", "PHONE": [{"VALUE": "8 700 000 00 01"}]})
    push(settings(empty), ordered())
    assert len(empty.crm["CONTACT"]) == 1
    assert empty.crm["DEAL"][1]["CONTACT_ID"] == "1"


def test_a_lost_answer_makes_no_second_deal_and_no_second_buyer(empty, settings):
    config = settings(empty)
    empty.sandbox.faults.set("lost_reply", match="POST", times=1)
    assert isinstance(push(config, ordered())[0], Unknown)
    assert shown(config, ordered()) == {"market:700000123": ordered().value}
    [again] = push(config, ordered())
    assert again.receipt == "1"
    assert len(empty.crm["DEAL"]) == len(empty.crm["CONTACT"]) == 1


def test_rows_that_were_refused_are_told_and_set_the_next_time(empty, settings, monkeypatch):
    from connectors.bitrix24.simulator import methods
    from connectors.bitrix24.simulator.door import Refusal

    def refuse(portal: Any, params: Any) -> Any:
        raise Refusal(400, "INVALID_ARG_VALUE", "Rows are locked")

    config = settings(empty)
    with monkeypatch.context() as patch:
        patch.setitem(methods.METHODS, "crm.item.productrow.set", refuse)
        [half] = push(config, ordered())
    assert isinstance(half, Rejected)
    assert "the deal 1 was made, but not all of it" in half.message
    assert isinstance(push(config, ordered())[0], Accepted)
    assert len(deal_of(config).lines) == 2
    assert len(empty.crm["DEAL"]) == 1


def test_a_buyer_who_was_refused_is_told_and_put_into_the_deal_the_next_time(empty, settings):
    """The portal wanted a last name, and no longer does."""
    config = settings(empty)
    empty.required = ("LAST_NAME",)
    [half] = push(config, ordered())
    assert isinstance(half, Rejected)
    assert "the deal 1 was made, but not all of it" in half.message
    assert shown(config, ordered()) == {"market:700000123": {"status": "NEW"}}
    empty.required = ()
    assert push(config, ordered()) == [Accepted(ordered(), "1")]
    assert deal_of(config).customer == "1"
    assert shown(config, ordered()) == {"market:700000123": ordered().value}
    assert len(empty.crm["DEAL"]) == len(empty.crm["CONTACT"]) == 1


def test_a_deal_that_managers_gave_to_a_company_gets_no_buyer(empty, settings):
    config = settings(empty)
    push(config, ordered())
    empty.change("DEAL", 1, {"CONTACT_ID": "0", "COMPANY_ID": "7"})
    push(config, ordered(status="ready"))
    assert (empty.crm["DEAL"][1]["CONTACT_ID"], empty.crm["DEAL"][1]["STAGE_ID"]) == ("0", "FINAL_INVOICE")


def test_a_deal_goes_forward_and_never_back(empty, settings):
    config = settings(empty)
    push(config, ordered())
    push(config, ordered(status="ready"))
    assert empty.crm["DEAL"][1]["STAGE_ID"] == "FINAL_INVOICE"
    push(config, ordered(status="confirmed"))
    assert empty.crm["DEAL"][1]["STAGE_ID"] == "FINAL_INVOICE"
    push(config, ordered(status="cancelled"))
    assert empty.crm["DEAL"][1]["STAGE_ID"] == "LOSE"


def test_a_stage_of_the_managers_own_is_left_alone(empty, settings):
    config = settings(empty)
    push(config, ordered())
    empty.change("DEAL", 1, {"STAGE_ID": "UC_THEIR1", "STAGE_SEMANTIC_ID": "P"})
    push(config, ordered(status="shipped"))
    assert empty.crm["DEAL"][1]["STAGE_ID"] == "UC_THEIR1"


def test_another_pipeline_has_stages_under_its_number(empty, settings):
    config = settings(empty, pipeline=9, stages={"NEW": "placed", "C9:UC_1": "shipped", "WON": "completed"})
    push(config, ordered())
    assert (empty.crm["DEAL"][1]["CATEGORY_ID"], empty.crm["DEAL"][1]["STAGE_ID"]) == ("9", "C9:NEW")
    push(config, ordered(status="delivered"))
    assert empty.crm["DEAL"][1]["STAGE_ID"] == "C9:UC_1"


def test_what_a_deal_has_no_field_for_is_in_its_comment(empty, settings):
    push(settings(empty), ordered(delivery={"city": "Алматы", "address": "пр. Абая, 1"}))
    assert empty.crm["DEAL"][1]["COMMENTS"] == "Әлия Бейсенова, Алматы, пр. Абая, 1"


# ── who was erased ────────────────────────────────────────────────────────────────────────────────────────────────────


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
