"""A file on disk and the settings it is read with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.files.config import FilesConfig
from connectors.files.source import find, read
from connectors.sdk.files import FileFrames

Reads = Callable[..., FileFrames]
DEFAULTS: dict[str, dict[str, Any]] = {
    "receipts": {"currency": "KZT", "timezone": "Asia/Almaty"},
    "prices": {"currency": "KZT", "timezone": "Asia/Almaty"},
}


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    """`reads(content, name="x.csv", layout="receipts", **settings)`: what the connector makes of such a file."""

    def read_it(content: str | bytes, name: str = "file.csv", layout: str = "receipts", **settings: Any) -> FileFrames:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        config = FilesConfig(path=str(tmp_path / name), layout=layout, **{**DEFAULTS.get(layout, {}), **settings})
        (found,) = find(config)
        return read(config, found)

    return read_it
