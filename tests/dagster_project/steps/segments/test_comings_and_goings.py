"""Who enters a segment and who leaves it, and when that is noticed."""

from tests.dagster_project.steps.segments.conftest import DAY


def test_a_buyer_enters_when_he_bought_enough_and_leaves_when_he_brings_it_back(town):
    town.writes("big", {"field": "orders.sum", "op": ">=", "value": 1000})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA", total=600)
    town.looks()
    assert town.members("big") == set()
    second = town.buys("ANNA", total=600)
    assert town.looks() == 1
    assert town.members("big") == {"ANNA"}
    town.brings_back("ANNA", second, total=600)
    town.looks()
    assert town.members("big") == set()
    assert [change for change, _ in town.story("big", "ANNA")] == ["entered", "left"]


def test_nobody_is_looked_at_twice_and_an_idle_hub_moves_nothing(town):
    town.writes("all", {"field": "orders.count", "op": ">=", "value": 0})
    town.lives("ANNA")
    assert town.looks() == 1
    assert town.looks() == 0
    town.say("insert into identity.person (person_id, created_at, records) values ('NEW', now(), 1)")
    assert town.looks() == 0, "nobody said that NEW changed"
    assert town.looks(full=True) == 1


def test_a_lapsed_buyer_is_found_on_his_day_though_nothing_happened_to_him(town):
    town.writes("lapsed", {"field": "orders.last", "op": "older_than", "value": "30d"}, refresh="daily")
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.buys("BOLAT", ago=10 * DAY)
    town.looks()
    town.passes(days=19)
    town.looks()
    assert town.members("lapsed") == set()
    town.passes(days=1)
    town.looks()
    assert town.members("lapsed") == {"BOLAT"}
    town.passes(days=25)
    town.looks()
    assert town.members("lapsed") == {"ANNA", "BOLAT"}, "days on which the hub was off are made up for"
    assert town.story("lapsed", "ANNA") == [("entered", "the day came")]


def test_who_comes_back_is_won_back(town):
    town.writes("won_back", {"field": "lifecycle", "op": "=", "value": "won_back"})
    town.lives("ANNA")
    town.buys("ANNA", ago=200 * DAY)
    town.looks()
    town.buys("ANNA")
    town.looks()
    assert town.members("won_back") == {"ANNA"}
    town.passes(days=300)
    town.looks()
    assert town.members("won_back") == set()


def test_a_changed_file_is_looked_at_for_everybody_and_a_torn_up_one_empties(town):
    town.writes("big", {"field": "orders.sum", "op": ">=", "value": 1000})
    town.lives("ANNA")
    town.buys("ANNA", total=600)
    town.looks()
    town.writes("big", {"field": "orders.sum", "op": ">=", "value": 500})
    town.looks()
    assert town.members("big") == {"ANNA"}
    town.tears_up("big")
    town.looks()
    assert town.members("big") == set()
    assert town.story("big", "ANNA")[-1] == ("left", "the segment is no more")


def test_a_list_with_nothing_in_it_is_absent(town):
    for field in ("orders.channels", "person.tags"):
        for op in ("exists", "absent"):
            town.writes(f"{field.replace('.', '_')}_{op}", {"field": field, "op": op})
    town.lives("ANNA", "BOLAT")
    town.lives("ANNA", tags=["vip"])
    town.buys("ANNA")
    town.looks()
    assert town.members("orders_channels_exists") == town.members("person_tags_exists") == {"ANNA"}
    assert town.members("orders_channels_absent") == town.members("person_tags_absent") == {"BOLAT"}


def test_a_segment_follows_the_one_it_refers_to(town):
    town.writes("buyers", {"all": [{"field": "orders.count", "op": ">", "value": 0}, {"not": {"segment": "staff"}}]})
    town.writes("staff", {"field": "person.tags", "op": "in", "value": ["staff"]})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.buys("BOLAT")
    town.looks()
    assert town.members("buyers") == {"ANNA", "BOLAT"}
    town.lives("BOLAT", tags=["staff"])
    town.looks()
    assert (town.members("buyers"), town.members("staff")) == ({"ANNA"}, {"BOLAT"})


def test_a_segment_follows_the_one_it_refers_to_when_that_ones_file_changes(town):
    town.writes("buyers", {"all": [{"field": "orders.count", "op": ">", "value": 0}, {"not": {"segment": "staff"}}]})
    town.writes("staff", {"field": "person.tags", "op": "in", "value": ["staff"]})
    town.lives("ANNA", tags=["cashier"])
    town.buys("ANNA")
    town.looks()
    town.writes("staff", {"field": "person.tags", "op": "in", "value": ["staff", "cashier"]})
    town.looks()
    assert town.members("buyers") == set()
    assert town.story("buyers", "ANNA")[-1] == ("left", "membership of staff changed")


ALMATY = ["Алматы", "г. Алматы", "Almaty", "Алма-Ата"]


def test_a_town_is_one_however_it_is_written(town):
    town.writes("there", {"field": "person.city", "op": "=", "value": "АЛМАТЫ"})
    town.writes("elsewhere", {"field": "person.city", "op": "!=", "value": "almaty"})
    town.writes("either", {"field": "person.city", "op": "in", "value": ["г.Алматы", "Нур-Султан"]})
    town.writes("neither", {"field": "person.city", "op": "not in", "value": ["г.Алматы", "Нур-Султан"]})
    town.writes("nowhere", {"field": "person.city", "op": "absent"})
    for city in (*ALMATY, "Astana", "Taraz"):
        town.lives(city, city=city)
    town.lives("NOBODY", city=None)
    everybody = {
        "there": set(ALMATY),
        "elsewhere": {"Astana", "Taraz"},
        "either": {*ALMATY, "Astana"},
        "neither": {"Taraz"},
        "nowhere": {"NOBODY"},
    }
    town.looks()
    assert {name: town.members(name) for name in everybody} == everybody
    assert town.looks(full=True) == 0
    town.lives("Taraz", city="Алматы қаласы")
    town.looks()
    assert "Taraz" in town.members("there")
    assert town.looks(full=True) == 0
