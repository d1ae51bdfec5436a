"""What only a person asks of an order: a part is not sold after all, pre-ordered goods came, goods are back."""

from typing import Any

import pytest
import responses

from connectors.kaspi.records import to_id
from connectors.sdk import Accepted, Deferred, Rejected, Unknown
from tests.connectors.kaspi.test_order_status import KASPI, STATUS, change, deliver, shown

TAKEN = {"state": "KASPI_DELIVERY", "status": "ACCEPTED_BY_MERCHANT"}


def fewer(code: str, keep: dict[str, dict[str, Any]], status: str = "confirmed", **more: Any) -> Any:
    return change(code, status, keep=keep, **{"reason": "out_of_stock", **more})


def writes(kaspi: Any) -> list[str]:
    """Method, first part of the path, and status of each write."""
    seen = [one for one in kaspi.sandbox.requests() if one.method != "GET"]
    return [f"{one.method} {one.path.split('/')[1]} {_status(one.json)}".rstrip() for one in seen]


def _status(body: Any) -> str:
    return str(body["data"]["attributes"].get("status", "")) if isinstance(body, dict) else ""


# ── a part of an order ────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_line_by_pieces_has_a_call_of_its_own(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3), ("SKU-2", 1)], **KASPI, **TAKEN)

    assert isinstance(deliver(account(), fewer(sale.code, {"0": {"quantity": 1}})), Accepted)
    assert writes(kaspi) == ["POST orderEntryCancelOperation"]
    assert [(line.sku, line.quantity) for _, line in sale.entries] == [("SKU-1", 1), ("SKU-2", 1)]


def test_many_lines_go_together_and_one_that_keeps_nothing_disappears(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3), ("SKU-2", 1), ("SKU-3", 2)], **KASPI, **TAKEN)
    wanted = fewer(sale.code, {"0": {"quantity": 2}, "1": {"quantity": 0}})

    assert isinstance(deliver(account(), wanted), Accepted)
    assert writes(kaspi) == ["PUT orderPartialCancel"]
    assert [(number, line.quantity) for number, line in sale.entries] == [(0, 2), (2, 2)]


def test_weighed_goods_that_were_lighter_are_paid_as_they_weigh(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, **TAKEN)
    sale.lines = (sale.lines[0]._replace(grams=1000),)
    before = sale.total

    outcome = deliver(account(), fewer(sale.code, {"0": {"weight_g": 900}}, reason="underweight"))

    assert isinstance(outcome, Accepted)
    assert kaspi.sandbox.requests("PUT")[0].json[0]["reason"] == "PRODUCT_UNDERWEIGHT"
    assert sale.total == before * 9 // 10


def test_a_setting_sends_single_lines_with_the_others_too(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, **TAKEN)

    deliver(account(partial_cancel="bulk"), fewer(sale.code, {"0": {"quantity": 1}}))

    assert writes(kaspi) == ["PUT orderPartialCancel"]


def test_what_is_out_already_is_not_taken_out_again(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, **TAKEN)
    wanted = fewer(sale.code, {"0": {"quantity": 1}})

    assert [type(deliver(account(), wanted)) for _ in range(2)] == [Accepted, Accepted]
    assert len(writes(kaspi)) == 1
    assert STATUS.same(wanted.value, shown(account(), wanted))


def test_a_parcel_is_not_packed_before_the_lines_are_out(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, shrinks_in=3)
    wanted = fewer(sale.code, {"0": {"quantity": 1}}, status="assembling")

    waits = deliver(account(), wanted)
    assert isinstance(waits, Deferred)
    assert waits.alone
    assert writes(kaspi) == ["POST orders ACCEPTED_BY_MERCHANT", "POST orderEntryCancelOperation"]

    assert isinstance(deliver(account(), wanted), Accepted)
    assert writes(kaspi)[2:] == ["POST orders ASSEMBLE"]
    assert sale.entries[0][1].quantity == 1


@pytest.mark.parametrize("fault", ["lost_reply", "cut"])
def test_a_lost_answer_is_settled_by_the_lines_themselves(kaspi, account, fault):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, **TAKEN)
    wanted = fewer(sale.code, {"0": {"quantity": 1}})
    kaspi.sandbox.faults.set(fault, match="POST /orderEntryCancelOperation", times=1)

    assert isinstance(deliver(account(), wanted), Unknown)
    assert STATUS.same(wanted.value, shown(account(), wanted))
    assert isinstance(deliver(account(), wanted), Accepted)
    assert len(writes(kaspi)) == 1


