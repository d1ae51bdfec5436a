"""A merchant with a folder per connection, and lines of receipts to drop there."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from connectors.files import CONNECTOR
from dagster_project.connections import Hub, parse
from dagster_project.steps.files.read import FileReport, ingest_files

MONDAY = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
RECEIPTS = "receipt,location,sku,quantity,total,placed_at"
SETTINGS: dict[str, dict[str, Any]] = {
    "tills": {"layout": "receipts", "timezone": "Asia/Almaty", "currency": "KZT"},
    "counts": {"layout": "stock", "timezone": "Asia/Almaty"},
    "goods": {"layout": "products"},
    "tags": {"layout": "prices", "currency": "KZT", "timezone": "Asia/Almaty"},
    "people": {"layout": "customers", "timezone": "Asia/Almaty"},
}


@dataclass
class Shop:
    """A merchant with one folder per connection."""

    engine: Engine
    folder: Path
    settings: dict[str, dict[str, Any]]
    hub_settings: str = "{}"

    @property
    def hub(self) -> Hub:
        entries = {
            name: {"connector": "files", "settings": {"path": f"{name}/*", **settings}}
            for name, settings in self.settings.items()
        }
        written = "\n".join(f"{name}: {entry!r}".replace("None", "null") for name, entry in entries.items())
        return parse(f"hub: {self.hub_settings}\n{written}", {"files": CONNECTOR}, folder=self.folder)

    def drops(self, connection: str, name: str, *lines: str, minutes: int = 0) -> Path:
        path = self.folder / connection / name
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        os.utime(path, times=(MONDAY.timestamp() + 60 * minutes,) * 2)
        return path

    def reads(self, connection: str = "tills", now: datetime = MONDAY) -> list[FileReport]:
        hub = self.hub
        return ingest_files(self.engine, hub[connection], now=now, hub=hub)

    def asks(self, query: str) -> list[Any]:
        with self.engine.connect() as db:
            found = db.execute(text(query)).all()
        return [row[0] if len(row) == 1 else tuple(row) for row in found]

    @property
    def receipts(self) -> dict[str, Decimal]:
        return dict(self.asks('select external_id, total from canonical."order" order by 1'))


def line(
    receipt: object,
    sku: str = "tea",
    quantity: str = "1",
    total: str = "100.00",
    at: str = "2026-03-02 10:00",
    location: str = "A",
) -> str:
    return f"{receipt},{location},{sku},{quantity},{total},{at}"
