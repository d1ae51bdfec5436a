"""A new connector as its own distribution. The files beside this one are its templates; the copy passes the kit as is."""

import re
from pathlib import Path

from connectors.sdk.errors import ConfigError
from connectors.sdk.registry import NAME

CASES = "tests/cases"
PLACES = {
    "pyproject.toml.tmpl": "pyproject.toml",
    "README.md.tmpl": "README.md",
    "connector.py.tmpl": "keruen___system__/__init__.py",
    "sandbox.py.tmpl": "keruen___system__/sandbox.py",
    "merchants.md.tmpl": "keruen___system__/README.md",
    "quality.yaml.tmpl": "keruen___system__/quality.yaml",
    "test_conformance.py.tmpl": "tests/test_conformance.py",
    "orders.raw.json.tmpl": f"{CASES}/orders/two_lines.raw.json",
    "orders.canonical.json.tmpl": f"{CASES}/orders/two_lines.canonical.json",
    "orders.provenance.yaml.tmpl": f"{CASES}/orders/provenance.yaml",
    "offers.raw.json.tmpl": f"{CASES}/offers/one_in_stock.raw.json",
    "offers.canonical.json.tmpl": f"{CASES}/offers/one_in_stock.canonical.json",
    "offers.provenance.yaml.tmpl": f"{CASES}/offers/provenance.yaml",
}
"""Template → where it goes; `__system__` stands for the connector's name, `__System__` for its class prefix."""


def new(name: str, folder: Path) -> Path:
    """Copies the templates into `folder` under the connector's name.

    Raises ConfigError where the name is none, or something already lies there.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a connector: small latin letters, digits and underscores, a letter first"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty; choose another folder")
    words = {"__system__": name, "__dashed__": name.replace("_", "-"), "__System__": _class_name(name)}
    for template, place in PLACES.items():
        target = folder / _filled(place, words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled((Path(__file__).parent / template).read_text("utf-8"), words), "utf-8")
    return folder


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub("|".join(words), lambda match: words[match[0]], text)
