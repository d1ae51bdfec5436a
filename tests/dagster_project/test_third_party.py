"""Somebody else's connector: installed with pip it is simply there, and broken it is in nobody's way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk.scaffold import new

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = """
shop:
  connector: acme
  secrets: {token: NOT_SET_ANYWHERE}
  push: {stock: auto}
tills:
  connector: files
  settings: {path: inbox/*.csv, layout: products, columns: {sku: sku, name: name}}
old_shop:
  connector: gone
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed two plugins: `acme`, and `gone`, which breaks when it is imported."""
    folder = tmp_path_factory.mktemp("third_party")
    plugins = [new(name, folder / name) for name in ("acme", "gone")]
    with (folder / "gone/keruen_gone/__init__.py").open("a") as code:
        code.write("\nraise RuntimeError('the licence ended yesterday')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
         "--no-build-isolation", "--target", folder / "site", *plugins],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "connections.yaml").write_text(CONNECTIONS)
    return folder


def run(site: Path, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that sees the plugins, with no secrets in its environment and nothing running."""
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "KERUEN_HOME": str(home)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_installed_plugin_is_listed_with_its_maker_and_a_broken_one_with_its_reason(site: Path, home: Path):
    rows = told(run(site, home, "-m", "dagster_project.cli", "connectors", "list", "--json"))
    listed = {row["name"]: row for row in rows}
    assert listed["acme"]["from"] == "keruen-acme 0.1.0"
    assert (listed["acme"]["reads"], listed["acme"]["writes"]) == (["orders", "offers"], ["stock.push"])
    assert listed["acme"]["sandbox"] is True
    assert listed["gone"]["from"] == "keruen-gone"
    assert "the licence ended yesterday" in listed["gone"]["problem"]
    assert {"files", "kaspi", "moysklad", "satu"} <= {name for name, row in listed.items() if not row["problem"]}


LOADED = """
import json
from dagster import DagsterInstance, materialize
from dagster_project.definitions import defs

graph = defs.resolve_asset_graph()
broken = next(one for one in defs.assets if one.op.name == "raw_old_shop")
with DagsterInstance.ephemeral() as instance:
    run = materialize([broken], instance=instance, raise_on_error=False)
print(json.dumps({
    "assets": sorted("/".join(key.path) for key in graph.get_all_asset_keys()),
    "jobs": sorted(job.name for job in defs.resolve_all_job_defs()),
    "sensors": sorted(sensor.name for sensor in defs.sensors),
    "checks": [[check.passed, check.metadata["problem"].value] for check in run.get_asset_check_evaluations()],
}))
"""


@pytest.fixture(scope="module")
def loaded(site: Path, home: Path) -> Any:
    return told(run(site, home, "-c", LOADED))


def test_a_plugin_has_assets_jobs_and_a_hot_lane_without_a_change_here(loaded: Any):
    own = {asset for asset in loaded["assets"] if "/shop" in asset}
    assert own == {
        "raw/shop/orders", "raw/shop/offers", "plan/shop/stock_push", "delivery/shop/stock_push",
        "drift/shop/stock_push",
    }  # fmt: skip
    assert {"canonical/order", "canonical/listing"} <= set(loaded["assets"])
    assert any(job.startswith("pull_shop_") for job in loaded["jobs"])
    assert "hot_shop" in loaded["sensors"]


def test_a_connection_of_a_broken_plugin_is_loud_and_the_others_load(loaded: Any):
    assert {"raw/tills/files", "raw/shop/orders"} <= set(loaded["assets"])
    assert "raw/old_shop/connector" in loaded["assets"]
    [[passed, problem]] = loaded["checks"]
    assert not passed
    assert "the licence ended yesterday" in problem


def test_check_names_the_broken_plugin_and_its_connection_and_exits_1(site: Path, home: Path):
    done = run(site, home, "-m", "dagster_project.cli", "connectors", "check", "--json")
    assert done.returncode == 1
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert not rows["plugin gone"]["ok"]
    assert "the licence ended yesterday" in rows["old_shop"]["says"]
    assert "NOT_SET_ANYWHERE" in rows["shop"]["says"]
