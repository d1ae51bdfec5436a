"""The segments that the guide shows can be copied as they stand."""

from pathlib import Path

import yaml

from connectors.sdk import ConnectionConfig, ConnectorSpec
from dagster_project.connections import parse
from dagster_project.segment_files import fields, mistakes, segments
from mappings.segments import language

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_examples_are_segments():
    spec = ConnectorSpec("mailer", "Mailer", ConnectionConfig)
    hub = parse("letters: {connector: mailer}", {"mailer": spec}, folder=DOCS)
    assert mistakes(hub) == {}
    names = [one.name for one in segments(hub)]
    assert sorted(names) == sorted(path.stem for path in (DOCS / "segments").glob("*.yaml") if path.stem != "fields")
    assert names.index("employees") < names.index("at_risk_vip")
    assert fields(hub)["loyalty.tier"].values == ("basic", "silver", "gold")


def test_the_smallest_file_that_the_guide_shows_is_a_whole_segment():
    _, _, shown = (DOCS / "segments/README.md").read_text("utf-8").partition("```yaml\n")
    found = language.parse(yaml.safe_load(shown.partition("```")[0]))
    assert {"segment", "title", "where"} == found.model_fields_set
