"""A vendor on loopback and a runtime that sleeps in no time."""

from collections.abc import Iterator

import pytest

from connectors.sdk import runtime
from connectors.sdk.runtime import Runtime
from connectors.sdk.testing.sandbox import served
from tests.sdk.http.vendor import Shared, Vendor


@pytest.fixture
def hub() -> Iterator[Shared]:
    """A runtime that sleeps in no time."""
    shared = Shared()
    with runtime.using(Runtime(bucket=shared, note=shared.attempts.append, sleep=shared.slept.append)):
        yield shared


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    one = Vendor()
    with served(one.sandbox) as url:
        one.url = url
        yield one
