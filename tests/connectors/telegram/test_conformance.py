"""The kit that every connector passes."""

from pathlib import Path

from connectors.sdk.testing.conformance import conformance
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from connectors.telegram.sandbox import DEMO, sandbox

CONFIG = TelegramConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestTelegram = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
