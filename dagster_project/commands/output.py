"""How commands speak: one sentence on failure, JSON and nothing else with `--json`, progress only on a terminal."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from connectors.sdk.errors import HubError

P = ParamSpec("P")
T = TypeVar("T")

WIDE = None if sys.stdout.isatty() else 240
"""Columns: a terminal's own; a file or a pipe has room."""

READABLE = 16
"""Columns that a cell needs to be read when it is folded."""

out = Console(soft_wrap=True, width=WIDE)
err = Console(stderr=True, soft_wrap=True)


def says_who_must_act(command: Callable[P, T]) -> Callable[P, T]:
    """A command whose expected errors end as one sentence on standard error and exit code 1, not as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except HubError as error:
            err.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from error

    return wrapped


def plain(value: Any) -> Any:
    """A database value as JSON: whole decimals as numbers, others as numbers too, moments in ISO 8601."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=plain) + "\n")


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str = "nothing") -> None:
    """A list of objects: JSON, or a table for people; one below the other where a table would fold into syllables."""
    if as_json:
        print_json([dict(row) for row in rows])
    elif not rows:
        out.print(empty)
    elif _least_width(rows) > out.width:
        out.print("\n\n".join(_record(row) for row in rows), markup=False, highlight=False)
    else:
        out.print(_table(rows))


def _least_width(rows: Sequence[Mapping[str, Any]]) -> int:
    """Columns of a table of these rows whose long cells are folded at READABLE."""
    shown = [[name, *(_cell(row.get(name)) for row in rows)] for name in _columns(rows)]
    return sum(min(READABLE, max(map(len, cells))) + 1 for cells in shown)


def _record(row: Mapping[str, Any]) -> str:
    widest = max(map(len, row))
    return "\n".join(f"{name:<{widest}}  {_cell(value)}".rstrip() for name, value in row.items())


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, collapse_padding=True)
    columns = _columns(rows)
    for column in columns:
        value = rows[0].get(column)
        right = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        table.add_column(column, overflow="fold", justify="right" if right else "left")
    for row in rows:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    return table


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all rows: records of several entities are printed together."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, default=plain) if isinstance(value, dict | list) else str(value)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, str], None]]:
    """A line that says what is being done, on standard error; a log gets a line each time."""
    if not err.is_terminal:
        yield lambda who, what: err.print(f"{title}: {who} {what}", markup=False, highlight=False)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda who, what: bar.update(task, description=f"{title}: [bold]{who}[/] {what}")
