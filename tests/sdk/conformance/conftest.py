"""A good connector, fresh from the scaffold."""

from pathlib import Path
from types import ModuleType

import pytest

from connectors.sdk.testing.kit import Kit


@pytest.fixture
def good(acme: ModuleType, plugin: Path) -> Kit:
    config = acme.AcmeConfig(token="sandbox-token").named("acme_shop")
    return Kit(acme.CONNECTOR, config, plugin / "tests/cases", acme.sandbox.sandbox)
