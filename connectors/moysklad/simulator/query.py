"""The sandbox's query language: filter, order, pages and expand, traps included (contract moysklad 3 and 4)."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.moysklad.api import uuid_of
from connectors.moysklad.simulator.books import Books, Fields, Refusal, Row, Table, meta, told

PARTS = {"positions": "{}position", "components": "{}component"}
"""Collections of an entity, and the type of their rows."""
CONDITION = re.compile(r"([\w.\-/:]+?)(!=|>=|<=|~=|=~|>|<|~|=)(.*)", re.S)
TEXT: dict[str, Callable[[str, str], bool]] = {
    "~": lambda have, want: want in have,
    "~=": str.startswith,
    "=~": str.endswith,
}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le
}  # fmt: skip
FLAGS = {"archived": "archived", "isDeleted": "deleted"}
"""Conditions that bring to light what default lists hide."""
TIMES = ("updated", "created", "moment")
RENAMED = {"productid": "product"}
UNFILTERED = {"assortment": {"article", "salePrice", "owner", "stockMode", "quantityMode", "stockStore", "stockMoment"}}
"""What the assortment without stock does not filter by."""
MOST = 1000
EXPANDING = 100
DEPTH = 3


@dataclass(frozen=True)
class Condition:
    field: str
    sign: str
    value: str


@dataclass(frozen=True)
class Query:
    """One request for a list."""

    conditions: Sequence[Condition] = ()
    order: Sequence[tuple[str, bool]] = ()
    limit: int = MOST
    offset: int = 0
    expand: Sequence[str] = ()
    search: str = ""


@dataclass(frozen=True)
class Found:
    rows: Sequence[Row]
    size: int


def parse(params: Mapping[str, str]) -> Query:
    """Raises Refusal on what MoySklad refuses."""
    limit, offset = _number(params, "limit", MOST), _number(params, "offset", 0)
    if not 1 <= limit <= MOST or offset < 0:
        raise Refusal(400, 1033, "Ошибка ограничения выборки: limit от 1 до 1000")
    if "fields" in params and limit > EXPANDING:
        raise Refusal(400, 3042, "Параметр fields доступен при limit не больше 100")
    expand = params["expand"].split(",") if params.get("expand") and limit <= EXPANDING else ()
    if any(path.count(".") >= DEPTH for path in expand):
        raise Refusal(400, 1089, "Слишком большая вложенность expand")
    order = [_order(part) for part in params.get("order", "").split(";") if part]
    return Query(conditions(params.get("filter", "")), order, limit, offset, expand, params.get("search", ""))


def _number(params: Mapping[str, str], name: str, otherwise: int) -> int:
    try:
        return int(params.get(name, otherwise))
    except ValueError:
        raise Refusal(400, 1033, f"Неверное значение параметра {name}", name) from None


def _order(part: str) -> tuple[str, bool]:
    field, _, direction = part.partition(",")
    if direction not in ("", "asc", "desc"):
        raise Refusal(400, 1063, f"Неизвестное направление сортировки: {direction}", "order")
    return field, direction == "desc"


def conditions(text: str) -> list[Condition]:
    """`a=1;b>2`; a semicolon in a value is escaped. Of two equal inequalities only the first counts."""
    found: list[Condition] = []
    for part in filter(None, re.split(r"(?<!\\);", text)):
        match = CONDITION.fullmatch(part)
        if not match:
            raise Refusal(400, 1034, f"Ошибка фильтра: {part}", "filter")
        one = Condition(match[1], match[2], match[3].replace("\\;", ";"))
        if one.sign not in ORDERED or not any((had.field, had.sign) == (one.field, one.sign) for had in found):
            found.append(one)
    for field in {one.field for one in found}:
        signs = {one.sign for one in found if one.field == field}
        if "=" in signs and signs & ORDERED.keys():
            raise Refusal(400, 1035, f"Поле {field} нельзя сравнивать на равенство и неравенство сразу", "filter")
    return found


def select(books: Books, kinds: Sequence[str], query: Query, path: str) -> Found:
    """The rows of a page, and how many the whole selection has."""
    refused = {one.field for one in query.conditions} & UNFILTERED.get(path, set())
    if refused:
        raise Refusal(400, 1034, f"Фильтрация по полю {refused.pop()} недоступна", "filter")
    if len(kinds) == 1 and _is_plain(books, kinds[0], query):
        return _slice(books, kinds[0], query)
    found = (row for kind in kinds for row in _candidates(books.tables[kind], query.conditions))
    rows = [row for row in found if _shown(row, query.conditions)]
    rest = [one for one in query.conditions if one.field not in FLAGS]
    if rest:
        rows = [row for row in rows if _matches(row, rest)]
    if query.search:
        rows = [row for row in rows if _mentions(row.fields, query.search.casefold())]
    rows.sort(key=lambda row: (row.updated, row.id))
    for field, descending in reversed(query.order):
        if (field, descending) not in (("updated", False), ("id", False)):
            rows.sort(key=partial(_comparable, field), reverse=descending)
    return Found(rows[query.offset : query.offset + query.limit], len(rows))


def _candidates(table: Table, wanted: Sequence[Condition]) -> Iterable[Row]:
    """Rows that may match: by an index where a field must have one of some values."""
    plain = [one for one in wanted if one.sign == "=" and one.field not in (*FLAGS, *TIMES)]
    if not plain:
        return list(table.rows.values())
    values = [_bare(one.value) for one in plain if one.field == plain[0].field]
    return table.bearing(RENAMED.get(plain[0].field, plain[0].field), values)


def _bare(value: str) -> str:
    """References are given by id or by address."""
    return value.rstrip("/").rpartition("/")[2] if "://" in value else value


def _is_plain(books: Books, kind: str, query: Query) -> bool:
    """Everything changed since a moment, in that order: what a careful client asks for, thousands of times."""
    others = [one for one in query.conditions if one.field not in FLAGS and (one.field, one.sign) != ("updated", ">=")]
    order = list(query.order) in ([], [("updated", False)], [("updated", False), ("id", False)])
    return not others and order and not query.search and not books.tables[kind].hidden


def _slice(books: Books, kind: str, query: Query) -> Found:
    table = books.tables[kind]
    since = next((_time(one.value) for one in query.conditions if one.field == "updated"), "")
    first = table.since(since)
    ids = table.order[first + query.offset : first + query.offset + query.limit]
    return Found([table.rows[uuid] for _, uuid in ids], len(table.order) - first)


def _shown(row: Row, wanted: Iterable[Condition]) -> bool:
    """Archived and deleted rows only on request."""
    for field, attribute in FLAGS.items():
        values = {one.value for one in wanted if one.field == field} or {"false"}
        if ("true" if getattr(row, attribute) else "false") not in values:
            return False
    return True


def _matches(row: Row, wanted: Sequence[Condition]) -> bool:
    """Equal fields are joined by OR, everything else by AND."""
    equal: dict[str, list[bool]] = {}
    fields: Fields = {"updated": row.updated, "id": row.id}
    if any(one.field not in fields for one in wanted):
        fields = row.fields
    for one in wanted:
        holds = _holds(fields, one)
        if one.sign == "=":
            equal.setdefault(one.field, []).append(holds)
        elif not holds:
            return False
    return all(any(choices) for choices in equal.values())


def _holds(fields: Fields, one: Condition) -> bool:
    have, want = told(fields, RENAMED.get(one.field, one.field)), _bare(one.value)
    if one.field in TIMES:
        compare: Callable[[Any, Any], bool] = ORDERED.get(one.sign, operator.eq)
        return compare(have, _time(want))
    if one.sign in ORDERED:
        return bool(have) and ORDERED[one.sign](float(have), float(want))
    if one.sign in TEXT:
        return TEXT[one.sign](have.casefold(), want.casefold())
    return (have == want) is (one.sign == "=")


def _time(text: str) -> str:
    """`yyyy-MM-dd HH:mm[:ss[.SSS]]` at full width."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d{1,3})?)?", text):
        raise Refusal(400, 1034, f"Неверный формат времени: {text}", "filter")
    return text + "0000-00-00 00:00:00.000"[len(text) :]


