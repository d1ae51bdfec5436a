"""`python -m dagster_project.bench`: runs the benches and prints their rows."""

import argparse
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from types import ModuleType

from rich.console import Console
from rich.table import Table

import dagster_project.bench
from dagster_project.bench.apart import apart
from dagster_project.bench.row import Row, rows_of

COLUMNS = ("name", "measured", "unit", "peer", "peer_measured", "ratio", "goal", "holds", "seed")


def benches() -> Iterator[ModuleType]:
    """Modules of this folder that measure something."""
    for found in pkgutil.iter_modules(dagster_project.bench.__path__):
        if not found.name.startswith("_"):
            module = import_module(f"{dagster_project.bench.__name__}.{found.name}")
            if hasattr(module, "NAMES"):
                yield module


def measured(only: str | None = None) -> Iterator[Row]:
    """Rows of all benches, or the one called `only`. Raises SystemExit naming the known ones where it is unknown.

    Each bench has a process of its own, or the peak memory of one would be counted as another's.
    """
    known = {name: module.__name__ for module in benches() for name in module.NAMES}
    if only is not None and only not in known:
        raise SystemExit(f"there is no bench {only!r}; known: {', '.join(sorted(known))}")
    for module in dict.fromkeys([known[only]] if only else known.values()):
        yield from (row for row in apart(rows_of, module) if only in (None, row.name))


def as_record(row: Row) -> dict[str, object]:
    record = {**asdict(row), "ratio": row.ratio}
    numbers = {name: round(value, 3) for name, value in record.items() if isinstance(value, float)}
    return {**{name: record[name] for name in COLUMNS}, **{n: v for n, v in numbers.items() if n in COLUMNS}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__, epilog='Example: make bench ARGS="--json"')
    parser.add_argument("--only", help="the one row to measure")
    parser.add_argument("--json", action="store_true", help="print a list and nothing else on standard output")
    asked = parser.parse_args()
    if asked.json:
        print(json.dumps([as_record(row) for row in measured(asked.only)], ensure_ascii=False, indent=1))
        return
    table = Table(*COLUMNS, "note")
    for row in measured(asked.only):
        table.add_row(*("" if value is None else str(value) for value in as_record(row).values()), row.note)
        Console(stderr=True).print(f"{row.name}: {row.measured:,.1f} {row.unit}")
    Console(file=sys.stdout, width=160).print(table)


if __name__ == "__main__":
    main()
