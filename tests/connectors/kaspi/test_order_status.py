"""Moving orders: read first, write once, and never a second time on a guess (contract kaspi 4)."""

from typing import Any

import pytest
import responses

from connectors.kaspi import CONNECTOR
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.records import to_id
from connectors.kaspi.sandbox import Kaspi
from connectors.kaspi.sandbox_orders import Refused
from connectors.kaspi.source import Reading
from connectors.sdk import Accepted, Change, Deferred, Outcome, Rejected, Unknown, outcomes

STATUS = CONNECTOR.sink("order.status")
KASPI = {"by_kaspi": True, "mode": "DELIVERY_PICKUP"}
PICKUP = {"by_kaspi": False, "mode": "DELIVERY_PICKUP"}
COURIER = {"by_kaspi": False, "mode": "DELIVERY_LOCAL"}


def change(code: str, status: str, **more: Any) -> Change:
    return Change("order.status", f"kaspi_almaty:{code}", code, {"status": status, **more})


def deliver(config: KaspiConfig, wanted: Change) -> Outcome:
    (outcome,) = outcomes(STATUS, config, [wanted])
    return outcome


def written(kaspi: Kaspi) -> list[dict[str, Any]]:
    """Attributes of every status write that reached Kaspi."""
    return [seen.json["data"]["attributes"] for seen in kaspi.sandbox.requests("POST")]


def shown(config: KaspiConfig, wanted: Change) -> Any:
    assert STATUS.read_back is not None
    return STATUS.read_back(config, [wanted])[wanted.subject]


# ── the way of an order ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("way", "state"), [(KASPI, "KASPI_DELIVERY"), (PICKUP, "PICKUP"), (COURIER, "DELIVERY")])
def test_a_new_order_is_accepted(kaspi, account, way, state):
    sale = kaspi.sell([("SKU-1", 1)], **way)

    assert isinstance(deliver(account(), change(sale.code, "confirmed")), Accepted)
    assert (sale.state, sale.status) == (state, "ACCEPTED_BY_MERCHANT")


def test_accepting_twice_writes_once(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])
    wanted = change(sale.code, "confirmed")

    assert [type(deliver(account(), wanted)) for _ in range(2)] == [Accepted, Accepted]
    assert written(kaspi) == [{"code": sale.code, "status": "ACCEPTED_BY_MERCHANT"}]


def test_a_parcel_for_kaspi_delivery_is_accepted_and_assembled_and_gets_its_waybill_later(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI)
    wanted = change(sale.code, "assembling", spaces=2)

    assert isinstance(deliver(account(), wanted), Accepted)

    assert written(kaspi) == [
        {"code": sale.code, "status": "ACCEPTED_BY_MERCHANT"},
        {"status": "ASSEMBLE", "numberOfSpace": "2"},
    ]
    assert sale.status == "ACCEPTED_BY_MERCHANT"
    assert STATUS.same(wanted.value, shown(account(), wanted))


def test_where_nobody_counts_parcels_the_setting_does(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, state="KASPI_DELIVERY", status="ACCEPTED_BY_MERCHANT")

    deliver(account(spaces=3), change(sale.code, "ready"))

    assert written(kaspi) == [{"status": "ASSEMBLE", "numberOfSpace": "3"}]


@pytest.mark.parametrize("way", [PICKUP, COURIER])
@pytest.mark.parametrize("stage", ["assembling", "ready", "shipped"])
def test_own_delivery_knows_no_assembling_so_acceptance_is_all_kaspi_is_told(kaspi, account, way, stage):
    sale = kaspi.sell([("SKU-1", 1)], **way)
    wanted = change(sale.code, stage)

    assert isinstance(deliver(account(), wanted), Accepted)
    assert written(kaspi) == [{"code": sale.code, "status": "ACCEPTED_BY_MERCHANT"}]
    assert STATUS.same(wanted.value, shown(account(), wanted))


def test_an_order_whose_loan_is_not_signed_waits(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], state="SIGN_REQUIRED", months=3)

    outcome = deliver(account(), change(sale.code, "confirmed"))

    assert isinstance(outcome, Deferred)
    assert "signed" in outcome.why
    assert outcome.alone
    assert written(kaspi) == []

    kaspi.buyer_signs(sale.code)
    assert isinstance(deliver(account(), change(sale.code, "confirmed")), Accepted)


