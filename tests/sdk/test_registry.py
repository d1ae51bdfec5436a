"""One bad plugin is a line in a list; the others carry on."""

import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from connectors.sdk import registry
from connectors.sdk.registry import Discovery, discover


def a_plugin(changed: str = "", name: str = "bad") -> str:
    """The code of a plugin that is well, but for what is `changed` in its spec."""
    return f"""
from dataclasses import replace
from connectors.sdk import ConnectionConfig, ConnectorSpec, Sink
class Settings(ConnectionConfig):
    pass
CONNECTOR = replace(ConnectorSpec(name="{name}", title="Good", config=Settings), {changed})
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(site: Path, distribution: str, name: str, code: str, target: str = "CONNECTOR") -> None:
    """What pip leaves behind of a plugin: a module and its metadata."""
    module = f"plugin_{distribution.replace('-', '_')}"
    (site / f"{module}.py").write_text(code)
    sys.modules.pop(module, None)
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[keruen.connectors]\n{name} = {module}:{target}\n")


def installed(site: Path) -> Discovery:
    return discover(
        [entry for d in distributions(path=[str(site)]) for entry in d.entry_points if entry.group == registry.GROUP]
    )


def test_an_installed_plugin_appears_with_where_it_came_from(site: Path):
    install(site, "keruen-acme", "acme", a_plugin(name="acme"))
    found = installed(site)
    assert found.specs["acme"].title == "Good"
    assert found.origins["acme"] == "keruen-acme 1.0"
    assert found.problems == ()


BAD = {
    "raises at import": ("raise RuntimeError('token=SECRETSECRET expired')", "cannot be loaded (RuntimeError"),
    "cannot be imported": ("import no_such_module", "cannot be loaded (ModuleNotFoundError"),
    "exits at import": ("raise SystemExit(3)", "cannot be loaded (SystemExit"),
    "raises what nobody expects": ("class Odd(BaseException): pass\nraise Odd()", "cannot be loaded (Odd"),
    "has no such name": ("pass", "cannot be loaded (AttributeError"),
    "is a class": ("class CONNECTOR: pass", "not a ConnectorSpec object"),
    "is of a later sdk": (a_plugin("sdk=9"), "update Keruen"),
    "is of an older sdk": (a_plugin("sdk=0"), "update the plugin"),
    "calls itself something else": (a_plugin(name="other"), "calls itself 'other'"),
    "has settings of its own kind": (a_plugin("config=dict"), "ConnectionConfig"),
    "offers what does not exist": (a_plugin("sinks=(Sink('stock.pull'),)"), "'stock.pull' is unknown"),
    "offers the same thing twice": (a_plugin("sinks=(Sink('stock.push'), Sink('stock.push'))"), "offered twice"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_plugin_that(fault: str, site: Path):
    code, why = BAD[fault]
    install(site, "keruen-bad", "bad", code)
    install(site, "keruen-acme", "acme", a_plugin(name="acme"))
    found = installed(site)
    assert list(found.specs) == ["acme"]
    [problem] = found.problems
    assert (problem.name, problem.distribution) == ("bad", "keruen-bad")
    assert why in problem.why
    assert "SECRETSECRET" not in problem.why


def test_the_first_to_take_a_name_keeps_it_and_the_hub_is_first(site: Path):
    install(site, "aaa-acme", "acme", a_plugin(name="acme"))
    install(site, "keruen", "acme", a_plugin(name="acme"))
    found = installed(site)
    assert found.origins["acme"] == "keruen 1.0"
    assert "taken by keruen 1.0" in found.problems[0].why


def test_ctrl_c_is_the_users(site: Path):
    install(site, "keruen-slow", "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        installed(site)


def test_what_is_installed_here_loads_without_network_and_without_an_argument(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KERUEN_HOME", raising=False)
    assert isinstance(discover(), Discovery)
