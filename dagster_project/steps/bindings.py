"""bindings.csv beside connections.yaml: `connection, external_id, sku`, the word that no other binding overrules."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.store import explicit
from dagster_project.store.explicit import Conflict, Explicit
from dagster_project.store.locks import in_turn

COLUMNS = ("connection", "external_id", "sku")


class _Seen(NamedTuple):
    store: str
    file: Path


_applied: dict[_Seen, tuple[int, int] | None] = {}


def apply(engine: Engine, hub: Hub, *, now: datetime) -> None:
    """Makes the store's explicit bindings those of the file. Raises ConfigError naming the line that cannot be read.

    Costs one look at the file while it stays as this process last applied it.
    """
    path = hub.folder / explicit.FILE
    seen, state = _Seen(str(engine.url), path.absolute()), _state(path)
    if seen in _applied and _applied[seen] == state:
        return
    rows, conflicts = read(path, hub)
    with engine.begin() as db:
        in_turn(db, explicit.LOCK)
        explicit.replace(db, rows, conflicts, now=now)
    _applied[seen] = state


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def read(path: Path, hub: Hub) -> tuple[list[Explicit], list[Conflict]]:
    """The file's rows, less those that bind one external id to two skus: they are conflicts to show, not to guess."""
    wanted: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for connection, external_id, sku in _lines(path, hub):
        wanted[connection, external_id].add(sku)
    rows = [Explicit(*key, next(iter(skus))) for key, skus in wanted.items() if len(skus) == 1]
    conflicts = [Conflict(*key, tuple(sorted(skus))) for key, skus in wanted.items() if len(skus) > 1]
    return rows, conflicts


def _lines(path: Path, hub: Hub) -> Iterator[tuple[str, str, str]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, skipinitialspace=True)
        if missing := set(COLUMNS) - set(lines.fieldnames or ()):
            raise ConfigError(
                f"{path} lacks the column {', '.join(sorted(missing))}; its first line is: {', '.join(COLUMNS)}"
            )
        for number, line in enumerate(lines, 2):
            connection, external_id, sku = ((line[name] or "").strip() for name in COLUMNS)
            if not (connection and external_id and sku):
                raise ConfigError(f"{path}, line {number}: give connection, external_id and sku")
            if connection not in hub.connections:
                raise ConfigError(f"{path}, line {number}: there is no connection {connection!r} in connections.yaml")
            yield connection, external_id, sku
