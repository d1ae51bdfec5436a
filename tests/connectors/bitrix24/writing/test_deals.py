"""An order is one deal with its rows and its buyer, and goes forward only."""

from typing import Any

from connectors.bitrix24 import CONNECTOR
from connectors.sdk import Accepted, Change, Rejected, Unknown
from connectors.sdk.testing.builders import a_line
from tests.connectors.bitrix24.conftest import FIRST, push, read, shown, values
from tests.connectors.bitrix24.writing.changes import ordered


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
    empty.sandbox.faults.set("lost_reply", match="write", times=1)
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