@pytest.mark.parametrize(
    ("keep", "more", "rule"),
    [
        ({"0": {"quantity": 1}}, {"reason": "unreachable"}, "reason"),
        ({"0": {"quantity": 1}}, {"reason": None}, "reason"),
        ({"0": {"quantity": 0}}, {}, "nothing_left"),
    ],
)
def test_what_kaspi_would_not_take_is_refused_before_anything_is_written(kaspi, account, keep, more, rule):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, **TAKEN)

    outcome = deliver(account(), fewer(sale.code, keep, **more))

    assert isinstance(outcome, Rejected)
    assert (outcome.code, writes(kaspi)) == (rule, [])


def test_out_of_an_assembled_parcel_nothing_is_taken_and_kaspi_says_so(kaspi, account):
    sale = kaspi.sell([("SKU-1", 3)], **KASPI, **TAKEN, assembled=True)

    outcome = deliver(account(), fewer(sale.code, {"0": {"quantity": 1}}))

    assert isinstance(outcome, Rejected)
    assert "is assembled" in outcome.message


# ── pre-orders ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_preorder_whose_goods_came_is_told_so_once_and_can_be_packed(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, pre_order=True)
    came = change(sale.code, "confirmed", arrived=True)

    assert [type(deliver(account(), came)) for _ in range(2)] == [Accepted, Accepted]
    assert STATUS.same(came.value, shown(account(), came))
    assert isinstance(deliver(account(), change(sale.code, "assembling", arrived=True)), Accepted)

    assert writes(kaspi) == [
        "POST orders ACCEPTED_BY_MERCHANT", "POST orders ARRIVED", "POST orders ASSEMBLE",
    ]  # fmt: skip
    assert sale.assembled


def test_where_kaspi_does_not_show_the_arrival_its_refusal_of_a_second_one_does(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, **TAKEN, pre_order=True, tells_arrival=False)
    kaspi.sandbox.faults.set("lost_reply", match="POST /orders", times=1)
    came = change(sale.code, "confirmed", arrived=True)

    assert isinstance(deliver(account(), came), Unknown)
    assert not STATUS.same(came.value, shown(account(), came))
    assert isinstance(deliver(account(), came), Accepted)
    refused = deliver(account(arrived_before="nothing of the kind"), came)
    assert isinstance(refused, Rejected)
    assert refused.message == "Order already has arrived."


def test_a_setting_takes_what_is_packed_for_come(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, **TAKEN, pre_order=True)

    assert isinstance(deliver(account(preorders="packing"), change(sale.code, "assembling")), Accepted)
    assert writes(kaspi) == ["POST orders ARRIVED", "POST orders ASSEMBLE"]


def test_an_order_of_goods_in_stock_awaits_nothing(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, **TAKEN)

    assert isinstance(deliver(account(), change(sale.code, "confirmed", arrived=True)), Accepted)
    assert writes(kaspi) == []


@responses.activate
@pytest.mark.parametrize(("by", "named"), [("id", to_id("900000012")), ("code", "900000012")])
def test_lines_are_written_beside_the_api_and_not_under_its_version(account, by, named):
    config = account(base_url="https://kaspi.example/shop/api/v2", partial_cancel_by=by)
    path = f"{config.base_url}/orders/{to_id('900000012')}"
    order = {"type": "orders", "id": to_id("900000012"),
             "attributes": {"code": "900000012", "state": "PICKUP", "status": "ACCEPTED_BY_MERCHANT"}}  # fmt: skip
    entries = [{"id": "", "attributes": {"entryNumber": number, "quantity": 2}} for number in range(2)]
    responses.get(path, json={"data": order})
    responses.get(f"{path}/entries", json={"data": entries})
    responses.put(f"https://kaspi.example/shop/api/orderPartialCancel/{named}", json={"status": "SUCCESSFUL"})

    keep = {"0": {"quantity": 1}, "1": {"quantity": 1}}
    assert isinstance(deliver(config, fewer("900000012", keep)), Accepted)
    assert responses.calls[-1].request.headers["Content-Type"] == "application/json"
