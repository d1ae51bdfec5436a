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


def test_as_many_are_held_out_as_a_preview_says(town):
    town.lives(*(f"P{number}" for number in range(40)))
    town.writes("half", EVERYBODY, hold_out="50%")
    found = looked_at(town, "half")
    town.looks()
    held_out = town.all("select * from segment.membership where hold_out")
    assert (found["members"], found["held_out"]) == (40, len(held_out))
    assert 5 < len(held_out) < 35


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
