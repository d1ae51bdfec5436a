"""A saved vendor reply through a connector's mapping: no credentials, no network, no store."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic_core import PydanticUndefined, to_jsonable_python

from connectors.sdk.config import ConnectionConfig
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FoundFile
from connectors.sdk.spec import ConnectorSpec, Record, Resource
from mappings.tables import Quarantined, unmapped

PLACEHOLDER = "not-a-real-value"


@dataclass
class Trial:
    """What a mapping made of saved records. `unmapped`: paths that are neither mapped nor ignored."""

    mapped: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    unmapped: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        return {"mapped": self.mapped, "quarantined": self.quarantined, "unmapped": sorted(self.unmapped)}


def placeholder_config(spec: ConnectorSpec, settings: Mapping[str, Any]) -> ConnectionConfig:
    """Settings good enough to map with: the given ones, defaults, and placeholders for required text and secrets.

    Raises ConfigError naming the setting that cannot be made up.
    """
    values: dict[str, Any] = dict(settings)
    for name, about in spec.config.model_fields.items():
        if name not in values and about.default is PydanticUndefined and about.default_factory is None:
            kinds = {about.annotation, *get_args(about.annotation)}
            values[name] = SecretStr(PLACEHOLDER) if SecretStr in kinds else PLACEHOLDER
    try:
        return spec.config.model_validate(values).named(f"{spec.name}_trial")
    except ValidationError as error:
        names = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        if not names:
            said = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"{spec.name}: {said}; give settings with --set NAME=VALUE") from None
        raise ConfigError(f"{spec.name} needs {names} to map: give it with --set {names}=VALUE") from None


def reply_of(path: Path) -> Any:
    """A saved reply. Raises ConfigError when it is no JSON."""
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not JSON: {error}") from None


def fitting(spec: ConnectorSpec, reply: Any, name: str, resource: str | None) -> tuple[Resource, list[Record]]:
    """The resource a reply is of, and its records: the one named, else the only one whose shape it has."""
    chosen = [spec.resource(resource)] if resource else spec.resources
    fits = [(one, list(records)) for one in chosen if (records := one.reads(reply)) is not None]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(one.name for one in spec.resources)
    if not fits:
        raise ConfigError(f"{name} has the shape of no resource of {spec.name}; it reads {known}")
    both = " and ".join(one.name for one, _ in fits)
    raise ConfigError(f"{name} could be of {both}; choose with --resource")


def trial(spec: ConnectorSpec, config: ConnectionConfig, paths: Iterable[Path], resource: str | None = None) -> Trial:
    """Maps every saved reply. Raises ConfigError for one that fits no resource, or two."""
    if resource and resource not in {one.name for one in spec.resources}:
        raise ConfigError(
            f"{spec.name} has no resource {resource!r}; it reads {', '.join(r.name for r in spec.resources)}"
        )
    result = Trial()
    for path in paths:
        found, records = fitting(spec, reply_of(path), path.name, resource)
        for record in records:
            _map(found, record, config, result)
    return result


OURS = {"row", "key", "seq", "stands"}
"""Columns of frames that say where in the file something stands."""


def trial_files(spec: ConnectorSpec, config: ConnectionConfig, paths: Iterable[Path]) -> Trial:
    """Reads each file whole, as a sync would. Raises ConfigError and RejectedError as the connector does."""
    assert spec.files is not None
    result = Trial()
    for path in paths:
        stat = path.stat()
        frames = spec.files.read(config, FoundFile(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
        for entity, table in frames.frames.items():
            told = table.select([name for name in table.column_names if name not in OURS]).to_pylist()
            result.mapped += [{"entity": entity, **to_jsonable_python(row)} for row in told]
        aside = frames.set_aside.select(["key", "line", "rule", "reason"]).to_pylist()
        result.quarantined += [{"entity": frames.entity, **row, "key": row["key"] or ""} for row in aside]
        result.unmapped |= set(frames.unread_columns)
    return result


def _map(resource: Resource, record: Record, config: ConnectionConfig, result: Trial) -> None:
    looked_at = frozenset().union(*(one.covered for one in resource.maps.values()))
    result.unmapped |= unmapped(record, looked_at)
    for entity, to_entity in resource.maps.items():
        made = to_entity(record, config)
        if isinstance(made, Quarantined):
            try:
                key = resource.key_of(record)
            except KeyError:
                key = ""
            result.quarantined.append({"entity": entity, "key": key, "rule": made.rule, "reason": made.reason})
        else:
            result.mapped.extend({"entity": entity, **one.model_dump(mode="json")} for one in made.records)
