"""The kit lets a good connector pass and fails each bad one for its own reason."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.sdk.testing.conformance import Verdict, verdict
from connectors.sdk.testing.kit import Kit
from connectors.sdk.testing.rules import CERTIFIED
from tests.sdk.conformance.bad import BAD

BY_NAME = {rule.__name__: rule for rule in CERTIFIED}


@pytest.mark.parametrize("rule", BY_NAME)
def test_a_connector_fresh_from_the_scaffold_keeps(rule: str, good: Kit):
    assert verdict(BY_NAME[rule], good).passed


@pytest.mark.parametrize("fault", BAD)
def test_the_kit_catches_a_connector_that(fault: str, acme: ModuleType, good: Kit):
    spoil, rule, why = BAD[fault]
    found = verdict(BY_NAME[rule], spoil(acme, good))
    assert not found.passed
    assert why in found.why


def test_the_kit_catches_a_connector_that_calls_faster_than_its_vendor_allows(acme: ModuleType, good: Kit, monkeypatch):
    hasty = acme.http

    def http(config: Any) -> Any:
        account = hasty(config)
        account._rate = (1000.0, 1000.0)
        return account

    def pages_of_two(config: Any, since: Any) -> Iterator[Any]:
        yield from http(config).pages("offers", {"limit": 2}, items="data", next="next")

    offers = replace(acme.OFFERS, extract=pages_of_two)
    found = verdict(BY_NAME["it_keeps_the_vendors_limits"], replace(good, spec=replace(good.spec, resources=(offers,))))
    assert not found.passed
    assert "too fast" in found.why


def test_the_kit_catches_a_connector_that_needs_the_world_to_be_imported(
    plugin: Path, tmp_path: Path, monkeypatch, good
):
    module = (plugin / "keruen_acme/__init__.py").read_text("utf-8")
    (tmp_path / "keruen_needy.py").write_text(f"import os\nTOKEN = os.environ['HOME']\n{module}", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import keruen_needy

    found = verdict(BY_NAME["importing_it_touches_nothing"], replace(good, spec=keruen_needy.CONNECTOR))
    assert not found.passed
    assert "KeyError: 'HOME'" in found.why


def copied(plugin: Path, to: Path) -> Path:
    """The cases, to be spoilt."""
    for path in (plugin / "tests/cases").rglob("*.*"):
        target = to / path.relative_to(plugin / "tests/cases")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return to


def test_the_kit_catches_a_case_that_does_not_say_where_it_is_from(plugin: Path, tmp_path: Path, good: Kit):
    cases = copied(plugin, tmp_path)
    (cases / "orders/provenance.yaml").write_text("two_lines: {from: recorded, api: v1}\n")
    found = verdict(BY_NAME["every_case_says_where_it_is_from"], replace(good, cases=cases))
    assert found == Verdict("every_case_says_where_it_is_from", False, "orders: two_lines.raw.json: recorded needs on")


def test_a_missing_golden_file_is_written_only_when_asked_for(plugin: Path, tmp_path: Path, good: Kit, monkeypatch):
    cases = copied(plugin, tmp_path)
    golden = cases / "orders/two_lines.canonical.json"
    before = json.loads(golden.read_text("utf-8"))
    golden.unlink()
    assert "is missing" in verdict(BY_NAME["golden_files_match"], replace(good, cases=cases)).why
    monkeypatch.setenv("KERUEN_GOLDEN", "write")
    assert verdict(BY_NAME["golden_files_match"], replace(good, cases=cases)).passed
    assert json.loads(golden.read_text("utf-8")) == before


def test_silver_is_not_had_with_invented_cases_alone(plugin: Path, good: Kit):
    quality = plugin / "keruen_acme/quality.yaml"
    honest = quality.read_text("utf-8")
    try:
        quality.write_text(honest.replace("level: bronze", "level: silver").replace("{open:", "{exempt:"), "utf-8")
        found = verdict(BY_NAME["its_quality_is_what_it_claims"], good)
    finally:
        quality.write_text(honest, "utf-8")
    assert "all cases are invented" in found.why
