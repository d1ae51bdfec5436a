"""The kit that every connector passes; what asks for a network does not apply to a folder."""

from connectors.files import CONNECTOR, sandbox
from connectors.files.config import FilesConfig
from connectors.sdk.testing.conformance import certify, conformance

CONFIG = FilesConfig(path="inbox/*.csv", layout="stock")
TestFiles = conformance(CONNECTOR, cases=None, config=CONFIG)


def test_it_can_be_certified_with_its_sandbox():
    assert [one for one in certify(CONNECTOR, sandbox) if not one.passed] == []
