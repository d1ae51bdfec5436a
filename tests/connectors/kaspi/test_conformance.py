"""The kit that every connector passes."""

from pathlib import Path

from connectors.kaspi import CONNECTOR
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance

CONFIG = KaspiConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestKaspi = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
