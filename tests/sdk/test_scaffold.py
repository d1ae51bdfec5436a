"""What `keruen connectors new` leaves behind works before a line of it is changed."""

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from connectors.sdk import ConfigError
from connectors.sdk.scaffold import new

ROOT = Path(__file__).parents[2]


def test_a_new_connector_passes_the_kit_untouched(tmp_path: Path):
    made = new("my_shop", tmp_path / "keruen-my-shop")
    environment = {**os.environ, "PYTHONPATH": f"{made}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(made), "tests"],
        cwd=made, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "29 passed, 3 skipped" in done.stdout


def test_a_complete_connector_stays_about_sixty_lines(plugin: Path):
    """Its settings, both resources, their tables, the sink and the declaration; blank lines and docstrings apart."""
    module = ast.parse((plugin / "keruen_acme/__init__.py").read_text("utf-8"))
    assert len(written := code_lines(module)) <= 62, sorted(written)


def code_lines(module: ast.Module) -> set[int]:
    said = {
        node.value for node in ast.walk(module) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    spans = [(node.lineno, node.end_lineno or node.lineno) for node in module.body]
    silent = {line for node in said for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return {line for first, last in spans for line in range(first, last + 1)} - silent


def test_its_types_are_strict(plugin: Path, tmp_path: Path):
    environment = {**os.environ, "MYPYPATH": f"{plugin}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "--config-file", os.devnull,
         "--cache-dir", tmp_path, "keruen_acme/__init__.py"],
        cwd=plugin, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_its_entry_point_names_what_it_defines(plugin: Path):
    project = tomllib.loads((plugin / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["name"] == "keruen-acme"
    assert project["project"]["entry-points"]["keruen.connectors"] == {"acme": "keruen_acme:CONNECTOR"}
    assert "CONNECTOR = ConnectorSpec(" in (plugin / "keruen_acme/__init__.py").read_text("utf-8")


def test_the_demo_does_not_make_it_wait_for_its_own_sandbox(acme: ModuleType):
    """A PUT for each of 5,000 offers, at the vendor's pace, is a quarter of an hour."""
    demo = importlib.import_module("keruen_acme.sandbox").DEMO
    http = acme.http(acme.AcmeConfig(**demo.secrets, **demo.unlimited))
    assert http._rate[0] >= 100  # the bucket that the demo's connection takes its turn from


def test_no_placeholder_is_left(plugin: Path):
    for path in plugin.rglob("*.*"):
        if path.is_file() and path.suffix != ".pyc":
            assert "__system__" not in path.read_text("utf-8").lower().replace("__dashed__", "__system__"), path


@pytest.mark.parametrize("name", ["Acme", "1c", "a-b", "", "a b"])
def test_a_name_that_cannot_be_a_package_is_refused(name: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="no name for a connector"):
        new(name, tmp_path / "x")


def test_nothing_is_written_over(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        new("acme", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
