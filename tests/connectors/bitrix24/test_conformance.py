"""The kit that every connector passes."""

from pathlib import Path

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance

CONFIG = Bitrix24Config.model_validate({**DEMO.settings, **DEMO.secrets})
TestBitrix24 = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
