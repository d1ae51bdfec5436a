"""Three lines of test, a command that certifies: what an author sees of the kit."""

from pathlib import Path
from types import ModuleType

import pytest
from pydantic import Field as Setting

from connectors.sdk import (
    ConnectionConfig,
    ConnectorSpec,
    FileDrop,
)  # fmt: skip
from connectors.sdk.testing.conformance import certify, conformance
from connectors.sdk.testing.kit import Kit
from connectors.sdk.testing.rules import CERTIFIED, RULES

BY_NAME = {rule.__name__: rule for rule in CERTIFIED}


def test_three_lines_of_test_become_one_test_per_rule(good: Kit):
    made = conformance(good.spec, cases=good.cases, config=good.config, exempt=["merchants_have_a_readme"])
    assert {name for name in vars(made) if name.startswith("test_")} == {
        f"test_{rule.__name__}" for rule in RULES if rule.__name__ != "merchants_have_a_readme"
    }


def test_a_rule_that_does_not_exist_cannot_be_exempted(good: Kit):
    with pytest.raises(ValueError, match="no such rules: politeness"):
        conformance(good.spec, cases=None, config=good.config, exempt=["politeness"])


def test_what_does_not_apply_is_skipped_and_says_why(good: Kit):
    made = conformance(good.spec, cases=None, config=good.config)()
    with pytest.raises(BaseException, match="has no sandbox") as caught:
        made.test_paging_ends_and_repeats_nothing()
    assert type(caught.value).__name__ == "SkipTest"


def test_certification_runs_every_rule_with_the_connectors_own_sandbox(acme: ModuleType):
    found = certify(acme.CONNECTOR, acme.sandbox)
    assert [one.rule for one in found] == list(BY_NAME)
    assert [one for one in found if not one.passed] == []


def test_certification_needs_a_sandbox(acme: ModuleType):
    spec: ConnectorSpec = acme.CONNECTOR
    [found] = certify(spec, None)
    assert not found.passed
    assert "sandbox.py" in found.why


def test_a_connector_that_reads_files_is_certified_without_a_vendor(tmp_path: Path):
    class Folder(ConnectionConfig):
        path: str = Setting(description="Where files are dropped.")

    drop = FileDrop("files", find=lambda config: (), read=lambda config, path: None)
    found = certify(ConnectorSpec(name="drop", title="Drop", config=Folder, files=drop), None)
    assert [one for one in found if not one.passed] == []
    assert "speaks to no network" in next(one.why for one in found if one.rule == "it_can_be_pointed_at_a_sandbox")
