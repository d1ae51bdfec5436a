"""What a preview says of a segment is what comes of it."""

from dagster_project.steps.people.membership import preview

EVERYBODY = {"field": "orders.count", "op": ">=", "value": 0}
BUYERS = {"field": "orders.count", "op": ">", "value": 0}


def looked_at(town, name):
    return preview(town.store, town.hub, name, now=town.now)


def test_segments_that_nobody_looked_at_yet_count_in_those_that_refer_to_them(town):
    town.lives("ANNA", "BOLAT", tags=["cashier"])
    town.lives("DINA")
    town.looks()
    town.writes("cashiers", {"field": "person.tags", "op": "in", "value": ["cashier"]})
    town.writes("staff", {"segment": "cashiers"})
    town.writes("guests", {"not": {"segment": "staff"}})
    assert looked_at(town, "guests")["members"] == 1
    assert town.all("select * from segment.membership") == [], "a preview writes nothing"
    town.looks()
    assert town.members("guests") == {"DINA"}


def test_a_static_list_that_was_filled_shows_its_members_and_not_who_would_be_in_today(town):
    town.writes("guests", BUYERS, refresh="once")
    town.writes("strangers", {"not": {"segment": "guests"}})
    town.lives("ANNA", "BOLAT", "DINA")
    town.buys("ANNA")
    assert looked_at(town, "guests")["members"] == 0, "nobody was added up yet"
    town.looks()
    town.buys("BOLAT")
    town.looks()
    found = looked_at(town, "guests")
    assert (found["members"], found["entering"], found["leaving"]) == (1, 0, 0)
    assert looked_at(town, "strangers")["members"] == len(town.members("strangers")) == 2
