"""The kit that every connector passes."""

from pathlib import Path

from connectors.kaspi import CONNECTOR
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance
from connectors.sdk.testing.kit import Kit
from connectors.sdk.testing.rules.reading import it_keeps_the_vendors_limits

CASES = Path(__file__).parent / "cases"
CONFIG = KaspiConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestKaspi = conformance(CONNECTOR, cases=CASES, config=CONFIG, sandbox=sandbox)


def test_its_own_pace_is_below_the_limit_that_is_told():
    it_keeps_the_vendors_limits(Kit(CONNECTOR, CONFIG, CASES, sandbox))
