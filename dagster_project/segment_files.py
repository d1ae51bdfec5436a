"""`segments/*.yaml` beside connections.yaml: read, checked and compiled; `fields.yaml` there adds fields."""

from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.yaml_text import content
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
    found = _compiled(_texts(hub.folder / "segments"), hub.entry.timezone)
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
    found = {one.name: one for one in segments(hub)}
    if name not in found:
        raise ConfigError(f"there is no segment {name!r}; known: {', '.join(found) or 'none, write segments/*.yaml'}")
    return found[name]


def fields(hub: Hub) -> Registry:
    """The fields that conditions may name, the merchant's own among them."""
    return _fields(_texts(hub.folder / "segments"))


def _texts(folder: Path) -> Texts:
    return tuple((path.name, _text(path)) for path in sorted(folder.glob("*.yaml")))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"segments/{path.name} is not UTF-8: save it again in that encoding") from None


@lru_cache(maxsize=16)
def _compiled(texts: Texts, timezone: str) -> tuple[Compiled, ...]:
    """Texts that did not change are not compiled again."""
    known = _fields(texts)
    try:
        parsed = [_segment(*one) for one in texts if one[0] != FIELDS]
        return in_order(compiled(one, known, ZoneInfo(timezone)) for one in parsed)
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