@pytest.mark.parametrize("stage", ["delivered", "completed"])
def test_completing_is_left_to_a_person_and_sends_the_buyer_no_code(kaspi, account, stage):
    sale = kaspi.sell([("SKU-1", 1)], **PICKUP, state="PICKUP", status="ACCEPTED_BY_MERCHANT")

    outcome = deliver(account(), change(sale.code, stage))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "buyer_code"
    assert (written(kaspi), sale.sms) == ([], None)


# ── cancelling and returns ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reason", "theirs"),
    [
        ("out_of_stock", "MERCHANT_OUT_OF_STOCK"),
        ("buyer", "BUYER_CANCELLATION_BY_MERCHANT"),
        ("unreachable", "BUYER_NOT_REACHABLE"),
        ("MERCHANT_OUT_OF_STOCK", "MERCHANT_OUT_OF_STOCK"),
    ],
)
def test_a_cancellation_says_why(kaspi, account, reason, theirs):
    sale = kaspi.sell([("SKU-1", 1)])

    outcome = deliver(account(), change(sale.code, "cancelled", reason=reason, comment="к" * 1200))

    assert isinstance(outcome, Accepted)
    assert (sale.status, sale.cancel_reason) == ("CANCELLED", theirs)
    assert len(written(kaspi)[0]["cancellationComment"]) == 1000


@pytest.mark.parametrize("reason", [None, "TIMEOUT_BUYER_PICKUP", "mood"])
def test_without_a_reason_that_kaspi_takes_nothing_is_cancelled(kaspi, account, reason):
    sale = kaspi.sell([("SKU-1", 1)])

    outcome = deliver(account(), change(sale.code, "cancelled", reason=reason))

    assert isinstance(outcome, Rejected)
    assert "out_of_stock" in outcome.message
    assert written(kaspi) == []


def test_an_assembled_parcel_cannot_be_cancelled_by_the_seller(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, state="KASPI_DELIVERY", status="ACCEPTED_BY_MERCHANT", assembled=True)

    outcome = deliver(account(), change(sale.code, "cancelled", reason="buyer"))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "assembled"


def test_a_cancellation_is_not_met_by_a_sale_that_is_over(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])
    kaspi.buyer_takes(sale.code)
    wanted = change(sale.code, "cancelled", reason="buyer")

    assert not STATUS.same(wanted.value, shown(account(), wanted))
    assert isinstance(deliver(account(), wanted), Rejected)


def test_acceptance_of_an_order_that_the_buyer_cancelled_is_refused_without_a_write(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])
    kaspi.buyer_cancels(sale.code)

    outcome = deliver(account(), change(sale.code, "confirmed"))

    assert isinstance(outcome, Rejected)
    assert outcome.code == "too_late"
    assert written(kaspi) == []


@pytest.mark.parametrize(("leaves", "ends"), [("buyer_cancels", "CANCELLED"), ("buyer_returns", "RETURNED")])
def test_goods_that_came_back_are_confirmed_once(kaspi, account, leaves, ends):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, state="KASPI_DELIVERY", status="ACCEPTED_BY_MERCHANT", assembled=True)
    kaspi.courier_takes(sale.code)
    getattr(kaspi, leaves)(sale.code)
    wanted = change(sale.code, "returned")

    assert [type(deliver(account(), wanted)) for _ in range(2)] == [Accepted, Accepted]
    assert sale.status == ends
    assert [one["status"] for one in written(kaspi)] == ["ARRIVED_BACKWARD"]


def test_goods_that_never_left_are_not_confirmed_as_back(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])

    assert isinstance(deliver(account(), change(sale.code, "returned")), Rejected)
    assert written(kaspi) == []


# ── lost answers and refusals ─────────────────────────────────────────────────────────────────────────────────────────


WRITE = "POST /orders"


@pytest.mark.parametrize("fault", ["lost_reply", "cut"])
def test_a_lost_answer_is_unknown_the_read_back_settles_it_and_nothing_is_written_twice(kaspi, account, fault):
    sale = kaspi.sell([("SKU-1", 1)])
    wanted = change(sale.code, "confirmed")
    kaspi.sandbox.faults.set(fault, match=WRITE, times=1)

    assert isinstance(deliver(account(), wanted), Unknown)
    assert STATUS.same(wanted.value, shown(account(), wanted))
    assert isinstance(deliver(account(), wanted), Accepted)
    assert len(written(kaspi)) == 1


def test_a_failure_of_kaspi_at_the_write_is_unknown_too_and_the_read_back_has_it_sent_again(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])
    wanted = change(sale.code, "confirmed")
    kaspi.sandbox.faults.set("500", match=WRITE, times=1)

    assert isinstance(deliver(account(), wanted), Unknown)
    assert not STATUS.same(wanted.value, shown(account(), wanted))
    assert isinstance(deliver(account(), wanted), Accepted)
    assert sale.status == "ACCEPTED_BY_MERCHANT"


