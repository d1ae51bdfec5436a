"""Which segments are shown to which channels: what their files say under `activate`."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub

PURPOSE = "marketing"
"""What a consent must be for, where a segment names nothing else."""


class Activation(NamedTuple):
    """Members of `segment` belong to `audience` of `connection`, if they agreed to `purpose`."""

    segment: str
    connection: str
    audience: str
    purpose: str = PURPOSE


def activations(hub: Hub) -> tuple[Activation, ...]:
    """What the files of `segments/` beside connections.yaml activate. Raises ConfigError naming the file.

    A segment has one audience in a connection: a person is there or not.
    """
    found = [one for path in sorted((hub.folder / "segments").glob("*.yaml")) for one in _activated(path)]
    for one in found:
        if one.connection not in hub.connections:
            raise ConfigError(f"segment {one.segment} activates {one.connection}, which connections.yaml does not know")
        if any(other[:2] == one[:2] and other != one for other in found):
            raise ConfigError(f"segment {one.segment} activates {one.connection} twice: name one audience")
    return tuple(dict.fromkeys(found))


def activated(hub: Hub, connection: Connection) -> dict[str, Activation]:
    """Of one connection, by segment."""
    return {one.segment: one for one in activations(hub) if one.connection == connection.name}


def _activated(path: Path) -> Iterator[Activation]:
    said = _read(path, path.stat().st_mtime_ns)
    purpose = (said.get("consent") or {}).get("purpose", PURPOSE)
    for one in said.get("activate") or ():
        yield Activation(said["segment"], one["channel"], one.get("audience") or said["segment"], purpose)


@lru_cache(maxsize=1024)
def _read(path: Path, changed: int) -> Mapping[str, Any]:
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is not valid YAML: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("segment"), str):
        raise ConfigError(f"{path.name}: a segment's file names it under `segment`")
    return said
