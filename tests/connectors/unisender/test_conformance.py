"""The kit that every connector passes."""

from pathlib import Path

from connectors.sdk.testing.conformance import conformance
from connectors.unisender import CONNECTOR
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.sandbox import DEMO, sandbox

CONFIG = UniSenderConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestUniSender = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
