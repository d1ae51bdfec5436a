"""Lists: filters by prefix, selections that leave things out, pages of fifty (contract bitrix24 4, 6.1 and 6.5)."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from connectors.bitrix24.simulator.door import Refusal, Rows, listed
from connectors.bitrix24.simulator.portal import MULTI, OWN_FIELDS, ZONE, Row

PAGE = 50
PREFIXES = (">=", "<=", "!@", "!=", "!%", "=%", "%=", ">", "<", "!", "@", "%", "=", "")
"""Of a filter's key, the longer first."""
ASKED_BY_NAME = (*MULTI, "COMMUNICATIONS")
"""Fields that a list shows only where they are named."""


def page_of(rows: Iterable[Row], params: Row, *, key: str, wrap: str | None = None) -> Rows:
    """The body of a list: `total` and `next` unless `start` is -1, which spares the portal the count.

    `rows` are in the order of their ids.
    """
    rows = list(rows)
    where, order = _known(params.get("filter") or {}, rows), params.get("order") or {key: "ASC"}
    start, fits = int(params.get("start") or 0), [_condition(name, wanted) for name, wanted in where.items()]
    if start < 0 and order == {key: "ASC"}:
        found = list(islice((row for row in _behind(rows, where, key) if all(fit(row) for fit in fits)), PAGE))
        return Rows(result={wrap: found} if wrap else found, total=0)
    found = [row for row in rows if all(fit(row) for fit in fits)]
    for name, way in reversed(order.items()):
        found.sort(key=lambda row: comparable(row.get(name)), reverse=str(way).upper() == "DESC")
    shown = found[max(0, start) : max(0, start) + PAGE]
    body = Rows(result={wrap: shown} if wrap else shown, total=0 if start < 0 else len(found))
    if start >= 0 and start + PAGE < len(found):
        body["next"] = start + PAGE
    return body


def _behind(rows: list[Row], where: Row, key: str) -> Iterable[Row]:
    """Found by halving: an empty reference counts as 0, so a chain that has ended begins anew."""
    after = str(where.get(f">{key}") or 0)
    place = bisect_right(rows, int(after) if after.isdigit() else 0, key=lambda row: int(row[key]))
    return islice(rows, place, None)


def _known(where: Row, rows: list[Row]) -> Row:
    """Conditions on fields that there are: a name that nobody knows is ignored without a word (contract 6.3)."""
    names = {*ASKED_BY_NAME, *OWN_FIELDS}
    return {
        name: wanted
        for name, wanted in where.items()
        if (field := _field(name)[1]) in names or any(field in row for row in rows)
    }


def field_of(name: str) -> str:
    """`>=opportunity` → `opportunity`."""
    return _field(name)[1]


def fitting(where: Row) -> Callable[[Row], bool]:
    """Conditions joined: by `and`, or as their `logic` says; a number stands for a group of them."""
    fits = [fitting(wanted) if name.isdigit() and isinstance(wanted, dict) else _condition(name, wanted)
            for name, wanted in where.items() if name != "logic"]  # fmt: skip
    joined = any if str(where.get("logic")).upper() == "OR" else all
    return lambda row: joined(fit(row) for fit in fits)


def _field(name: str) -> tuple[str, str]:
    prefix = next(one for one in PREFIXES if name.startswith(one))
    return prefix, name.removeprefix(prefix)


def _condition(name: str, wanted: Any) -> Callable[[Row], bool]:
    """One condition of a filter. What is wanted is made ready once: a list of a portal is walked for each request."""
    prefix, field = _field(name)
    fits, meant = _test(prefix, "" if wanted in (None, [], {}) else wanted), not prefix.startswith("!")

    def fit(row: Row) -> bool:
        value = row.get(field)
        return (any(map(fits, _held(value))) if isinstance(value, list | dict) else fits(value)) is meant

    return fit


def _held(value: list[Any] | Row) -> list[Any]:
    """A field that holds several values is found by each of them; multi-fields and properties are objects."""
    several = value if isinstance(value, list) else [value]
    return [one.get("VALUE", one.get("value")) if isinstance(one, dict) else one for one in several] or [None]


def _test(prefix: str, wanted: Any) -> Callable[[Any], bool]:
    if "%" in prefix:
        alike = _pattern(prefix, str(wanted))
        return lambda value: alike.search(str(value or "")) is not None
    if prefix in (">", ">=", "<", "<="):
        bound = comparable("0" if wanted == "" else wanted)
        return lambda value: _compared(prefix, comparable(value), bound)
    among = [str(one) for one in listed(wanted)]
    some = set(among if "@" in prefix else among or [""])
    return lambda value: str("" if value is None else value) in some


def _pattern(prefix: str, wanted: str) -> re.Pattern[str]:
    """`%` and `!%`: what is wanted stands anywhere. `=%` and `%=`: the whole, where each % stands for anything."""
    if "=" not in prefix:
        return re.compile(re.escape(wanted), re.IGNORECASE)
    return re.compile("^" + ".*".join(map(re.escape, wanted.split("%"))) + "$", re.IGNORECASE | re.DOTALL)


def _compared(prefix: str, value: Any, wanted: Any) -> bool:
    ways: dict[str, Callable[[], bool]] = {
        ">": lambda: value > wanted, ">=": lambda: value >= wanted,
        "<": lambda: value < wanted, "<=": lambda: value <= wanted,
    }  # fmt: skip
    try:
        return ways[prefix]()
    except TypeError:
        raise Refusal(400, "INVALID_ARG_VALUE", "Invalid filter value") from None


def comparable(value: Any) -> Any:
    """Numbers by value, times as instants (without an offset: in the portal's zone), the rest as text."""
    text = "" if value is None else str(value)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZONE)).timestamp()


def selected(row: Row, select: Any) -> Row:
    """Of an older method: `*` leaves out one's own fields and multi-fields; unknown names are ignored."""
    names = listed(select) or ["*"]
    shown = {"ID", *(name for name in names if name in row)}
    if "*" in names:
        shown |= {name for name in row if not name.startswith("UF_") and name not in ASKED_BY_NAME}
    if "UF_*" in names:
        shown |= {name for name in row if name.startswith("UF_")}
    return {name: value for name, value in row.items() if name in shown}
