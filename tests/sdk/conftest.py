"""A connector fresh from the scaffold, imported: the kit must let it pass, and catch whatever is broken in it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from connectors.sdk.scaffold import new


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the generated distribution `keruen-acme`."""
    return new("acme", tmp_path_factory.mktemp("plugin") / "keruen-acme")


@pytest.fixture(scope="session")
def acme(plugin: Path) -> Iterator[ModuleType]:
    """The generated package, with its sandbox as `acme.sandbox`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(plugin))
        yield importlib.import_module("keruen_acme.sandbox") and sys.modules["keruen_acme"]
    for name in [name for name in sys.modules if name.startswith("keruen_acme")]:
        del sys.modules[name]
