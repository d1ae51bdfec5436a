"""The declarative mapping table: which vendor field becomes which canonical field."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from pydantic import ValidationError

from mappings.canonical.base import Canonical
from mappings.tables.convert import ClockChange
from mappings.tables.result import Mapped, Quarantined, Result

Payload = Mapping[str, Any]
EMPTY = frozenset({"", "—", "-", "0001-01-01", "0001-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"})


def keep(value: Any) -> Any:
    """The value as it came."""
    return value


@dataclass(frozen=True)
class Field:
    """The value at a dotted `path`, converted. An absent or empty value is None and is not converted."""

    path: str
    convert: Callable[[Any], Any] = keep

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.path,)

    def value(self, payload: Payload, settings: Any) -> Any:
        found = at(payload, self.path)
        return None if found is None else self.convert(found)


def numbered(path: str, **fields: str) -> Field:
    """The list at `path`, as an order's lines: canonical name → path within a row. `line` counts the rows from 1.

    Rows that are more than fields renamed (sums to be made, other units) want a converter of their own.
    """
    return Field(
        path, lambda rows: tuple({"line": str(place), **_picked(row, fields)} for place, row in enumerate(rows, 1))
    )


def _picked(row: Any, fields: Mapping[str, str]) -> dict[str, Any]:
    found = {name: at(row, path) for name, path in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Derived:
    """A value that hangs on several fields or on the connection's settings: `make(payload, settings)`."""

    make: Callable[[Payload, Any], Any]
    reads: tuple[str, ...] = ()

    def value(self, payload: Payload, settings: Any) -> Any:
        return self.make(payload, settings)


@dataclass(frozen=True)
class Constant:
    """The same for every record of this resource."""

    constant: Any
    reads: tuple[str, ...] = ()

    def value(self, payload: Payload, settings: Any) -> Any:
        return self.constant


class Unusable(ValueError):
    """A converter's definite no; `rule` names it in the counts. Any ValueError, KeyError or TypeError works as well."""

    def __init__(self, reason: str, rule: str = "unreadable_value"):
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True)
class FieldMap:
    """Payload → canonical records.

    `each(payload, settings)` splits one payload into several (a product into its prices); then fields read the parts.
    `when(payload, settings)` False means: nothing of this entity here, and that is fine.
    `ignored` are paths looked at and left alone on purpose, in any collection; a path covers everything beneath it.
    """

    model: type[Canonical]
    fields: Mapping[str, Field | Derived | Constant]
    ignored: Iterable[str] = frozenset()
    each: Callable[[Payload, Any], Iterable[Payload]] | None = None
    when: Callable[[Payload, Any], bool] | None = None
    version: str = "1"

    def __post_init__(self) -> None:
        names = [self.ignored] if isinstance(self.ignored, str) else self.ignored
        object.__setattr__(self, "ignored", frozenset(names))

    def __call__(self, payload: Payload, settings: Any = None) -> Result:
        try:
            if self.when is not None and not self.when(payload, settings):
                return Mapped(())
            parts = [payload] if self.each is None else list(self.each(payload, settings))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            return _set_aside("record", error)
        records: list[Canonical] = []
        flags: tuple[str, ...] = ()
        for part in parts:
            values = self._values(part, settings)
            if isinstance(values, Quarantined):
                return values
            if any(type(value) is ClockChange for value in values.values()):
                flags = ("clock_change",)
            try:
                records.append(self.model(**values))
            except ValidationError as error:
                return _invalid(error)
        return Mapped(tuple(records), flags)

    def _values(self, payload: Payload, settings: Any) -> dict[str, Any] | Quarantined:
        values = {}
        for name, field in self.fields.items():
            try:
                value = field.value(payload, settings)
            except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
                return _set_aside(name, error)
            if value is not None:
                values[name] = value
        return values

    @cached_property
    def covered(self) -> frozenset[str]:
        """Every path that is mapped or ignored."""
        return frozenset(self.ignored).union(*(field.reads for field in self.fields.values()))

    def extended(self, fields: Mapping[str, Field | Derived | Constant]) -> "FieldMap":
        """A merchant's own fields added to, or put in place of, the connector's."""
        return replace(self, fields={**self.fields, **fields})


def at(payload: Any, path: str) -> Any:
    """The value at `a.b.c`, or None where any step is absent, null or empty."""
    for step in _steps(path):
        # a payload is nearly always a plain dict, and asking for the abstract Mapping costs ten times as much
        if type(payload) is not dict and not isinstance(payload, Mapping):
            return None
        payload = payload.get(step)
    return None if payload is None or (isinstance(payload, str) and payload.strip() in EMPTY) else payload


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def leaves(payload: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of a payload's leaves; a list counts as its elements."""
    if isinstance(payload, Mapping) and payload:
        for name, value in payload.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(payload, list) and any(isinstance(item, Mapping) for item in payload):
        for item in payload:
            yield from leaves(item, path)
    else:
        yield path


def unmapped(payload: Payload, covered: Iterable[str]) -> frozenset[str]:
    """Leaves of a payload nobody has looked at: neither mapped nor ignored."""
    known = tuple(covered)
    return frozenset(
        leaf for leaf in leaves(payload) if not any(leaf == path or leaf.startswith(path + ".") for path in known)
    )


def _set_aside(where: str, error: Exception) -> Quarantined:
    if isinstance(error, KeyError):
        return Quarantined("unknown_value", f"{where}: {error.args[0]!r} is not known" if error.args else where)
    if isinstance(error, ArithmeticError):  # its own words name a class of the decimal module
        return Quarantined("unreadable_value", f"{where}: is not a number")
    return Quarantined(getattr(error, "rule", "unreadable_value"), f"{where}: {error}")


def _invalid(error: ValidationError) -> Quarantined:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or "record"
    rule = "missing_field" if first["type"] == "missing" else "invalid_field" if first["loc"] else "does_not_add_up"
    return Quarantined(rule, f"{where}: {first['msg']}")
