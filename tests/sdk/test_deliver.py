"""One change, one outcome, whatever the connector does."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    ConnectionConfig,
    ContractError,
    Deferred,
    Rejected,
    RejectedError,
    Reply,
    Sink,
    Step,
    TransientError,
    UnansweredError,
    Unknown,
    in_turn,
    outcomes,
)  # fmt: skip
from connectors.sdk.spec import equal
from connectors.sdk.testing.builders import a_change


class Settings(ConnectionConfig):
    token: SecretStr = SecretStr("s3cret-token")


def changes(count: int = 3) -> list[Change]:
    return [a_change("stock.push", f"SKU-{number}") for number in range(1, count + 1)]


def accepting_then(error: Exception) -> Sink:
    """Accepts the first change, then breaks."""

    def deliver(config: Any, changes: Sequence[Change]) -> Iterator[Any]:
        yield Accepted(changes[0])
        raise error

    return Sink("stock.push", deliver)


ENDS = {
    "nobody answered": (UnansweredError("lost"), Unknown),
    "the vendor is busy": (TransientError("busy", 7), Deferred),
    "the token is wrong": (ConfigError("put a valid token"), Deferred),
    "the vendor refuses": (RejectedError("no", "42"), Rejected),
    "the answer is odd": (ContractError("html"), Unknown),
    "the connector has a bug": (KeyError("id"), Unknown),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_was_accepted_stays_and_the_rest_gets_what_the_error_means(end: str):
    error, kind = ENDS[end]
    first, *rest = outcomes(accepting_then(error), Settings(), changes())
    assert first == Accepted(changes()[0])
    assert [type(one) for one in rest] == [kind, kind]


def test_a_wait_the_vendor_asked_for_is_passed_on():
    *_, last = outcomes(accepting_then(TransientError("busy", 7)), Settings(), changes())
    assert last == Deferred(changes()[2], 7, "busy")


def test_a_change_nobody_spoke_of_is_unknown_not_done():
    silent = Sink("stock.push", lambda config, changes: ())
    assert [type(one) for one in outcomes(silent, Settings(), changes())] == [Unknown] * 3


def test_a_second_outcome_and_one_nobody_asked_for_are_dropped():
    stranger = a_change("stock.push", "SKU-9")
    chatty = Sink(
        "stock.push", lambda config, given: [*map(Accepted, given), Rejected(given[0], "no"), Accepted(stranger)]
    )
    assert list(outcomes(chatty, Settings(), changes())) == [Accepted(one) for one in changes()]


def test_no_changes_are_no_call():
    def deliver(config: Any, changes: Any) -> Any:
        raise AssertionError("called for nothing")

    assert list(outcomes(Sink("stock.push", deliver), Settings(), [])) == []


def test_what_a_vendor_says_is_told_without_secrets_and_people():
    def deliver(config: Any, given: Sequence[Change]) -> Iterator[Any]:
        yield Rejected(given[0], "400", "no client +77000000001 with s3cret-token")
        yield Unknown(given[1], "lost: buyer1@example.com")
        raise RuntimeError("s3cret-token")

    told = [str(one) for one in outcomes(Sink("stock.push", deliver), Settings(), changes())]
    for secret in ("s3cret", "7000000001", "buyer1@"):
        assert not [line for line in told if secret in line]


@given(st.lists(st.sampled_from([Accepted, Unknown, None]), max_size=8))
def test_there_are_as_many_outcomes_as_changes(plan: list[Any]):
    asked = changes(len(plan))

    def deliver(config: Any, given: Sequence[Change]) -> Iterator[Any]:
        yield from (kind(change) for kind, change in zip(plan, given, strict=True) if kind)

    made = list(outcomes(Sink("stock.push", deliver), Settings(), asked))
    assert sorted(one.change.subject for one in made) == sorted(change.subject for change in asked)


@pytest.mark.parametrize(
    ("wanted", "seen", "same"),
    [("1300.00", 1300, True), (5, "5", True), (5, 4, False), (True, 1, True), ({"a": 1}, {"a": 1}, True),
     ("x", "y", False), (0, None, False), ("1300", "1 300 ₸", False)],
)  # fmt: skip
def test_a_number_is_what_was_wanted_however_it_is_written(wanted: Any, seen: Any, same: bool):
    assert equal(wanted, seen) is same


# ── one change a request ──────────────────────────────────────────────────────────────────────────────────────────────


def test_replies_of_a_vendor_that_takes_one_change_a_request_become_outcomes():
    def put(config: Any, change: Change) -> Reply:
        return Reply(200, {}, b"") if change.subject == "SKU-1" else Reply(409, {}, "нет в продаже".encode())

    made = list(outcomes(Sink.one_by_one("stock.push", put), Settings(), changes(2)))
    assert made == [Accepted(changes()[0]), Rejected(changes()[1], "409", "нет в продаже")]


@pytest.mark.parametrize(("error", "kind"), [(UnansweredError("lost"), Unknown), (TransientError("busy"), Deferred)])
def test_one_change_whose_request_failed_does_not_take_those_before_with_it(error: Exception, kind: type):
    def put(config: Any, change: Change) -> Reply:
        if change.subject == "SKU-2":
            raise error
        return Reply(200, {}, b"")

    sink = Sink.one_by_one("stock.push", put)
    made = [one for change in changes(3) for one in outcomes(sink, Settings(), [change])]
    assert sink.batch == 1
    assert [type(one) for one in made] == [Accepted, kind, Accepted]


def test_what_the_channel_does_not_know_is_not_shown_and_what_it_refuses_to_show_is_an_error():
    def shown(config: Any, change: Change) -> int:
        if change.subject != "SKU-1":
            raise RejectedError("no", {"SKU-2": "404"}.get(change.subject, "403"))
        return 5

    sink = Sink.one_by_one("stock.push", lambda config, change: Reply(200, {}, b""), shown)
    assert sink.read_back is not None
    assert sink.read_back(Settings(), changes(2)) == {"SKU-1": 5}
    with pytest.raises(RejectedError):
        sink.read_back(Settings(), changes(3))


# ── batches of more than one request ──────────────────────────────────────────────────────────────────────────────────


def requests_of(sent: list[str], ends: dict[str, Exception]) -> list[Step]:
    """A request of its own for each of three changes, two of them in the second."""

    def step(*told: Change) -> Step:
        def send() -> Iterator[Any]:
            sent.append(told[0].subject)
            yield Accepted(told[0])
            if error := ends.get(told[0].subject):
                raise error
            yield from map(Accepted, told[1:])

        return Step(told, send)

    first, second, third, fourth = changes(4)
    return [step(first), step(second, third), step(fourth)]


def test_a_request_without_an_answer_leaves_only_its_own_changes_unknown_and_stops_the_rest():
    sent: list[str] = []
    made = list(in_turn(requests_of(sent, {"SKU-2": UnansweredError("lost")})))
    assert [type(one) for one in made] == [Accepted, Accepted, Unknown, Deferred]
    assert sent == ["SKU-1", "SKU-2"]


def test_a_refused_request_does_not_stop_the_next():
    sent: list[str] = []
    made = list(in_turn(requests_of(sent, {"SKU-2": RejectedError("no", "42")})))
    assert [type(one) for one in made] == [Accepted, Accepted, Rejected, Accepted]
    assert sent == ["SKU-1", "SKU-2", "SKU-4"]


@pytest.mark.parametrize("error", [TransientError("busy", 7), ConfigError("put a valid token")])
def test_what_concerns_the_whole_account_is_for_the_hub_to_know(error: Exception):
    with pytest.raises(type(error)):
        list(in_turn(requests_of([], {"SKU-2": error})))
