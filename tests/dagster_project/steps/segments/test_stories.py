"""Who enters a segment and who leaves it, and why."""

from datetime import timedelta

import pytest

from connectors.sdk.errors import ConfigError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOFA_CARE = {"bought": {"category": "Sofas", "older_than": "14d", "within": "30d", "without": {"category": "Care"}}}


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


@pytest.fixture
def sofas(town):
    """14 days after a sofa, at a polite hour, unless it came back or its care set was bought. It is 10 o'clock."""
    town.sells("SOFA", "Sofas/Corner")
    town.sells("CARE", "Care")
    town.writes("sofa_care", SOFA_CARE, hours={"from": 10, "to": 20})
    town.lives("VIKTOR")
    town.looks()
    return town


def test_a_follow_up_waits_its_days_and_for_a_polite_hour(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.looks()
    sofas.passes(days=13, hours=16)
    sofas.looks()
    assert sofas.members("sofa_care") == set(), "the fourteenth day has come, and it is two in the morning"
    sofas.passes(hours=8)
    sofas.say("update hub.dirty set due = least(due, now())")
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_who_waits_for_the_morning_is_dirty_from_then_on(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.looks()
    sofas.passes(days=13, hours=16)
    sofas.looks()
    [waits] = sofas.all("select * from hub.dirty where entity = 'person'")
    assert (waits.subject, waits.because) == ("VIKTOR", "sofa_care waited for a polite hour")
    assert waits.due == sofas.now + timedelta(hours=8)


@pytest.mark.parametrize("brought_by", ["VIKTOR", None])
def test_a_follow_up_is_cancelled_if_the_sofa_comes_back_in_any_shop(sofas, brought_by):
    bought = sofas.buys("VIKTOR", "SOFA", channel="site")
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}
    sofas.brings_back("VIKTOR", bought, channel="store", known=brought_by is not None)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_one_of_two_sofas_that_comes_back_leaves_one(sofas):
    bought = sofas.buys("VIKTOR", "SOFA", quantity=2)
    sofas.brings_back("VIKTOR", bought)
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_one_of_two_lines_of_a_receipt_that_comes_back_leaves_one(sofas):
    bought = sofas.buys("VIKTOR", "SOFA")
    sofas.say(
        "insert into canonical.order_line (connection, external_id, line, sku, quantity, total) "
        "values ('till', :receipt, '2', 'SOFA', 1, 1000)",
        receipt=bought.partition(":")[2],
    )
    sofas.brings_back("VIKTOR", bought)
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}
    sofas.brings_back("VIKTOR", bought)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_who_bought_the_accessory_elsewhere_is_not_offered_it(sofas):
    sofas.buys("VIKTOR", "SOFA", channel="store")
    sofas.passes(days=3)
    sofas.buys("VIKTOR", "CARE", channel="site")
    sofas.passes(days=17)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_who_brought_the_accessory_back_is_offered_it_again(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=3)
    bought = sofas.buys("VIKTOR", "CARE", channel="site")
    sofas.passes(days=17)
    sofas.looks()
    assert sofas.members("sofa_care") == set()
    sofas.brings_back("VIKTOR", bought, "CARE")
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_an_accessory_for_an_older_sofa_does_not_count(sofas):
    sofas.buys("VIKTOR", "CARE", ago=100 * DAY)
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=20)
    sofas.looks()
    assert sofas.members("sofa_care") == {"VIKTOR"}


def test_a_follow_up_ends_with_its_time(sofas):
    sofas.buys("VIKTOR", "SOFA")
    sofas.passes(days=20)
    sofas.looks()
    sofas.passes(days=11)
    sofas.looks()
    assert sofas.members("sofa_care") == set()


