"""What people bought, added up in the store, and what it says of them."""

import json
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import text

DAY = timedelta(days=1)


def test_only_those_whose_orders_changed_are_added_up_anew(town):
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA", total=500)
    town.buys("BOLAT", total=700)
    town.looks()
    town.say("update segment.person_value set sum = 1 where person_id = 'BOLAT'")
    town.buys("ANNA", total=250, channel="site")
    town.looks()
    assert (town.value("ANNA").orders, town.value("ANNA").sum) == (2, 750)
    assert town.value("ANNA").channels == {"site": {"orders": 1, "sum": 250.0}, "store": {"orders": 1, "sum": 500.0}}
    assert town.value("BOLAT").sum == 1


def test_a_return_is_of_who_bought_whoever_brings_it_to_whatever_till(town):
    town.lives("ANNA", "BOLAT")
    sofa = town.buys("ANNA", total=1000, channel="site")
    town.brings_back("BOLAT", sofa, total=400)
    town.brings_back("ANNA", sofa, total=100, known=False)
    town.dirty("ANNA", "BOLAT")
    town.looks()
    assert (town.value("ANNA").sum, town.value("ANNA").returns) == (Decimal(500), 2)
    assert town.all("select * from segment.person_value where person_id = 'BOLAT'") == []


def test_a_sale_that_is_called_returned_came_back_once_however_it_is_told(town):
    town.lives("ANNA", "BOLAT")
    told_twice = town.buys("ANNA", total=1000, status="returned")
    town.brings_back("ANNA", told_twice, total=1000)
    town.buys("BOLAT", total=300, status="returned")
    town.looks()
    assert (town.value("ANNA").sum, town.value("ANNA").returns) == (0, 1)
    assert (town.value("BOLAT").sum, town.value("BOLAT").returns) == (0, 1)


def test_cancelled_orders_and_copies_of_orders_are_no_purchases(town):
    town.lives("ANNA")
    origin = town.buys("ANNA", total=1000)
    town.buys("ANNA", total=999, status="cancelled")
    copy = town.buys("ANNA", total=1000)
    town.say('update canonical."order" set copy_of = :o where external_id = :c', o=origin, c=copy.partition(":")[2])
    town.looks()
    assert (town.value("ANNA").orders, town.value("ANNA").sum) == (1, 1000)


def test_a_purchase_in_another_currency_is_a_purchase_and_adds_no_money(town):
    town.writes("lapsed", {"field": "orders.last", "op": "older_than", "value": "20d"})
    town.writes("average", {"field": "orders.average", "op": "=", "value": 1000})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA", total=1000, ago=40 * DAY)
    town.looks()
    assert town.members("lapsed") == {"ANNA"}
    bought = town.buys("ANNA", total=50, currency="USD")
    town.buys("BOLAT", total=70, currency="USD")
    town.looks()
    assert (town.members("lapsed"), town.members("average")) == (set(), {"ANNA"})
    anna, bolat = town.value("ANNA"), town.value("BOLAT")
    assert (anna.orders, anna.days, anna.sum, anna.last_day, anna.summed_days) == (2, 2, 1000, town.now.date(), 1)
    assert (bolat.orders, bolat.sum, bolat.summed_orders) == (1, 0, 0)
    town.brings_back("ANNA", bought, total=50, currency="USD")
    town.looks()
    assert (town.value("ANNA").returns, town.value("ANNA").sum) == (1, 1000)


def test_a_purchase_at_night_is_of_the_local_day(town):
    """23:30 UTC is the next morning in Almaty."""
    town.lives("ANNA")
    town.buys("ANNA", ago=timedelta(hours=5, minutes=30))
    town.looks()
    assert town.value("ANNA").first_day == town.now.date()


def test_who_was_merged_away_has_bought_nothing_any_more(town):
    town.lives("ANNA", "ANYA")
    town.buys("ANNA", total=500)
    town.buys("ANYA", total=300)
    town.looks()
    town.merges("ANYA", "ANNA")
    town.looks()
    assert (town.value("ANNA").orders, town.value("ANNA").sum) == (2, 800)
    assert town.all("select * from segment.person_value where person_id = 'ANYA'") == []


def test_a_state_ends_on_its_day_though_nothing_happened(town):
    town.lives("ANNA")
    town.buys("ANNA")
    town.looks()
    assert town.value("ANNA").lifecycle == "new"
    for days, state in ((31, "active"), (60, "slipping"), (90, "lapsed")):
        town.passes(days=days)
        town.looks()
        assert town.value("ANNA").lifecycle == state


def test_borders_are_drawn_once_a_day_and_stand_still_for_the_rest_of_it(town):
    people = [f"P{number}" for number in range(10)]
    town.lives(*people)
    for number, person in enumerate(people):
        for _ in range(number + 1):
            town.buys(person, total=100, ago=(10 - number) * DAY)
    town.looks()
    assert [town.value(person).monetary for person in people] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    for _ in range(40):
        town.buys("P0", total=100)
    town.looks()
    assert town.value("P0").monetary == 5
    assert town.value("P9").monetary == 5
    town.passes(days=1)
    town.looks()
    assert town.value("P9").monetary == 5
    assert [row.fitted_on.day for row in town.all("select * from segment.model where kind = 'rfm' order by 2")] == [
        2,
        3,
    ]


def test_habits_are_learnt_once_there_are_enough_buyers_and_then_weekly(town):
    people = [f"P{number}" for number in range(140)]
    town.lives(*people)
    bought = []
    for number, person in enumerate(people):
        for turn in range(1 + number % 4):
            day = town.now - (300 - 7 * (number % 20) - 40 * turn) * DAY
            bought.append({"n": f"{person}-{turn}", "at": day, "p": person, "t": 1000 + 13 * (number % 7)})
    with town.store.begin() as db:
        db.execute(
            text(
                'insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, status, '
                "person_id, total, currency, source) values ('till', :n, :n, 'sale', 'store', :at, 'completed', :p, "
                ":t, 'KZT', '{}')"
            ),
            bought,
        )
    town.looks()
    kinds = {row.kind: row for row in town.all("select * from segment.model")}
    assert set(kinds) == {"rfm", "purchasing", "spending"}
    assert kinds["purchasing"].people == 140
    anna = town.value("P3")
    assert 0 < anna.alive <= 1
    assert anna.expected_orders > 0
    assert anna.clv > 0
    town.say("update canonical.\"order\" set currency = 'USD' where person_id = 'P7'")
    town.dirty("P7")
    town.looks()
    assert town.value("P7").expected_orders > 0
    assert town.value("P7").clv is None, "nobody knows what dollars are worth"
    town.passes(days=8)
    town.dirty("P3")
    town.looks()
    assert len(town.all("select * from segment.model where kind = 'purchasing'")) == 2
    assert town.value("P3").as_of == town.now.date()
    assert town.value("P4").as_of < town.now.date(), "others are scored monthly"


def test_too_few_buyers_leave_their_worth_unknown_and_not_zero(town):
    town.lives("ANNA")
    town.buys("ANNA", ago=40 * DAY)
    town.buys("ANNA")
    town.looks()
    assert (town.value("ANNA").alive, town.value("ANNA").clv) == (None, None)
    assert json.dumps(town.value("ANNA").channels)
