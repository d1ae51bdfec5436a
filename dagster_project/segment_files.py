"""`segments/*.yaml` beside connections.yaml: read, checked and compiled; `fields.yaml` there adds fields.

A mistake in a file stops that segment and those that refer to it: their members stay who they were. The others go on.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.yaml_text import content, decoded, line
from mappings.segments.book import in_order
from mappings.segments.compile import Compiled, compiled
from mappings.segments.language import Segment, Slip, parse
from mappings.segments.registry import FIELDS as KNOWN
from mappings.segments.registry import Registry, own_field

FIELDS = "fields.yaml"
VALUES = "person_value"
"""What people bought stands beside the segments, as an asset and as a table: no segment can be called so."""
Texts = Mapping[str, bytes]
"""Name of a file → what it holds."""


@dataclass(frozen=True)
class Book:
    """`segments`: those that can be asked, each after those it refers to. `mistakes`: of each of the others, by its
    name, and of fields.yaml: file, line, and what is to be mended there."""

    segments: tuple[Compiled, ...]
    mistakes: Mapping[str, str]


def segments(hub: Hub) -> tuple[Compiled, ...]:
    """The segments of the hub that can be asked, each after those it refers to."""
    return _book(hub).segments


def mistakes(hub: Hub) -> Mapping[str, str]:
    """Segments that cannot be asked (and fields.yaml) → which file to mend, at which line, and how."""
    return _book(hub).mistakes


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
    """Raises ConfigError where there is none of this name, or it must be mended first."""
    return with_references(hub, name)[-1]


def with_references(hub: Hub, name: str) -> tuple[Compiled, ...]:
    """The segment, and before it those that it refers to, each after its own. Raises ConfigError as `segment` does."""
    book = _book(hub)
    if name in book.mistakes:
        raise ConfigError(book.mistakes[name])
    names, chosen = {name}, list[Compiled]()
    for one in reversed(book.segments):
        if one.name in names:
            names.update(one.refers)
            chosen.insert(0, one)
    if not chosen:
        known = ", ".join(one.name for one in book.segments) or "none, write segments/*.yaml"
        raise ConfigError(f"there is no segment {name!r}; known: {known}")
    return tuple(chosen)


def fields(hub: Hub) -> Registry:
    """The fields that conditions may name, the merchant's own among them. Raises ConfigError: what to mend of these."""
    known, wrong = _fields(_texts(hub))
    if wrong:
        raise ConfigError("\n".join(wrong))
    return known


def _texts(hub: Hub) -> Texts:
    return {path.name: path.read_bytes() for path in sorted((hub.folder / "segments").glob("*.yaml"))}


def _book(hub: Hub) -> Book:
    return _read(tuple(_texts(hub).items()), ZoneInfo(hub.entry.timezone), frozenset(hub.connections))


@lru_cache(maxsize=16)
def _read(files: tuple[tuple[str, bytes], ...], zone: ZoneInfo, channels: Collection[str]) -> Book:
    """Texts that did not change are not compiled again."""
    texts = dict(files)
    known, wrong_fields = _fields(texts)
    found, wrong = dict[str, Compiled](), dict[str, str]()
    for file, raw in files:
        if file == FIELDS:
            continue
        try:
            found[file] = _compiled(file, raw, known, zone, channels)
        except ConfigError as error:
            wrong[file] = str(error)
    wrong |= _of_one_name(found)
    written = {one.name: (file, one) for file, one in found.items() if file not in wrong}
    stopped = {name: why for file, why in wrong.items() for name in _meant(file, texts[file], written)}
    order, slips = in_order((one for _, one in written.values()), stopped)
    stopped |= {name: _told(file := written[name][0], texts[file], slip) for name, slip in slips.items()}
    if wrong_fields:
        stopped[FIELDS] = "\n".join(wrong_fields)
    return Book(order, dict(sorted(stopped.items())))


def _of_one_name(found: Mapping[str, Compiled]) -> Iterator[tuple[str, str]]:
    """Of files that call their segments alike, the one that is called so itself is the segment."""
    alike = Counter(one.name for one in found.values())
    for file, one in found.items():
        if alike[one.name] > 1 and file != f"{one.name}.yaml":
            yield file, f"segments/{file}: another file has a segment {one.name!r} too; give this one another name"


def _meant(file: str, raw: bytes, written: Collection[str]) -> set[str]:
    """Whose members a file that must be mended leaves as they are: of the segment of its name, and of the one that it
    names, unless another file has it."""
    said = re.search(rb"^segment: *[\"']?(\w+)", raw, re.MULTILINE)
    names = {file.removesuffix(".yaml"), *([said[1].decode()] if said else [])}
    return names - set(written) or {file}


def _compiled(file: str, raw: bytes, known: Registry, zone: ZoneInfo, channels: Collection[str]) -> Compiled:
    try:
        found = parse(_content(file, raw))
        _check(found, channels)
        return compiled(found, known, zone)
    except Slip as slip:
        raise ConfigError(_told(file, raw, slip)) from None


def _check(found: Segment, channels: Collection[str]) -> None:
    """Not a name that is taken, nor a channel that is not there, nor one twice: a person is there once or is not."""
    if found.segment == VALUES:
        raise Slip(f"the hub has something called {VALUES}; choose another name", ("segment",))
    shown = [one.channel for one in found.activate]
    for place, channel in enumerate(shown):
        at = ("activate", place, "channel")
        if channel not in channels:
            raise Slip(f"it activates {channel!r}, which connections.yaml does not know", at)
        if channel in shown[:place]:
            raise Slip(f"it activates {channel} twice: name one audience there", at)


def _fields(texts: Texts) -> tuple[Registry, list[str]]:
    """The fields, and what is to be mended of those that the merchant adds."""
    known, wrong = dict(KNOWN), list[str]()
    try:
        stated = _content(FIELDS, texts.get(FIELDS, b"{}"))
    except ConfigError as error:
        return known, [str(error)]
    for name, said in stated.items():
        try:
            known[name] = own_field(name, said)
        except Slip as slip:
            wrong.append(_told(FIELDS, texts[FIELDS], slip))
    return known, wrong


def _told(file: str, raw: bytes, slip: Slip) -> str:
    return f"segments/{file}:{line(raw.decode(), slip.at)}: {slip}"


def _content(file: str, raw: bytes) -> dict[str, object]:
    said = content(decoded(raw, f"segments/{file}"), f"segments/{file}")
    if not isinstance(said, dict):
        raise ConfigError(f"segments/{file} must be a mapping; `keruen segment list --help` names the guide")
    return said