def test_a_cart_is_abandoned_after_hours_unless_it_was_bought_somewhere(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA", "BOLAT", "DINA")
    town.fills_a_cart("ANNA", "LAMP", "SOFA")
    town.fills_a_cart("BOLAT", "LAMP")
    town.looks()
    town.passes(hours=3)
    town.buys("BOLAT", "LAMP", channel="store")
    town.buys("ANNA", "CARE", channel="store")
    town.looks()
    assert town.members("abandoned") == set()
    town.passes(hours=1)
    town.looks()
    assert town.members("abandoned") == set(), "four hours are not over before they are"
    town.passes(minutes=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}
    town.buys("ANNA", "SOFA", channel="kiosk")
    town.looks()
    assert town.members("abandoned") == set()


def test_who_still_fills_a_cart_in_another_channel_has_left_none_behind(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA")
    town.fills_a_cart("ANNA", "LAMP")
    town.passes(hours=5)
    town.fills_a_cart("ANNA", "SOFA", channel="app")
    town.looks()
    assert town.members("abandoned") == set(), "the site's cart is idle, she is not"
    town.passes(hours=4, minutes=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}


@pytest.mark.parametrize("state", ["ordered", "dropped"])
def test_goods_that_a_later_cart_elsewhere_says_are_ordered_or_put_back_remind_nobody(town, state):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA", "BOLAT")
    for person, sku in (("ANNA", "LAMP"), ("BOLAT", "SOFA")):
        town.fills_a_cart(person, "LAMP")
        town.passes(minutes=5)
        town.fills_a_cart(person, sku, channel="app", state=state)
    town.passes(hours=5)
    town.looks()
    assert town.members("abandoned") == {"BOLAT"}, "what he ordered or put back in the app was something else"


def test_a_cart_of_last_week_reminds_nobody(town):
    town.writes("abandoned", {"abandoned_cart": {"idle": "4h", "within": "7d"}})
    town.lives("ANNA")
    town.fills_a_cart("ANNA", "LAMP")
    town.passes(days=1)
    town.looks()
    assert town.members("abandoned") == {"ANNA"}
    town.passes(days=7)
    town.looks()
    assert town.members("abandoned") == set()


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
    town.say("update segment.definition set live_since = now()")
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
    town.say("update segment.definition set live_since = now()")
    town.buys("BOLAT")
    town.looks()
    assert town.told() == {"buyers/BOLAT"}


def test_a_member_whose_consent_changed_is_told_again(town):
    town.writes("buyers", {"field": "orders.count", "op": ">", "value": 0})
    town.lives("ANNA", "BOLAT")
    town.buys("ANNA")
    town.looks()
    town.say("update segment.definition set live_since = now()")
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


@pytest.fixture
def lamps(town):
    """ANNA bought a lamp and BOLAT a sofa; a segment asks who bought light. DINA would be in if she were looked at:
    her lamp was bought behind everybody's back."""
    town.sells("LAMP", "Decor")
    town.sells("SPARE", "Decor")
    town.sells("SOFA", "Sofas")
    town.writes("light", {"bought": {"category": "Light"}})
    town.lives("ANNA", "BOLAT", "DINA")
    town.buys("ANNA", "LAMP")
    town.buys("BOLAT", "SOFA")
    town.buys("DINA", "SPARE")
    town.looks()
    town.say("update canonical.product set category = 'Light' where sku = 'SPARE'")
    return town


def test_a_lamp_that_is_moved_to_another_category_brings_its_buyers_and_nobody_else_is_looked_at(lamps):
    lamps.sells("LAMP", "Light/Table lamps")
    assert lamps.looks() == 1
    assert lamps.members("light") == {"ANNA"}
    assert lamps.story("light", "ANNA") == [("entered", "the category of goods bought changed")]
    lamps.sells("LAMP", "Decor")
    lamps.looks()
    assert lamps.members("light") == set()


def test_a_product_that_comes_after_it_was_sold_brings_its_buyers(lamps):
    lamps.buys("BOLAT", "TORCH")
    lamps.looks()
    lamps.sells("TORCH", "Light")
    lamps.looks()
    assert lamps.members("light") == {"BOLAT"}


def test_who_bought_under_a_name_that_a_product_no_longer_has_is_looked_at(lamps):
    lamps.writes("decor", {"bought": {"category": "Decor"}})
    lamps.looks()
    assert lamps.members("decor") == {"ANNA"}
    lamps.sells("LUMEN", "Decor", external_id="LAMP")
    lamps.looks()
    assert lamps.members("decor") == set(), "what was sold stays sold as LAMP, and there is no such product any more"


def test_nobody_is_looked_at_for_a_trait_that_no_segment_asks_for(lamps):
    lamps.sells("SPARE", "Light", brand="Nur", name="A spare lamp")
    lamps.say("update canonical.product set category = 'Light' where sku = 'LAMP'")
    lamps.sells("LAMP", "Light", brand="Nur", name="A better lamp")
    assert lamps.looks() == 0
    assert lamps.all("select * from hub.dirty where entity in ('brand', 'name')") == []


def test_a_renamed_brand_brings_its_buyers_where_a_field_asks_for_it(lamps):
    (lamps.folder / "fields.yaml").write_text(
        "brand.fan:\n  kind: flag\n  title: {ru: Марка, kk: Марка, en: Brand}\n  sql: >\n"
        '    exists (select 1 from canonical."order" o join canonical.order_line i on i.external_id = o.external_id\n'
        "      join canonical.product p on p.sku = i.sku where o.person_id = b.person_id and p.brand = 'Nur')\n",
        "utf-8",
    )
    lamps.writes("fans", {"field": "brand.fan", "op": "=", "value": True})
    lamps.looks()
    lamps.sells("LAMP", brand="Nur")
    lamps.looks()
    assert lamps.members("fans") == {"ANNA"}
    assert lamps.story("fans", "ANNA") == [("entered", "the brand of goods bought changed")]


def test_before_there_is_a_segment_nothing_is_remembered_of_goods(town):
    town.sells("LAMP", "Light")
    assert town.all("select * from hub.dirty where entity in ('category', 'brand', 'name')") == []
