"""Who somebody is after another was erased is what a full run would say: nothing of who is gone weighs any more."""

import pytest

from dagster_project.steps.people.erase import erase
from dagster_project.steps.people.identify import identify_all
from tests.dagster_project.steps.test_identify import AIGUL, OTHER, PHONE, People

SON = {"connection": "till", "external_id": "5", "phones": [PHONE], "name": "Данияр Серик"}
TWIN = {"external_id": "2", "name": "Айгуль Серикова", "phones": [PHONE, OTHER]}
NAMESAKE = {"connection": "shop", "external_id": "9", "name": "Айгуль Серикова", "phones": [OTHER]}
KNOWN = ("identifier_stat", "identifier", "edge", "link_aside", "membership", "household")


@pytest.fixture
def people(store, now) -> People:
    known = People(store, now)
    known.come(AIGUL, SON, TWIN, NAMESAKE)
    known.buy({"external_id": "o1", "customer": "9"})
    known.settles()
    return known


def forgets(people: People, name: str) -> None:
    report = erase(people.store, people.hub, name, basis="letter 1", now=people.now)
    assert report["state"] == "done"


def told(people: People) -> dict[str, list]:
    """What identity knows, but for what a run gives anew."""
    query = "select to_jsonb(t) - 'since' - 'created_at' - 'household_id' from identity.{} t"
    return {table: sorted(map(str, people.all(query.format(table)))) for table in KNOWN}


@pytest.mark.parametrize("who", ["crm:1", "till:5", "crm:2"])
def test_whoever_is_erased_the_others_are_as_a_full_run_finds_them(people, who):
    forgets(people, who)
    after = told(people)
    identify_all(people.store, people.hub, now=people.now)
    assert after == told(people)


def test_a_number_is_counted_without_who_is_gone(people):
    before = people.all("select records from identity.identifier_stat where kind = 'phone' order by records")
    assert [row.records for row in before] == [2, 3]
    forgets(people, "till:5")
    counts = people.all("select records, status from identity.identifier_stat where kind = 'phone'")
    assert [tuple(row) for row in counts] == [(2, "ok"), (2, "ok")]


def test_who_lived_together_with_nobody_else_is_no_household(people):
    assert people.all("select count(*) from identity.household")[0][0] >= 2
    for who in ("crm:1", "crm:2"):
        forgets(people, who)
    assert people.all("select * from identity.household") == []


def test_what_is_settled_at_once_leaves_no_work_that_names_anybody(people):
    people.all("select 1")
    forgets(people, "till:5")
    assert people.all("select subject from hub.dirty where entity = 'customer'") == []
