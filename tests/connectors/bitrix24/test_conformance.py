"""The kit that every connector passes."""

from dataclasses import replace
from pathlib import Path

from connectors.bitrix24 import CONNECTOR, sink
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.sandbox import DEMO, sandbox
from connectors.sdk.testing.conformance import conformance, verdict
from connectors.sdk.testing.kit import Kit
from connectors.sdk.testing.rules.writing import a_repeat_has_one_effect

CONFIG = Bitrix24Config.model_validate({**DEMO.settings, **DEMO.secrets})
TestBitrix24 = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)


def test_the_kit_catches_a_connector_that_makes_the_same_person_twice(monkeypatch):
    monkeypatch.setattr(sink, "cards", lambda config, people, further=(): {})
    people = replace(CONNECTOR, sinks=(CONNECTOR.sink("customer.push"),))
    found = verdict(a_repeat_has_one_effect, Kit(people, CONFIG.named("crm"), None, sandbox))
    assert not found.passed
    assert "and then" in found.why