def _comparable(field: str, row: Row) -> tuple[bool, str]:
    value = row.fields.get(field)
    return value is not None, str(value or "")


def _mentions(value: Any, word: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(part, word) for name, part in value.items() if name != "meta")
    if isinstance(value, list):
        return any(_mentions(part, word) for part in value)
    return isinstance(value, str) and word in value.casefold()


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def rendered(books: Books, row: Row, expand: Sequence[str] = ()) -> Fields:
    """A row as it is answered: collections as references, unless they are expanded."""
    fields = row.fields
    for part, kind in PARTS.items():
        if part in fields:
            fields[part] = parts(row, part, kind.format(row.kind), part in _heads(expand))
    for path in expand:
        _expand(books, fields, path.split("."))
    return fields


def parts(row: Row, part: str, kind: str, wanted: bool) -> Fields:
    """A collection; expanding it gives no more than its first hundred rows."""
    rows = row.fields[part]
    where = meta(kind, f"entity/{row.kind}/{row.id}/{part}", size=len(rows), limit=MOST, offset=0)
    return {"meta": where, "rows": [dict(one) for one in rows[:EXPANDING]]} if wanted else {"meta": where}


def _heads(expand: Sequence[str]) -> set[str]:
    return {path.partition(".")[0] for path in expand}


def _expand(books: Books, holder: Any, path: Sequence[str]) -> None:
    """Puts what a reference leads to in its place. What leads nowhere stays as it is."""
    if isinstance(holder, Mapping) and "rows" in holder:
        holder = holder["rows"]
    if isinstance(holder, list):
        for one in holder:
            _expand(books, one, path)
        return
    if not path or not isinstance(holder, dict) or path[0] not in holder:
        return
    holder[path[0]] = followed(books, holder[path[0]])
    _expand(books, holder[path[0]], path[1:])


def followed(books: Books, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "meta" not in value or "rows" in value:
        return dict(value)
    kind, uuid = value["meta"].get("type"), str(uuid_of(value))
    if kind == "state":
        return dict(books.states.get(uuid, value))
    row = books.tables[kind].rows.get(uuid) if kind in books.tables else None
    return rendered(books, row) if row else value
