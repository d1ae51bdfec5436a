"""`keruen person` and `keruen explain person`: what they print, what they never print."""

import getpass
import json
from datetime import date

import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.home import home
from tests.dagster_project.steps.test_identify import AIGUL, PHONE, SYSTEMS, People

SHOP = {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]}
LIKE = {"connection": "till", "external_id": "5", "phones": [PHONE], "name": "Данияр"}


def says(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def people(store, now) -> People:
    home().mkdir(exist_ok=True)
    (home() / "connections.yaml").write_text(yaml.safe_dump(yaml.safe_load(SYSTEMS)), "utf-8")
    known = People(store, now)
    known.come(AIGUL, SHOP, LIKE)
    known.buy({"external_id": "o1", "customer": "9"})
    known.settles()
    return known


def test_a_person_is_shown_without_contacts_in_clear(people):
    said = says("person", "show", "crm:1", "--json")
    story = json.loads(said)
    assert story["golden"]["phones"] == ["+7…01"]
    assert {record["external_id"] for record in story["records"]} == {"1", "9"}
    assert story["household"] == [people.person("till", "5")]
    assert PHONE not in said + says("person", "show", "crm:1")


def test_each_value_of_a_person_says_which_of_the_records_has_it(people):
    says("person", "pin", "crm:1", "city", "Астана")
    story = json.loads(says("person", "show", "crm:1", "--json"))
    records = {(one["connection"], one["external_id"]) for one in story["records"]}
    city = story["golden"]["provenance"].pop("city")
    assert (city["connection"], city["external_id"], city["rule"]) == (None, None, "pinned")
    named = {(one["connection"], one["external_id"]) for one in story["golden"]["provenance"].values()}
    assert ("crm", "1") in named <= records


def test_the_story_of_a_person_says_why_each_record_is_hers(people):
    story = json.loads(says("explain", "person", "crm:1", "--json"))
    hops = {hop["hop"]: hop["detail"] for hop in story["hops"] if hop["connection"] == "shop" or not hop["connection"]}
    assert "one with crm:1" in hops["record"]
    assert "phone +6" in hops["record"]
    assert hops["order"].startswith("o1 o1 placed")
    assert "created" in hops


def test_a_person_is_explained_without_the_word_and_that_is_written_down(people):
    story = json.loads(says("explain", "crm:1", "--json"))
    assert (story["kind"], story["id"]) == ("person", people.person("crm", "1"))
    assert story == json.loads(says("explain", "person", "crm:1", "--json"))
    assert len(people.all("select * from privacy.access_log where purpose = 'explain person'")) == 2


def test_who_set_a_value_by_hand_and_why_is_told_and_the_value_is_not(people):
    says("person", "pin", "crm:1", "phone", "+77000000007", "--why", "she called")
    said = says("explain", "person", "crm:1", "--json")
    [pin] = [hop["detail"] for hop in json.loads(said)["hops"] if hop["hop"] == "pin"]
    assert pin == f"phone set by {getpass.getuser()}: she called"
    assert "+77000000007" not in said


def test_a_merge_and_its_way_back_on_the_command_line(people):
    son = people.person("till", "5")
    survivor = json.loads(says("person", "merge", "crm:1", "till:5", "--why", "one number", "--json"))["person_id"]
    assert people.person("till", "5") == people.person("crm", "1") == survivor
    assert "one number" in says("explain", "person", survivor)
    says("person", "unmerge", survivor)
    assert people.person("till", "5") == son


def test_the_review_queue_gives_the_evidence_and_masks_contacts(people):
    namesakes = {"first_name": "Ерлан", "phones": ["+77000000008"]}
    people.come({**namesakes, "external_id": "7", "birth_date": date(1980, 5, 6)},
                {**namesakes, "connection": "till", "external_id": "8", "birth_date": date(1991, 8, 17)})  # fmt: skip
    people.settles()
    [pair] = json.loads(says("person", "review", "--json"))
    assert {pair["one"], pair["other"]} == {"crm:7", "till:8"}
    assert pair["evidence"] == "5 bits = phone +6, birth -4.5, first +3.5"
    assert "+77000000008" not in json.dumps(pair)
    assert json.loads(says("person", "review", "--apart", "crm:7", "till:8", "--json")) == []


def test_a_record_is_not_kept_apart_from_itself(people):
    done = CliRunner().invoke(app, ["person", "review", "--apart", "crm:1", "crm:1"])
    assert (done.exit_code, "name the two" in done.output) == (1, True)


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_no_page_of_the_review_queue_is_empty_because_nothing_was_asked_for(people, limit):
    done = CliRunner().invoke(app, ["person", "review", "--limit", limit])
    assert (done.exit_code, "--limit" in done.output) == (2, True)


def test_the_review_queue_is_read_page_by_page_likeliest_first(people):
    for number, city in enumerate(("Алматы", "Астана", None)):
        twin = {"first_name": "Ерлан", "phones": [f"+7700000001{number}"], "external_id": f"7{number}"}
        people.come({**twin, "birth_date": date(1980, 5, 6), "city": city},
                    {**twin, "connection": "till", "birth_date": date(1991, 8, 17), "city": "Алматы"})  # fmt: skip
    people.settles()
    whole = json.loads(says("person", "review", "--json"))
    assert [pair["weight"] for pair in whole] == [5.7, 5.0, 4.7]
    read, after = [], ()
    while page := json.loads(says("person", "review", "--limit", "1", *after, "--json")):
        read += page
        after = ("--after", page[-1]["one"], page[-1]["other"])
    assert read == whole
    done = CliRunner().invoke(app, ["person", "review", "--after", "crm:70", "crm:71"])
    assert done.exit_code != 0
    assert "no pair of the queue" in done.output
