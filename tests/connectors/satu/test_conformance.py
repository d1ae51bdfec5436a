"""The kit that every connector passes."""

from pathlib import Path

from connectors.satu import CONNECTOR
from connectors.satu.config import SatuConfig
from connectors.satu.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance

CONFIG = SatuConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestSatu = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
