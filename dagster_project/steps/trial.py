"""A saved vendor reply through a connector's mapping: no credentials, no network, no store."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import HttpUrl, SecretStr, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from connectors.sdk.config import ConnectionConfig
from connectors.sdk.errors import ConfigError, RejectedError
from connectors.sdk.files import FoundFile
from connectors.sdk.spec import ConnectorSpec, Record, Resource
from mappings.tables import Quarantined, unmapped

PLACEHOLDER, NOWHERE = "not-a-real-value", "https://vendor.invalid"


@dataclass
class Trial:
    """What a mapping made of saved records. `unmapped`: paths that are neither mapped nor ignored; `skipped`: why files
    of a folder are of no resource; `refused`: why files that should be read could not be.
    """

    mapped: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    unmapped: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"mapped": self.mapped, "quarantined": self.quarantined, "unmapped": sorted(self.unmapped)}


def placeholder_config(spec: ConnectorSpec, settings: Mapping[str, Any]) -> ConnectionConfig:
    """Settings good enough to map with: the given ones, defaults, and placeholders for what is required beside them.

    Files are read as the settings say, so of these none is left out. Raises ConfigError naming a setting that is wrong.
    """
    values: dict[str, Any] = {name: _made_up(about.annotation) for name, about in spec.config.model_fields.items()
                              if name not in settings and about.is_required()}  # fmt: skip
    try:
        return spec.config.model_validate({**values, **settings}).named(f"{spec.name}_trial")
    except ValidationError as error:
        if not spec.files and not settings.keys() & {one["loc"][0] for one in error.errors() if one["loc"]}:
            return _unchecked(spec, settings, values)
        names = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        if not names:
            said = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"{spec.name}: {said}; give settings with --set NAME=VALUE") from None
        raise ConfigError(f"{spec.name} needs {names} to map: give it with --set {names}=VALUE") from None


def _made_up(kind: Any) -> Any:
    """A value of the kind; None for those that no word stands for: a mapping that asks for one sets records aside."""
    kinds = {kind, *get_args(kind)}
    stands = {SecretStr: SecretStr(PLACEHOLDER), HttpUrl: HttpUrl(NOWHERE), str: PLACEHOLDER}
    return next((value for one, value in stands.items() if one in kinds), None)


def _unchecked(spec: ConnectorSpec, settings: Mapping[str, Any], values: Mapping[str, Any]) -> ConnectionConfig:
    """Settings of which only those that were given are checked: what only a vendor asks for (one way in or another,
    secrets that belong together) is no matter of mapping."""
    given = {
        name: TypeAdapter(spec.config.model_fields[name].annotation).validate_python(value)
        for name, value in settings.items()
    }
    return spec.config.model_construct(**{**values, **given}).named(f"{spec.name}_trial")


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


def trial(spec: ConnectorSpec, config: ConnectionConfig, paths: Sequence[Path], resource: str | None = None) -> Trial:
    """Maps every saved reply. Of several, those that fit no resource, or two, are skipped. Raises ConfigError where
    nothing fits."""
    if resource and resource not in {one.name for one in spec.resources}:
        raise ConfigError(
            f"{spec.name} has no resource {resource!r}; it reads {', '.join(r.name for r in spec.resources)}"
        )
    result = Trial()
    for path in paths:
        try:
            found, records = fitting(spec, reply_of(path), path.name, resource)
        except ConfigError as error:
            result.skipped.append(str(error))
            continue
        for record in records:
            _map(found, record, config, result)
    if len(result.skipped) == len(paths):
        raise ConfigError("; ".join(result.skipped))
    return result


OURS = {"row", "key", "seq", "stands"}
"""Columns of frames that say where in the file something stands."""


def trial_files(spec: ConnectorSpec, config: ConnectionConfig, paths: Iterable[Path]) -> Trial:
    """Reads each file whole, as a sync would; one that the connector refuses does not stop the others."""
    assert spec.files is not None
    result = Trial()
    for path in paths:
        stat = path.stat()
        try:
            frames = spec.files.read(config, FoundFile(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
        except (ConfigError, RejectedError) as error:
            result.refused.append(str(error))
            continue
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
