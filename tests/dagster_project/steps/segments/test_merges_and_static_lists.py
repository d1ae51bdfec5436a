"""Members follow people through merges and back; a static list is filled once."""


def test_a_merge_moves_the_membership_to_the_survivor(town):
    town.writes("buyers", {"field": "orders.count", "op": ">", "value": 0})
    town.lives("ANNA", "ANYA", "BOLAT", "BOLATBEK")
    town.buys("ANYA")
    for person in ("BOLAT", "BOLATBEK"):
        town.buys(person)
    town.looks()
    town.merges("ANYA", "ANNA")
    town.merges("BOLATBEK", "BOLAT")
    town.looks()
    assert town.members("buyers") == {"ANNA", "BOLAT"}
    assert town.story("buyers", "ANYA")[-1] == ("left", "merged into ANNA")
    assert [change for change, _ in town.story("buyers", "ANNA")] == ["entered"]
    assert [change for change, _ in town.story("buyers", "BOLAT")] == ["entered"], "he was inside already"


def test_a_static_list_is_filled_once_and_follows_its_people_through_merges_and_back(town):
    town.writes("guests", {"field": "orders.count", "op": ">", "value": 0}, refresh="once")
    town.lives("ANNA", "ANYA", "BOLAT")
    town.buys("ANYA")
    town.looks()
    town.buys("BOLAT")
    town.looks()
    assert town.members("guests") == {"ANYA"}, "it was filled before BOLAT bought"
    town.merges("ANYA", "ANNA")
    town.looks()
    assert town.members("guests") == {"ANNA"}
    town.undoes_the_merge("ANYA", "ANNA")
    town.looks()
    assert town.members("guests") == {"ANYA"}
    assert town.story("guests", "ANNA") == [("entered", "merged from ANYA"), ("left", "merge undone")]


def test_a_static_list_that_is_read_at_night_is_filled_all_the_same(town):
    """It is looked at once; what its hours put off would be put off for ever."""
    town.lives("ANNA")
    town.buys("ANNA")
    town.passes(hours=16)
    hours = {"from": 10, "to": 20}
    town.writes("guests", {"field": "orders.count", "op": ">", "value": 0}, refresh="once", hours=hours)
    town.looks()
    town.passes(hours=9)
    town.looks()
    assert town.members("guests") == {"ANNA"}


def test_a_static_list_is_not_filled_anew_because_its_file_says_something_else_beside_its_conditions(town):
    buyers = {"field": "orders.count", "op": ">", "value": 0}
    town.writes("guests", buyers, refresh="once")
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.looks()
    town.buys("BOLAT")
    town.writes("guests", buyers, refresh="once", owner="events", hold_out="99.9999%")
    town.looks()
    assert town.members("guests") == {"ANNA"}, "BOLAT bought after it was filled"
    assert [row.hold_out for row in town.all("select hold_out from segment.membership")] == [True]
    town.writes("guests", {"field": "orders.count", "op": ">=", "value": 1}, refresh="once")
    town.looks()
    assert town.members("guests") == {"ANNA", "BOLAT"}
