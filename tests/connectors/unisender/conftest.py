"""An account of UniSender on loopback, and the hub's connection to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.sdk import Change, Outcome, Record, Shown, Since, outcomes
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.unisender import CONNECTOR
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.sandbox import KEY, UniSender, sandbox

Settings = Callable[..., UniSenderConfig]


@pytest.fixture
def account(now) -> UniSender:
    """A common list with two people in it, and an empty list of VIPs."""
    state = sandbox(clock=lambda: now)
    everybody = state.listed("Общий список")
    state.listed("VIP")
    state.contact("aigerim@example.kz", everybody, fields={"Name": "Айгерім"})
    state.contact("daniyar@example.kz", everybody, fields={"Name": "Данияр"})
    return state


@pytest.fixture
def settings(account: UniSender) -> Iterator[Settings]:
    """Makes the settings of the account; waits are noted, not waited."""
    with served(account.sandbox) as url, using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):

        def make(**given: Any) -> UniSenderConfig:
            known = {"base_url": url, "api_key": KEY, "per_second": 1000}
            return UniSenderConfig.model_validate({**known, **given}).named("letters")  # type: ignore[return-value]

        yield make


def read(config: UniSenderConfig, name: str, since: Since) -> list[Record]:
    return [record for page in CONNECTOR.resource(name).extract(config, since) for record in page.records]


def joins(email: str, audience: str = "VIP") -> Change:
    return Change("segment.push", f"{audience}/{email}", "", {"audience": audience, "member": True},
                  about={"email": email})  # fmt: skip


def leaves(email: str | None, receipt: str = "", audience: str = "VIP") -> Change:
    return Change("segment.push", f"{audience}/{receipt or email}", receipt, {"audience": audience, "member": False},
                  about={"email": email} if email else {})  # fmt: skip


def shown(config: UniSenderConfig, *changes: Change) -> dict[str, Any]:
    """Subject → value, as read back."""
    read_back = CONNECTOR.sink(changes[0].capability).read_back
    assert read_back is not None
    return {subject: Shown.of(seen).value for subject, seen in read_back(config, changes).items()}


def sent(config: UniSenderConfig, *changes: Change) -> list[Outcome]:
    """Outcomes in the order of the changes."""
    sink = CONNECTOR.sink(changes[0].capability)
    found = {outcome.change.subject: outcome for outcome in outcomes(sink, config, changes)}
    return [found[change.subject] for change in changes]
