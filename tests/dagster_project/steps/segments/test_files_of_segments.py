"""What a file of a segment may say, and what stops it before anybody moves."""

import pytest
import yaml

from connectors.sdk.errors import ConfigError
from dagster_project.steps.people.due import people_due
from tests.dagster_project.steps.segments.conftest import TITLE


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"field": "order.count", "op": "=", "value": 1}, "is 'orders.count' meant"),
        ({"field": "orders.count", "op": "=", "value": "many"}, "orders.count is a number; 'many' is none"),
        ({"segment": "nobody_wrote"}, "there is no segment 'nobody_wrote'"),
    ],
)
def test_a_file_that_cannot_be_meant_stops_before_anybody_moves(town, where, words):
    town.writes("odd", where)
    with pytest.raises(ConfigError, match=words):
        town.looks()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("segment: {segment}\ntitle: Люди".encode("cp1251"), r"segments/odd.yaml is not UTF-8"),
        (b"segment: odd\nsince: 2026-02-30", r"segments/odd.yaml is not valid YAML: day is out of range"),
        (b"segment: odd\nwhere: {all: [\n", r"segments/odd.yaml:2:14 is not valid YAML: `where: {all: \[`; close the"),
        (b"where:\n  op: >=\n", r"segments/odd.yaml:2:8 is not valid YAML: `op: >=`; put quotes around"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(town, words, complaint):
    (town.folder / "odd.yaml").write_bytes(words)
    with pytest.raises(ConfigError, match=complaint):
        town.looks()


def test_no_segment_is_called_as_what_people_bought(town):
    town.writes("person_value", {"field": "orders.count", "op": ">", "value": 0})
    with pytest.raises(ConfigError, match="choose another name"):
        town.looks()


def test_a_field_that_asks_for_what_is_not_there_leaves_everybody_where_he_is(town):
    (town.folder / "fields.yaml").write_text(
        "tier:\n  kind: number\n  sql: v.summ\n  title: {ru: У, kk: Д, en: T}\n", "utf-8"
    )
    town.writes("gold", {"field": "tier", "op": ">", "value": 1000})
    town.lives("ANNA")
    with pytest.raises(ConfigError, match=r"segment gold cannot be asked: column v\.summ does not exist"):
        town.looks()
    assert {row.subject for row in town.all("select subject from hub.dirty")} == {"ANNA"}, "she is looked at later"


def test_a_field_that_divides_by_nothing_is_named_and_stops_nothing_else(town):
    bought = 'select count(*) from canonical."order" o where o.person_id = b.person_id'
    field = {"kind": "number", "sql": f"1000 / ({bought})", "title": TITLE}
    (town.folder / "fields.yaml").write_text(yaml.safe_dump({"tier": field}), "utf-8")
    town.writes("gold", {"field": "tier", "op": ">", "value": 10})
    town.lives("ANNA")
    with pytest.raises(ConfigError, match=r"segment gold cannot be asked: division by zero; mend segments/fields.yaml"):
        town.looks()
    people_due(town.store, town.hub, now=town.now)


def test_a_segment_for_a_channel_that_is_not_there_says_so(town):
    consent = {"channel": "email", "purpose": "marketing"}
    town.writes(
        "mail", {"field": "orders.count", "op": ">", "value": 0}, consent=consent,
        activate=[{"channel": "letters", "audience": "buyers"}],
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"segments/mail.yaml activates 'letters'"):
        town.looks()


def test_engineers_add_a_field_with_sql(town):
    (town.folder / "fields.yaml").write_text(
        "loyalty.tier:\n  kind: text\n  sql: case when v.sum >= 1000 then 'gold' else 'basic' end\n"
        "  title: {ru: Уровень, kk: Деңгей, en: Tier}\n  values: [basic, gold]\n",
        "utf-8",
    )
    town.writes("gold", {"field": "loyalty.tier", "op": "=", "value": "gold"})
    town.lives("ANNA")
    town.buys("ANNA", total=1000)
    town.looks()
    assert town.members("gold") == {"ANNA"}
