"""How a connector maps: golden files, no forgotten field, no exception whatever is missing, no lost cents."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.sdk.spec import Record, Resource
from connectors.sdk.testing.kit import Kit, require
from mappings.tables import FieldMap, Mapped, Quarantined, unmapped

Path = tuple[str | int, ...]
GARBAGE: tuple[Any, ...] = (None, "", "§", {}, [], -1, "9" * 40)
_GONE = object()
AMOUNTS = frozenset({"amount", "total", "unit_price", "discount", "delivery_cost", "observed_price"})
CENT = Decimal("0.01")


def golden_files_match(kit: Kit) -> None:
    for case in kit.all_cases():
        expected = case.expected(kit.config)
        require(
            expected is not None, f"{case.golden.name} is missing: KERUEN_GOLDEN=write pytest writes it; then read it"
        )
        found = json.loads(json.dumps(case.mapped(kit.config)))
        require(found == expected, f"{case.resource.name}/{case.golden.name}: {_difference(expected, found)}")


def every_field_is_mapped_or_ignored(kit: Kit) -> None:
    for resource, where, record in kit.samples:
        covered = frozenset().union(*(one.covered for one in resource.maps.values()))
        forgotten = ", ".join(sorted(unmapped(record, covered)))
        require(not forgotten, f"{where}: nobody looks at {forgotten}; map or ignore each")


def a_missing_or_broken_field_is_set_aside(kit: Kit) -> None:
    """Each field in turn is taken away, emptied and filled with nonsense; a mapping answers with a value every time."""
    for resource, _, record in kit.samples:
        for path in _paths(record):
            for junk in (_GONE, *GARBAGE):
                _maps_or_sets_aside(resource, _changed(record, path, junk), kit, path)


def amounts_keep_their_cents(kit: Kit) -> None:
    """An amount that moves by 1000 when a field does must move by 10.01 for 10.01, in whatever unit."""
    for resource, where, record in kit.samples:
        for entity, to_entity in resource.maps.items():
            _cents(to_entity, record, kit, f"{where}: {entity}")


def _cents(to_entity: FieldMap, record: Record, kit: Kit, where: str) -> None:
    before = _amounts(to_entity, record, kit)
    for path in _paths(record):
        much, little = (
            _amounts(to_entity, _moved(record, path, step), kit) for step in (Decimal(1000), Decimal("10.01"))
        )
        for name in before.keys() & much.keys() & little.keys():
            expected = (much[name] - before[name]) * Decimal("0.01001")
            moved = little[name] - before[name]
            lost = abs(expected - moved) >= CENT
            require(
                not lost, f"{where}.{name} loses cents of {_shown(path)}: it moves by {moved} instead of {expected}"
            )


def _amounts(to_entity: FieldMap, record: Record | None, kit: Kit) -> dict[str, Decimal]:
    made = to_entity(record, kit.config) if record is not None else None
    if not isinstance(made, Mapped):
        return {}
    return {
        f"{number}.{name}": value
        for number, one in enumerate(made.records)
        for name in AMOUNTS & type(one).model_fields.keys()
        if isinstance(value := getattr(one, name), Decimal)
    }


def _moved(record: Record, path: Path, by: Decimal) -> Record | None:
    """The record with the number at `path` larger; None where there is no number."""
    value = _value(record, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        larger = Decimal(str(value)) + by
    except InvalidOperation:
        return None
    return _changed(record, path, str(larger) if isinstance(value, str) else float(larger))


def _maps_or_sets_aside(resource: Resource, record: Record, kit: Kit, path: Path) -> None:
    for entity, to_entity in resource.maps.items():
        try:
            made = to_entity(record, kit.config)
        except Exception as error:
            require(False, f"{resource.name} → {entity} raises {error!r} when {_shown(path)} is missing or odd")
            raise
        fine = isinstance(made, Mapped | Quarantined)
        require(fine, f"{resource.name} → {entity} gives {type(made).__name__} when {_shown(path)} is odd")


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every field, inner nodes included."""
    steps: Any = ()
    if isinstance(value, Mapping):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value[:3])
    for step, inner in steps:
        yield (*path, step)
        yield from _paths(inner, (*path, step))


def _value(record: Any, path: Path) -> Any:
    for step in path:
        record = record[step]
    return record


def _changed(record: Record, path: Path, value: Any) -> Record:
    copy = deepcopy(record)
    inner = _value(copy, path[:-1])
    if value is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


def _shown(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _difference(expected: Any, found: Any, path: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        step: Callable[[str], str] = lambda name: f"{path}.{name}" if path else name
        for name in [*expected, *(name for name in found if name not in expected)]:
            if expected.get(name, _GONE) != found.get(name, _GONE):
                return _difference(expected.get(name), found.get(name), step(name))
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            if one != other:
                return _difference(one, other, f"{path}[{number}]")
    is_now, was = (json.dumps(one, ensure_ascii=False)[:200] for one in (found, expected))
    return f"{path or 'all'} is {is_now}, golden: {was}"
