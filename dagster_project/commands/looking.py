"""Whoever looks at people through a command is written down before anything is shown."""

import getpass
import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine

from connectors.sdk.redact import redacted
from dagster_project.store.people import access

_LITERAL = re.compile(r"'(?:[^']|'')*'")


def looked(
    engine: Engine, command: str, what: str, fields: Collection[str], *, rows: int = 1, persons: Collection[str] = ()
) -> None:
    """`what`: the object of the look, which names nobody. `persons`: ids, where it is known whose it is."""
    who = getpass.getuser()
    access.logged(engine, actor=who, purpose=command, object=what, fields=fields, rows=rows, persons=persons)


def shown_fields(row: Mapping[str, Any]) -> list[str]:
    """Names of the fields that say something."""
    return sorted(name for name, value in row.items() if value not in (None, [], {}))


def without_words(query: str) -> str:
    """A query as it may be kept: what it asked for, not whom."""
    return redacted(_LITERAL.sub("'…'", query))
