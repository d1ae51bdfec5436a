"""What a file of a segment may say, and what a mistake in it stops."""

import pytest
import yaml

from dagster_project.steps.people.segments import stopped
from tests.dagster_project.steps.segments.conftest import TITLE

ANYBODY = {"field": "orders.count", "op": ">=", "value": 0}


@pytest.fixture
def told(town):
    """The segment `anybody` is as it should be, and ANNA belongs to `odd` by what its file said until now; what is told
    of the files once they were looked at again, when BOLAT had come too."""
    town.writes("anybody", ANYBODY)
    town.writes("odd", ANYBODY)
    town.lives("ANNA")
    town.looks()

    def looked() -> dict[str, str]:
        town.lives("BOLAT")
        town.looks()
        assert town.members("anybody") == {"ANNA", "BOLAT"}, "the others go on"
        assert town.members("odd") == {"ANNA"}, "who was in stays, and nobody comes"
        return stopped(town.store, town.hub)

    return looked


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"field": "order.count", "op": "=", "value": 1}, "segment odd: there is no field 'order.count', is 'ord"),
        (
            {"field": "orders.count", "op": "=", "value": "many"},
            "segment odd: orders.count is a number; 'many' is none",
        ),
        ({"segment": "nobody_wrote"}, "segment odd: there is no segment 'nobody_wrote'"),
        ({"segment": "odd"}, "segments refer to each other in a circle: odd → odd; take one reference out"),
    ],
)
def test_a_file_that_cannot_be_meant_stops_its_segment_alone(town, told, where, words):
    town.writes("odd", where)
    assert told()["odd"].partition(words)[:2] == ("segments/odd.yaml:7: ", words)


