"""One order of Kaspi → one canonical order and its buyer (contract kaspi 3.2 and 9)."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.mapping import to_customer, to_order
from connectors.kaspi.records import is_whole, to_id
from mappings.canonical import Customer, Order
from mappings.tables import Mapped, Quarantined

CONFIG = KaspiConfig(token="not-a-real-token", merchant_id="30000000")
PHONE = "7000000001"


def a_record(lines: list[dict[str, Any]] | None = None, **attributes: Any) -> dict[str, Any]:
    """An order waiting for acceptance, of one piece for 1000 unless `lines` says otherwise."""
    lines = [{}] if lines is None else lines
    entries = [
        {
            "type": "orderentries",
            "id": to_id(f"900000001##{number}"),
            "attributes": {"entryNumber": number, "quantity": 1, "basePrice": 1000.0, "totalPrice": 1000.0,
                           "unitType": "PIECES", "offer": {"code": f"SKU-{number}", "name": "Пиала"}, **line},
        }
        for number, line in enumerate(lines)
    ]  # fmt: skip
    customer = {"id": to_id(PHONE), "cellPhone": PHONE, "firstName": "Әлия", "lastName": "Т"}
    known = {"code": "900000001", "creationDate": 1_772_427_600_000, "state": "NEW", "status": "APPROVED_BY_BANK",
             "totalPrice": sum(entry["attributes"]["totalPrice"] for entry in entries), "customer": customer,
             "deliveryMode": "DELIVERY_PICKUP", "isKaspiDelivery": False}  # fmt: skip
    return {"type": "orders", "id": to_id("900000001"), "attributes": {**known, **attributes}, "entries": entries}


def order(record: dict[str, Any], config: KaspiConfig | None = CONFIG) -> Order:
    match to_order(record, config):
        case Mapped((Order() as mapped,)):
            return mapped
        case other:
            raise AssertionError(other)


def customer(record: dict[str, Any], config: KaspiConfig | None = CONFIG) -> Customer:
    match to_customer(record, config):
        case Mapped((Customer() as mapped,)):
            return mapped
        case other:
            raise AssertionError(other)


def set_aside(record: dict[str, Any]) -> Quarantined:
    result = to_order(record, CONFIG)
    assert isinstance(result, Quarantined), result
    return result


COURIER = {"kaspiDelivery": {"courierTransmissionDate": 1_772_500_000_000}}

STAGES = [
    ("NEW", "APPROVED_BY_BANK", {}, "placed"),
    ("SIGN_REQUIRED", "APPROVED_BY_BANK", {"signatureRequired": True}, "placed"),
    ("SIGN_REQUIRED", "ACCEPTED_BY_MERCHANT", {"signatureRequired": True}, "placed"),
    ("NEW", "ACCEPTED_BY_MERCHANT", {}, "confirmed"),
    ("PICKUP", "ACCEPTED_BY_MERCHANT", {}, "ready"),
    ("DELIVERY", "ACCEPTED_BY_MERCHANT", {}, "shipped"),
    ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {}, "assembling"),
    ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {"assembled": False}, "assembling"),
    ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {"preOrder": True}, "confirmed"),
    ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {"assembled": True}, "ready"),
    ("KASPI_DELIVERY", "ACCEPTED_BY_MERCHANT", {"assembled": True, **COURIER}, "shipped"),
    ("KASPI_DELIVERY", "ASSEMBLE", {}, "ready"),
    ("KASPI_DELIVERY", "ASSEMBLED", {}, "ready"),
    ("ARCHIVE", "COMPLETED", {}, "completed"),
    ("ARCHIVE", "CANCELLED", {}, "cancelled"),
    ("KASPI_DELIVERY", "CANCELLING", {}, "cancelled"),
    ("ARCHIVE", "KASPI_DELIVERY_RETURN_REQUESTED", {}, "returning"),
    ("ARCHIVE", "RETURN_ACCEPTED_BY_MERCHANT", {}, "returning"),
    ("ARCHIVE", "RETURNED", {}, "returned"),
]


@pytest.mark.parametrize(("state", "status", "facts", "stage"), STAGES)
def test_state_and_status_give_one_canonical_stage(state, status, facts, stage):
    mapped = order(a_record(state=state, status=status, **facts))

    assert (mapped.status, mapped.status_raw) == (stage, f"{state}/{status}")


@pytest.mark.parametrize(
    ("state", "status"),
    [("NEW", "FROZEN"), ("TELEPORT", "ACCEPTED_BY_MERCHANT"), ("ARCHIVE", "ACCEPTED_BY_MERCHANT"), (None, None)],
)
def test_an_unknown_status_or_combination_is_set_aside_not_guessed(state, status):
    assert set_aside(a_record(state=state, status=status)).rule == "unknown_status"


def test_goods_that_travel_back_after_a_cancellation_are_marked():
    assert order(a_record(state="KASPI_DELIVERY", status="CANCELLING")).delivery["goods_travel_back"] is True
    assert "goods_travel_back" not in order(a_record(state="ARCHIVE", status="CANCELLED")).delivery


def test_a_loan_that_is_not_signed_yet_is_told():
    waiting = order(
        a_record(state="SIGN_REQUIRED", signatureRequired=True, paymentMode="PAY_WITH_CREDIT", creditTerm=3)
    )

    assert waiting.payment == {"method": "credit", "months": 3, "state": "signature_pending"}


# ── money and goods ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_delivery_that_the_buyer_pays_comes_on_top_of_the_goods():
    mapped = order(a_record([{}, {"quantity": 2, "totalPrice": 2000}], deliveryCost=500))

    assert (mapped.total, mapped.delivery_cost) == (Decimal(3500), Decimal(500))
    assert [(line.sku, line.quantity, line.unit_price) for line in mapped.lines] == [
        ("SKU-0", 1, Decimal(1000)), ("SKU-1", 2, Decimal(1000)),
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.decimals(1, 900_000, places=2)), min_size=1, max_size=8
    ),
    st.booleans(),
)  # fmt: skip
def test_no_tiyn_is_lost_whether_money_comes_as_integer_or_float(lines, whole_numbers):
    def money(value: Decimal) -> Any:
        return int(value) if whole_numbers else float(value)

    raw = [{"quantity": n, "basePrice": money(price), "totalPrice": money(n * price)} for n, price in lines]
    total = sum(Decimal(str(line["totalPrice"])) for line in raw)

    record = a_record(raw, totalPrice=float(total))

    assert is_whole(record)
    assert order(record).total == total


def test_half_a_piece_is_set_aside_and_half_a_kilo_is_not():
    assert set_aside(a_record([{"quantity": 0.5}])).rule == "broken_piece"
    assert order(a_record([{"quantity": 0.5, "unitType": "MEASURABLE"}])).lines[0].quantity == Decimal("0.5")


def test_a_line_without_the_sellers_sku_is_set_aside():
    assert set_aside(a_record([{"offer": None}])).rule == "no_sku"


@pytest.mark.parametrize("name", ["code", "creationDate", "totalPrice", "status"])
def test_an_order_without_what_it_needs_is_set_aside(name):
    record = a_record()
    del record["attributes"][name]

    assert isinstance(to_order(record, CONFIG), Quarantined)


def test_lines_worth_less_than_the_order_are_not_all_its_lines():
    assert is_whole(a_record([{}, {}]))
    assert not is_whole(a_record([{}], totalPrice=2000))


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"pickupPointId": "30000000_PP1"}, "PP1"),
        ({"pickupPointId": "merchant_PP2", "originAddress": {"displayName": "PP9"}}, "PP2"),
        ({"originAddress": {"displayName": "PP3"}}, "PP3"),
        ({}, None),
    ],
)
def test_the_sellers_point_is_named_as_in_the_price_list(facts, place):
    assert order(a_record(**facts)).location == place


def test_an_instant_is_one_whatever_the_clock_on_the_wall_was():
    assert order(a_record(creationDate=1_706_608_613_252)).placed_at.isoformat() == "2024-01-30T09:56:53.252000+00:00"


@pytest.mark.parametrize(
    ("by_kaspi", "mode", "ours"),
    [
        (False, "DELIVERY_PICKUP", "pickup"), (False, "DELIVERY_LOCAL", "courier"),
        (True, "DELIVERY_PICKUP", "parcel_locker"), (True, "DELIVERY_LOCAL", "courier"),
        (True, "DELIVERY_REGIONAL_TODOOR", "intercity_courier"), (True, "DELIVERY_REGIONAL_PICKUP", "intercity_pickup"),
        (True, "DELIVERY_BY_DRONE", "DELIVERY_BY_DRONE"),
    ],
)  # fmt: skip
def test_who_delivers_and_how(by_kaspi, mode, ours):
    delivery = order(a_record(isKaspiDelivery=by_kaspi, deliveryMode=mode)).delivery

    assert (delivery["mode"], delivery["service"]) == (ours, "kaspi" if by_kaspi else "own")


# ── the buyer ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_digits_are_a_kazakh_phone():
    record = a_record()

    assert order(record).contact_phone == "+77000000001"
    assert customer(record).phones == ("+77000000001",)
    assert customer(record).name == "Әлия Т"


def test_a_buyers_id_does_not_give_the_phone_away():
    buyer = customer(a_record()).external_id

    assert buyer not in {PHONE, to_id(PHONE)}
    assert re.fullmatch("[0-9a-f]{32}", buyer)


def test_a_buyer_is_the_same_in_every_order_padded_or_told_by_the_phone_alone():
    plain = a_record()
    padded = a_record(customer={**plain["attributes"]["customer"], "id": to_id(PHONE) + "=="})
    old = a_record(customer={"cellPhone": PHONE, "firstName": "Әлия", "lastName": "Т"})

    ids = {customer(record).external_id for record in (plain, padded, old)} | {order(plain).customer}

    assert len(ids) == 1


def test_a_family_on_one_phone_is_as_many_buyers_as_it_has_names():
    by_phone = a_record()["attributes"]["customer"]
    daughter, mother = (
        order(a_record(customer={**by_phone, "firstName": first, "lastName": "Т"})).customer
        for first in ("Әлия", "Сәуле")
    )

    assert daughter == order(a_record()).customer
    assert mother != daughter


def test_a_secret_key_makes_other_ids_and_a_new_token_does_not():
    keyed = KaspiConfig(token="not-a-real-token", merchant_id="30000000", pseudonym_key="invented key")
    renewed = KaspiConfig(token="another-unreal-token", merchant_id="30000000")

    assert customer(a_record(), keyed).external_id != customer(a_record()).external_id
    assert customer(a_record(), renewed).external_id == customer(a_record()).external_id


def test_an_order_whose_buyer_is_not_told_has_none():
    record = a_record(customer=None)

    assert order(record).customer is None
    assert to_customer(record, CONFIG) == Mapped(())


def test_a_saved_reply_maps_without_any_settings():
    assert order(a_record(), None).customer == customer(a_record(), None).external_id
