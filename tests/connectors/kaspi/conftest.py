"""A Kaspi on loopback, and a seller's account of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.sandbox import MERCHANT, TOKEN, Kaspi, sandbox
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served

Account = Callable[..., KaspiConfig]


@pytest.fixture
def naps() -> Iterator[list[float]]:
    """Waits are noted, not waited; every test has a rate bucket of its own."""
    slept: list[float] = []
    with using(Runtime(bucket=LocalBucket(), sleep=slept.append)):
        yield slept


@pytest.fixture
def kaspi(now: datetime) -> Kaspi:
    """No orders, no limits, the clock stopped at `now`."""
    return sandbox(limits="off", clock=lambda: now)


@pytest.fixture
def account(kaspi: Kaspi, naps: list[float]) -> Iterator[Account]:
    """Makes the settings of a seller whose orders are in `kaspi`."""
    with served(kaspi.sandbox) as url:

        def settings(**given: Any) -> KaspiConfig:
            known = {"base_url": url, "token": TOKEN, "merchant_id": MERCHANT, "per_second": 1000, "timeout": 5}
            return KaspiConfig.model_validate({**known, **given}).named("kaspi_almaty")

        yield settings
