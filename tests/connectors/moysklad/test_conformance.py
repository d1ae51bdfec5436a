"""The kit that every connector passes."""

from pathlib import Path

from connectors.moysklad import CONNECTOR
from connectors.moysklad.config import MoySkladConfig
from connectors.moysklad.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance

CONFIG = MoySkladConfig.model_validate({**DEMO.settings, **DEMO.secrets})
TestMoySklad = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