def test_a_line_is_where_the_mistake_stands(town, told):
    tests = [ANYBODY, {"not": {"any": [ANYBODY, {"field": "person.town", "op": "exists"}]}}]
    town.writes("odd", {"all": tests}, owner="Aigul")
    found = told()["odd"]
    line = int(found.removeprefix("segments/odd.yaml:").partition(":")[0])
    assert "person.town" in (town.folder / "odd.yaml").read_text("utf-8").splitlines()[line - 1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("segment: {segment}\ntitle: Люди".encode("cp1251"), "segments/odd.yaml is not UTF-8"),
        (b"segment: odd\nsince: 2026-02-30", "segments/odd.yaml is not valid YAML: day is out of range"),
        (b"segment: odd\nwhere: {all: [\n", "segments/odd.yaml:2:14 is not valid YAML: `where: {all: [`; close the"),
        (b"where:\n  op: >=\n", "segments/odd.yaml:2:8 is not valid YAML: `op: >=`; put quotes around"),
        (b"segment: odd\ntitle: {ru: A, kk: A}", "segments/odd.yaml:2: title.en: it is missing"),
        (b"- segment: odd", "segments/odd.yaml must be a mapping"),
        (b"", "segments/odd.yaml must be a mapping"),
        (b"segment: odd\nsegment: odd\n", "segments/odd.yaml:2:1 is not valid YAML: `segment: odd`; this word stands"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_stops_its_segment_alone(town, told, words, complaint):
    (town.folder / "odd.yaml").write_bytes(words)
    assert told()["odd"].startswith(complaint)


def test_a_file_by_another_name_stops_the_segment_that_it_names(town, told):
    (town.folder / "odd.yaml").rename(town.folder / "list of 2025.yaml")
    (town.folder / "list of 2025.yaml").write_text("segment: odd\nwhere: {all: [\n", "utf-8")
    assert told()["odd"].startswith("segments/list of 2025.yaml:2:14 is not valid YAML")


def test_a_copy_that_kept_the_name_is_the_one_to_be_mended(town):
    town.writes("anybody", ANYBODY)
    (town.folder / "a copy.yaml").write_text((town.folder / "anybody.yaml").read_text("utf-8"), "utf-8")
    town.lives("ANNA")
    town.looks()
    assert town.members("anybody") == {"ANNA"}
    assert stopped(town.store, town.hub) == {
        "a copy": "segments/a copy.yaml: another file has a segment 'anybody' too; give this one another name"
    }


def test_a_segment_that_refers_to_one_with_a_mistake_waits_with_it(town):
    town.writes("odd", ANYBODY)
    town.writes("others", {"not": {"segment": "odd"}})
    town.writes("anybody", ANYBODY)
    town.looks()
    town.writes("odd", {"field": "orders.cuont", "op": ">", "value": 0})
    town.lives("ANNA")
    town.looks()
    assert (town.members("others"), town.members("anybody")) == (set(), {"ANNA"})
    assert stopped(town.store, town.hub)["others"].endswith("it refers to odd, which must be mended first")


def test_slips_in_several_files_are_told_all_at_once(town, told):
    town.writes("odd", {"field": "orders.cuont", "op": ">", "value": 0})
    town.writes("even", {"field": "orders.count", "op": "=", "value": "two"})
    (town.folder / "fields.yaml").write_text("tier: {kind: money}\nlevel: {}\n", "utf-8")
    found = told()
    assert found.keys() == {"odd", "even", "fields.yaml"}
    assert "segments/fields.yaml:1: tier.kind" in found["fields.yaml"]
    assert "segments/fields.yaml:2: level.kind" in found["fields.yaml"]


def test_a_segment_that_was_mended_is_looked_at_as_a_whole(town, told):
    right = (town.folder / "odd.yaml").read_text("utf-8")
    town.writes("odd", {"field": "orders.cuont", "op": ">", "value": 0})
    told()
    (town.folder / "odd.yaml").write_text(right, "utf-8")
    assert "kept its members at the last look" in stopped(town.store, town.hub)["odd"]
    town.looks()
    assert town.members("odd") == {"ANNA", "BOLAT"}, "who came meanwhile was not forgotten"
    assert stopped(town.store, town.hub) == {}


def test_a_static_list_with_a_mistake_is_not_filled_anew_and_follows_merges_once_it_is_mended(town):
    town.writes("guests", ANYBODY, refresh="once")
    town.lives("ANNA", "BOLAT")
    town.looks()
    town.writes("guests", ANYBODY, refresh="onse")
    town.lives("DINA")
    town.merges("BOLAT", "DINA")
    town.lives("ERLAN")
    town.looks()
    assert town.members("guests") == {"ANNA", "BOLAT"}
    town.writes("guests", ANYBODY, refresh="once")
    town.looks()
    assert town.members("guests") == {"ANNA", "DINA"}


def test_no_segment_is_called_as_what_people_bought(town):
    town.writes("person_value", ANYBODY)
    assert "choose another name" in stopped(town.store, town.hub)["person_value"]


def _own_field(town, sql: str) -> None:
    said = {"tier": {"kind": "number", "sql": sql, "title": TITLE}}
    (town.folder / "fields.yaml").write_text(yaml.safe_dump(said), "utf-8")


BOUGHT = 'select count(*) from canonical."order" o where o.person_id = b.person_id'


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("v.summ", "column v.summ does not exist"),
        (f"1000 / ({BOUGHT})", "division by zero"),
        ("cast(b.person_id as integer)", "invalid input syntax for type integer: …"),
    ],
)
def test_a_field_that_cannot_be_asked_stops_the_segments_that_ask_it(town, told, sql, says):
    _own_field(town, "v.orders")
    town.writes("odd", {"not": {"field": "tier", "op": ">", "value": 10}})
    town.looks()
    _own_field(town, sql)
    assert told() == {"odd": f"segment odd cannot be asked: {says}; mend segments/fields.yaml"}
    _own_field(town, "v.orders")
    town.looks()
    assert town.members("odd") == {"ANNA", "BOLAT"}
    assert stopped(town.store, town.hub) == {}


@pytest.mark.parametrize("filled", [False, True])
def test_a_static_list_that_could_not_be_asked_is_filled_once_it_can(town, filled):
    if filled:
        town.writes("guests", {"field": "orders.count", "op": ">", "value": 0}, refresh="once")
        town.looks()
    _own_field(town, "v.summ")
    town.writes("guests", {"not": {"field": "tier", "op": ">", "value": 10}}, refresh="once")
    town.lives("ANNA")
    town.looks()
    town.looks()
    assert town.members("guests") == set()
    _own_field(town, "v.sum")
    town.looks()
    assert town.members("guests") == {"ANNA"}


def test_a_segment_for_a_channel_that_is_not_there_says_so(town, told):
    consent = {"channel": "email", "purpose": "marketing"}
    town.writes("odd", ANYBODY, consent=consent, activate=[{"channel": "letters", "audience": "buyers"}])
    assert told()["odd"].startswith("segments/odd.yaml:3: it activates 'letters'")


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
