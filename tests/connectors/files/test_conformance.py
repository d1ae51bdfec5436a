"""The kit that every connector passes; what asks for a network does not apply to a folder."""

from connectors.files import CONNECTOR
from connectors.files.config import FilesConfig
from connectors.sdk.testing.conformance import conformance

CONFIG = FilesConfig(path="inbox/*.csv", layout="stock")
TestFiles = conformance(CONNECTOR, cases=None, config=CONFIG)
