"""Which stays channels are told of, with whom held out."""

from tests.dagster_project.steps.segments.conftest import DAY


def test_the_held_out_are_the_same_in_every_run_and_others_in_every_segment(town):
    people = [f"P{number}" for number in range(400)]
    town.lives(*people[:5])
    for person in people[5:]:
        town.say("insert into identity.person (person_id, created_at, records) values (:p, now(), 1)", p=person)
    for name in ("one", "two"):
        town.writes(name, {"field": "orders.count", "op": ">=", "value": 0}, hold_out="10%")
    town.looks()

    def held_out(name):
        query = "select person_id from segment.membership where segment = :n and hold_out"
        return {row.person_id for row in town.all(query, n=name)}

    one, two = held_out("one"), held_out("two")
    assert 20 < len(one) < 65
    assert one != two
    town.looks(full=True)
    assert held_out("one") == one
    town.writes("one", {"field": "orders.count", "op": ">=", "value": 0}, hold_out="30%")
    town.looks()
    assert held_out("one") > one


def test_channels_are_told_who_is_held_out_from_now_on(town):
    people = [f"P{number}" for number in range(40)]
    town.writes("one", {"field": "orders.count", "op": ">=", "value": 0})
    town.lives(*people)
    town.looks()
    town.goes_live()
    town.writes("one", {"field": "orders.count", "op": ">=", "value": 0}, hold_out="50%")
    town.looks()
    held_out = town.all("select person_id from segment.membership where hold_out")
    assert 5 < len(held_out) < 35
    assert town.told() == {f"one/{row.person_id}" for row in held_out}


def test_only_what_a_person_activated_is_told_to_channels(town):
    town.writes("buyers", {"field": "orders.count", "op": ">", "value": 0})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.looks()
    assert town.told() == set()
    town.goes_live()
    town.buys("BOLAT")
    town.looks()
    assert town.told() == {"buyers/BOLAT"}


def test_a_member_whose_consent_changed_is_told_again(town):
    town.writes("buyers", {"field": "orders.count", "op": ">", "value": 0})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.looks()
    town.goes_live()
    town.say("insert into hub.dirty (entity, subject) values ('consent', 'ANNA'), ('consent', 'BOLAT')")
    town.looks()
    assert town.told() == {"buyers/ANNA"}


def test_a_stay_in_a_segment_is_told_with_its_end_and_why(town):
    town.writes("big", {"field": "orders.sum", "op": ">=", "value": 1000})
    town.lives("ANNA")
    bought = town.buys("ANNA", total=1000)
    town.looks()
    town.passes(days=1)
    town.brings_back("ANNA", bought)
    town.looks()
    town.passes(days=1)
    town.buys("ANNA", total=5000)
    town.looks()
    stays = town.all("select * from canonical.segment_member where segment = 'big' order by entered_at")
    assert [(one.left_at - one.entered_at if one.left_at else None) for one in stays] == [DAY, None]
    assert all(one.why for one in stays)
