"""A merchant's own fields, given as data in connections.yaml: `fields: {product: {brand: "extra[name=Бренд].value"}}`.

A path is dotted; `list[key=text]` takes the first element of a list whose `key` is `text`, as CRMs keep custom fields.
A target is a field of the canonical model, or a name inside one that holds facts: `attributes.material`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AwareDatetime

from mappings.canonical.base import Canonical
from mappings.canonical.money import exact
from mappings.tables import convert
from mappings.tables.fields import Constant, Derived, Field, FieldMap, Payload, at

Converter = Callable[[Any], Any]
STEP = re.compile(r"(?P<names>[^\[\].]+(?:\.[^\[\].]+)*)(?:\[(?P<key>[^=\[\]]+)=(?P<text>[^\]]*)\])?(?:\.|$)")


def overridden(mapping: FieldMap, fields: Mapping[str, str]) -> FieldMap:
    """`mapping` with the merchant's fields added, or put in place of the connector's.

    Raises ValueError naming the target that the model does not have, or the path that cannot be read.
    """
    return mapping.extended(dict(_fields(mapping, fields)))


def _fields(mapping: FieldMap, fields: Mapping[str, str]) -> Iterable[tuple[str, Derived]]:
    facts: dict[str, dict[str, str]] = {}
    for target, path in fields.items():
        name, _, fact = target.partition(".")
        _known(mapping.model, name, facts=bool(fact))
        _parsed(path)
        if fact:
            facts.setdefault(name, {})[fact] = path
        else:
            yield name, _one(path, _converter(mapping.model, name))
    for name, paths in facts.items():
        yield name, _many(paths, mapping.fields.get(name))


def _known(model: type[Canonical], name: str, facts: bool) -> None:
    known = model.model_fields
    if name not in known or name == "lines":
        raise ValueError(f"{model.entity} has no field {name!r}; it has {', '.join(sorted(known))}")
    if facts is not (_plain(known[name].annotation) is dict):
        example = f"{name}.colour" if not facts else name
        raise ValueError(f"write {example!r}: {name!r} {'is a single value' if facts else 'holds several facts'}")


def _one(path: str, converter: Converter) -> Derived:
    def value(payload: Payload, settings: Any) -> Any:
        found = picked(payload, path)
        return None if found is None else converter(found)

    return Derived(value, (_root(path),))


def _many(paths: Mapping[str, str], base: Field | Derived | Constant | None) -> Derived:
    """Facts added to those the connector finds."""

    def value(payload: Payload, settings: Any) -> dict[str, Any]:
        found = {name: picked(payload, path) for name, path in paths.items()}
        stated = {name: fact for name, fact in found.items() if fact is not None}
        return {**((base.value(payload, settings) if base else None) or {}), **stated}

    return Derived(value, (*(base.reads if base else ()), *map(_root, paths.values())))


def picked(payload: Any, path: str) -> Any:
    """The value at a path, list steps included; None where any step is absent or empty."""
    for names, key, text in _parsed(path):
        payload = at(payload, names)
        if key:
            elements = payload if isinstance(payload, list) else ()
            payload = next((element for element in elements if str(at(element, key)) == text), None)
    return payload


def _parsed(path: str) -> list[tuple[str, str | None, str | None]]:
    steps = list(STEP.finditer(path))
    if not steps or "".join(step[0] for step in steps) != path or path.endswith("."):
        raise ValueError(f"{path!r} is not a path; write it like `a.b` or `list[key=text].value`")
    return [(step["names"], step["key"], step["text"]) for step in steps]


def _root(path: str) -> str:
    """What the path covers: a list step covers the whole list."""
    names, key, _ = _parsed(path)[0]
    return names if key else path


def _converter(model: type[Canonical], name: str) -> Converter:
    return NAMED.get(name) or PLAIN.get(_plain(model.model_fields[name].annotation), _same)


def _plain(annotation: Any) -> Any:
    """`Identifier | None` → str, `tuple[str, ...]` → tuple."""
    while (origin := get_origin(annotation)) in (Annotated, Union, UnionType):
        arguments = get_args(annotation)
        annotation = arguments[0] if origin is Annotated else next(a for a in arguments if a is not type(None))
    return get_origin(annotation) or annotation


def _all(converter: Converter, value: Any) -> tuple[Any, ...]:
    """Every readable element of a list, of a single value, or of one text with commas."""
    elements = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(converted for element in elements if (converted := converter(element)) is not None)


def _same(value: Any) -> Any:
    return value


PLAIN: Mapping[Any, Converter] = {
    str: convert.text,
    tuple: partial(_all, convert.text),
    Decimal: exact,
    AwareDatetime: convert.aware,
    date: lambda value: date.fromisoformat(str(value)[:10]),
}
NAMED: Mapping[str, Converter] = {
    "phones": partial(_all, convert.phone),
    "emails": partial(_all, convert.email),
    "barcodes": partial(_all, convert.barcode),
    "contact_phone": convert.phone,
    "contact_email": convert.email,
}
