"""`segments/*.yaml` beside connections.yaml: read, checked and compiled; `fields.yaml` there adds fields."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.yaml_text import content, text_of
from mappings.segments.book import in_order
from mappings.segments.compile import Compiled, compiled
from mappings.segments.language import Segment, parse
from mappings.segments.registry import Registry, with_fields

FIELDS = "fields.yaml"
VALUES = "person_value"
"""What people bought stands beside the segments, as an asset and as a table: no segment can be called so."""
Texts = tuple[tuple[str, str], ...]


def segments(hub: Hub) -> tuple[Compiled, ...]:
    """All segments of the hub, each after those it refers to. Raises ConfigError: which file to mend, and how."""
    return _on_known_channels(hub, _compiled(_texts(hub.folder / "segments"), hub.entry.timezone))


def _on_known_channels(hub: Hub, found: tuple[Compiled, ...]) -> tuple[Compiled, ...]:
    for one in found:
        for shown in one.segment.activate:
            if shown.channel not in hub.connections:
                raise ConfigError(
                    f"segments/{one.name}.yaml activates {shown.channel!r}, which connections.yaml does not know"
                )
    return found


def reaches(hub: Hub, one: Compiled) -> dict[str, str | None]:
    """Connection that it is shown to → by which channel of consent that reaches people; None where it keeps a mere
    record about them, which takes no consent."""
    shown = {name: hub.connections[name] for name in (each.channel for each in one.segment.activate)}
    return {
        name: connection.spec.sink("segment.push").reaches
        for name, connection in shown.items()
        if connection.spec and "segment.push" in connection.capabilities
    }


def segment(hub: Hub, name: str) -> Compiled:
    """Raises ConfigError where there is none of this name."""
    return with_references(hub, name)[-1]


def with_references(hub: Hub, name: str) -> tuple[Compiled, ...]:
    """The segment, and before it those that it refers to, each after its own. A slip in the file of another one keeps
    nobody from looking at it. Raises ConfigError where there is none of this name."""
    found = _on_known_channels(hub, _compiled(_needed(hub, name), hub.entry.timezone))
    names, chosen = {name}, list[Compiled]()
    for one in reversed(found):
        if one.name in names:
            names |= one.refers
            chosen.insert(0, one)
    if not chosen:
        known = ", ".join(one.name for one in found) or "none, write segments/*.yaml"
        raise ConfigError(f"there is no segment {name!r}; known: {known}")
    return tuple(chosen)


def _needed(hub: Hub, name: str) -> Texts:
    """Files of a segment and of those that it refers to; all there are where one is not in the file of its name."""
    folder = hub.folder / "segments"
    texts = _texts(folder, [FIELDS])
    known, done, named = _fields(texts), set[str](), {name}
    while named:
        more = _texts(folder, [f"{one}.yaml" for one in named])
        parsed = _parsed(more, known, hub.entry.timezone)
        if {one.name for one in parsed} != named:
            return _texts(folder)
        texts, done = (*texts, *more), done | named
        named = set[str]().union(*(one.refers for one in parsed)) - done
    return texts


def fields(hub: Hub) -> Registry:
    """The fields that conditions may name, the merchant's own among them."""
    return _fields(_texts(hub.folder / "segments"))


def _texts(folder: Path, names: Collection[str] | None = None) -> Texts:
    """Of the files of these names that are there; None: of all."""
    paths = (path for path in sorted(folder.glob("*.yaml")) if names is None or path.name in names)
    return tuple((path.name, text_of(path, f"segments/{path.name}")) for path in paths)


@lru_cache(maxsize=16)
def _compiled(texts: Texts, timezone: str) -> tuple[Compiled, ...]:
    """Texts that did not change are not compiled again."""
    try:
        return in_order(_parsed(texts, _fields(texts), timezone))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _parsed(texts: Texts, known: Registry, timezone: str) -> list[Compiled]:
    try:
        parsed = [_segment(*one) for one in texts if one[0] != FIELDS]
        return [compiled(one, known, ZoneInfo(timezone)) for one in parsed]
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _segment(name: str, text: str) -> Segment:
    found = parse(_content(name, text), f"segments/{name}")
    if found.segment == VALUES:
        raise ConfigError(f"segments/{name}: the hub has something called {VALUES}; choose another name")
    return found


def _fields(texts: Texts) -> Registry:
    stated = next((_content(*one) for one in texts if one[0] == FIELDS), {})
    try:
        return with_fields(stated, f"segments/{FIELDS}")
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _content(name: str, text: str) -> dict[str, object]:
    said = content(text, f"segments/{name}")
    if not isinstance(said, dict):
        raise ConfigError(f"segments/{name} must be a mapping; `keruen segment list --help` names the guide")
    return said
