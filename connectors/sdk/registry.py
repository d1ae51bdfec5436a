"""Which connectors are installed. Bundled ones come in by the same entry points as everybody else's."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from connectors.sdk.config import ConnectionConfig
from connectors.sdk.redact import sample
from connectors.sdk.spec import CAPABILITIES, SDK_VERSION, ConnectorSpec

GROUP = "keruen.connectors"
NAME = re.compile(r"[a-z][a-z0-9_]*")
HOME = "keruen"
"""Our own distribution: the names it ships are taken before anybody else's are looked at."""


@dataclass(frozen=True)
class PluginProblem:
    """A connector that is installed and cannot be used. `why` says who must do what."""

    name: str
    distribution: str
    why: str


@dataclass(frozen=True)
class Discovery:
    """`specs` and `origins` (distribution and version) by connector name; `problems` of those that are left out."""

    specs: Mapping[str, ConnectorSpec]
    problems: tuple[PluginProblem, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


def discover(entries: Iterable[EntryPoint] | None = None) -> Discovery:
    """Every installed connector, loaded in isolation: one bad plugin is a problem in the list, never an exception."""
    specs: dict[str, ConnectorSpec] = {}
    origins: dict[str, str] = {}
    problems: list[PluginProblem] = []
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: (_distribution(entry) != HOME, _distribution(entry), entry.name)):
        owner = origins.get(entry.name)
        loaded = f"the name is taken by {owner}; uninstall one of the two" if owner else _load(entry)
        if isinstance(loaded, str):
            problems.append(PluginProblem(entry.name, _distribution(entry), loaded))
        else:
            specs[entry.name] = loaded
            origins[entry.name] = f"{_distribution(entry)} {entry.dist.version if entry.dist else ''}".strip()
    return Discovery(specs, tuple(problems), origins)


def wrong_with(spec: Any, name: str) -> str | None:
    """Why `spec` cannot be the connector `name`; None when it can."""
    if not isinstance(spec, ConnectorSpec):
        return f"its entry point gives a {type(spec).__name__}, not a ConnectorSpec object; its author must mend that"
    if spec.sdk != SDK_VERSION:
        older = "the plugin" if spec.sdk < SDK_VERSION else "Keruen"
        return f"written for version {spec.sdk} of the sdk, this hub has {SDK_VERSION}; update {older}"
    if spec.name != name:
        return f"calls itself {spec.name!r}, its entry point {name!r}; its author must make the two equal"
    if not NAME.fullmatch(name):
        return f"{name!r} is no name: small latin letters, digits and underscores, a letter first"
    settings: Any = spec.config
    if not (isinstance(settings, type) and issubclass(settings, ConnectionConfig)):
        return "its config is no class of ConnectionConfig; its author must derive it"
    return _wrong_parts(spec)


def _wrong_parts(spec: ConnectorSpec) -> str | None:
    names = [resource.name for resource in spec.resources]
    if odd := next((one for one in names if not NAME.fullmatch(one) or names.count(one) > 1), None):
        return f"the resource name {odd!r} is used twice or is no name; its author must change it"
    capabilities = spec.capabilities
    if odd := next((one for one in capabilities if one not in CAPABILITIES or capabilities.count(one) > 1), None):
        return f"the capability {odd!r} is unknown or offered twice; there are {', '.join(sorted(CAPABILITIES))}"
    return None


def _load(entry: EntryPoint) -> ConnectorSpec | str:
    """The spec, or why there is none. Even `sys.exit()` at import is the plugin's affair; only Ctrl-C is the user's."""
    try:
        spec = entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return (
            f"cannot be loaded ({type(error).__name__}: {sample(str(error)) or 'no message'}); update or uninstall it"
        )
    return wrong_with(spec, entry.name) or spec


def installed_since(moment: float) -> list[str]:
    """Distributions with connectors that were installed after `moment`, in seconds since 1970."""
    fresh = {_distribution(entry) for entry in entry_points(group=GROUP) if _installed_at(entry) > moment}
    return sorted(fresh)


def _installed_at(entry: EntryPoint) -> float:
    metadata = [
        file for file in (entry.dist.files or () if entry.dist else ()) if file.name in ("METADATA", "PKG-INFO")
    ]
    return max((Path(str(file.locate())).stat().st_mtime for file in metadata), default=0.0)


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"
