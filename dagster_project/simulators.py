"""Sandboxes of installed connectors: found beside each connector as its module `sandbox`, whoever wrote it."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from connectors.sdk.errors import ConfigError
from connectors.sdk.registry import discover
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.testing.sandbox import Demo, served


@dataclass
class Simulator:
    """A connector's sandbox module: `sandbox(shop, limits=…)` and, where it is in the demo, `DEMO` and `life`."""

    spec: ConnectorSpec
    module: ModuleType
    state: Any = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def demo(self) -> Demo | None:
        return getattr(self.module, "DEMO", None)

    def settings(self, base_url: str, *, limits: str) -> dict[str, Any]:
        """What connections.yaml says of a connection to it; without limits the connector keeps no pace either."""
        said = {**self.demo.settings, **(self.demo.unlimited if limits == "off" else {})} if self.demo else {}
        return {**said, **({"base_url": base_url} if "base_url" in self.spec.config.model_fields else {})}

    @property
    def secrets(self) -> dict[str, str]:
        """Invented tokens: what the sandbox lets in, by setting."""
        return self.demo.secrets if self.demo else {}

    @contextmanager
    def running(self, shop: Any, *, limits: str, folder: Path) -> Iterator[str]:
        """Yields its address: a server's on loopback, or the folder in which it drops files."""
        self.state = self.module.sandbox(shop, limits=limits)
        if self.state.sandbox is None:
            self.state.drop(folder)
            yield folder.as_uri()
            return
        with served(self.state.sandbox) as base_url:
            yield base_url

    def pulse(self, shop: Any, feeds: str | None, folder: Path) -> Callable[[], None]:
        """What happens there each time the demo's clock ticks; nothing for a vendor without life."""
        life = getattr(self.module, "life", None)
        if life is None:
            return lambda: None
        return life(self.state, shop, feeds=feeds, **({} if self.state.sandbox else {"folder": folder}))


def sandbox_module(spec: ConnectorSpec) -> ModuleType | None:
    """The module `sandbox` of the connector's package, None where it has none."""
    package = spec.config.__module__.removesuffix(".config")
    if importlib.util.find_spec(package) is None or importlib.util.find_spec(f"{package}.sandbox") is None:
        return None
    return importlib.import_module(f"{package}.sandbox")


def simulators(names: Sequence[str] = ()) -> list[Simulator]:
    """Of the named connectors, or of all that have one. Raises ConfigError for a name without a sandbox."""
    specs = discover().specs
    found = {name: module for name, spec in specs.items() if (module := sandbox_module(spec))}
    if missing := [name for name in names if name not in found]:
        raise ConfigError(f"no sandbox for {', '.join(missing)}; there is one for {', '.join(sorted(found))}")
    return [Simulator(specs[name], found[name]) for name in (names or sorted(found))]