def test_a_parcel_whose_second_write_was_lost_is_not_assembled_twice(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI)
    wanted = change(sale.code, "assembling")
    deliver(account(), change(sale.code, "confirmed"))
    kaspi.sandbox.faults.set("lost_reply", match=WRITE, times=1)

    assert isinstance(deliver(account(), wanted), Unknown)
    assert isinstance(deliver(account(), wanted), Accepted)
    assert [one["status"] for one in written(kaspi)] == ["ACCEPTED_BY_MERCHANT", "ASSEMBLE"]


def test_an_outage_defers_with_nothing_written(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)])
    kaspi.sandbox.faults.set("500")

    assert isinstance(deliver(account(), change(sale.code, "confirmed")), Deferred)
    assert written(kaspi) == []


def test_kaspis_own_words_reach_the_merchant(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI, state="KASPI_DELIVERY", status="ACCEPTED_BY_MERCHANT", pre_order=True)

    outcome = deliver(account(), change(sale.code, "assembling"))

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.message) == ("400", "Pre-order has not arrived yet, so it can't be assembled.")


def test_an_order_kaspi_does_not_know_is_refused_and_shows_nothing(account):
    wanted = change("900000999", "confirmed")

    outcome = deliver(account(), wanted)

    assert isinstance(outcome, Rejected)
    assert outcome.code == "404"
    assert STATUS.read_back is not None
    assert STATUS.read_back(account(), [wanted]) == {}


def test_an_unknown_status_at_kaspi_stops_the_write_not_the_worker(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], status="FROZEN")
    wanted = change(sale.code, "confirmed")

    outcome = deliver(account(), wanted)

    assert isinstance(outcome, Rejected)
    assert outcome.code == "unknown_status"
    assert not STATUS.same(wanted.value, shown(account(), wanted))


@responses.activate
@pytest.mark.parametrize(("goal", "meets"), [("confirmed", Accepted), ("cancelled", Rejected)])
def test_completed_already_satisfies_acceptance_and_refuses_a_cancellation(account, goal, meets):
    config = account()
    found = {"type": "orders", "id": to_id("900000007"),
             "attributes": {"code": "900000007", "state": "NEW", "status": "APPROVED_BY_BANK"}}  # fmt: skip
    title = "Order already has been completed, so it can't be completed again."
    responses.get(f"{config.base_url}orders/{found['id']}", json={"data": found})
    responses.post(f"{config.base_url}orders", json={"errors": [{"title": title}]}, status=400)

    assert isinstance(deliver(config, change("900000007", goal, reason="buyer")), meets)


@responses.activate
def test_an_html_page_in_answer_to_a_write_is_unknown(account):
    config = account()
    found = {"type": "orders", "id": to_id("900000007"),
             "attributes": {"code": "900000007", "state": "NEW", "status": "APPROVED_BY_BANK"}}  # fmt: skip
    responses.get(f"{config.base_url}orders/{found['id']}", json={"data": found})
    responses.post(f"{config.base_url}orders", body="<html>ok?</html>")

    assert isinstance(deliver(config, change("900000007", "confirmed")), Unknown)


# ── what the sandbox holds a seller to ────────────────────────────────────────────────────────────────────────────────


def test_completing_takes_the_buyers_code_in_two_steps(kaspi):
    sale = kaspi.sell([("SKU-1", 1)], **PICKUP, state="PICKUP", status="ACCEPTED_BY_MERCHANT")
    done = {"status": "COMPLETED"}

    sale.move(done, {"x-security-code": "", "x-send-code": "true"})
    with pytest.raises(Refused, match="Security code is not valid"):
        sale.move(done, {"x-security-code": "0000", "x-send-code": "true"})
    sale.move(done, {"x-security-code": str(sale.sms), "x-send-code": "true"})

    assert (sale.state, sale.status) == ("ARCHIVE", "COMPLETED")
    with pytest.raises(Refused, match="already has been completed"):
        sale.move(done, {})


def test_a_waybill_comes_some_reads_after_it_was_asked_for(kaspi, account):
    sale = kaspi.sell([("SKU-1", 1)], **KASPI)
    deliver(account(), change(sale.code, "assembling"))

    waybills = [Reading(account()).order(sale.code)[0]["attributes"]["kaspiDelivery"]["waybill"] for _ in range(2)]

    assert waybills[0] is None
    assert waybills[1].startswith("https://kaspi.kz/shop/api/waybill/")
