"""A write leaves once, as it was meant, and what became of it is known or said to be unknown."""

from decimal import Decimal
from time import monotonic

import pytest

from connectors.sdk import ContractError, Http, TransientError, UnansweredError, runtime
from connectors.sdk.runtime import Runtime
from tests.sdk.http.vendor import client


@pytest.mark.parametrize(("fault", "had_effect"), [("lost_reply", True), ("cut", True), ("500", False)])
def test_a_write_without_an_answer_is_unanswered_and_left_once(vendor, hub, fault, had_effect):
    vendor.sandbox.faults.set(fault)
    with pytest.raises(UnansweredError, match="read back"):
        client(vendor).send("POST", "orders", json={"n": 1})
    assert len(vendor.sandbox.journal) == 1
    assert bool(vendor.effects) is had_effect


def test_a_write_that_is_answered_too_late_is_unanswered(vendor, hub):
    vendor.sandbox.faults.set("slow", size=3)
    with pytest.raises(UnansweredError):
        client(vendor, timeout=(1, 0.2)).send("PUT", "stock", json={})
    assert len(vendor.effects) == 1


def test_a_write_that_was_refused_for_a_while_did_not_happen(vendor, hub):
    vendor.sandbox.faults.set("429", size=7)
    with pytest.raises(TransientError) as caught:
        client(vendor).send("POST", "orders", json={})
    assert not isinstance(caught.value, UnansweredError)
    assert caught.value.retry_after == 7
    assert hub.paused == [("acme", 7)]
    assert vendor.effects == []


def test_a_write_that_found_nobody_did_not_happen(hub):
    with pytest.raises(TransientError, match="nothing was sent") as caught:
        Http("http://127.0.0.1:9", account="acme").send("POST", "orders", json={})
    assert not isinstance(caught.value, UnansweredError)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_definite_no_is_a_reply_to_read(vendor, hub, status):
    vendor.says(status, '{"error": "too long"}')
    reply = client(vendor).send("POST", "orders", json={})
    assert (reply.ok, reply.status, reply.json()) == (False, status, {"error": "too long"})


def test_a_write_is_not_begun_when_it_could_not_be_finished(vendor, hub):
    with runtime.using(Runtime(bucket=hub, deadline=monotonic() + 1)), pytest.raises(TransientError, match="not sent"):
        client(vendor).send("POST", "orders", json={})
    assert vendor.sandbox.journal == []


def test_a_redirected_write_is_nobodys_success(vendor, hub):
    vendor.says(302, Location="https://elsewhere.example/login")
    with pytest.raises(ContractError, match=r"elsewhere\.example"):
        client(vendor).send("POST", "orders", json={})


def test_a_body_leaves_as_it_was_meant(vendor, hub):
    """A price of two decimals is no float on its way, and letters are sent as letters."""
    client(vendor).send("POST", "prices", json={"price": Decimal("1200.10"), "sum": Decimal("1E+3"), "name": "Әлия"})
    assert vendor.bodies == ['{"price":1200.10,"sum":1000,"name":"Әлия"}'.encode()]


@pytest.mark.parametrize("price", [Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_json_cannot_say_does_not_leave(vendor, hub, price):
    with pytest.raises(TypeError):
        client(vendor).send("POST", "prices", json={"price": price})
    assert vendor.bodies == []
