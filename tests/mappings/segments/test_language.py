"""What a marketer may write, and what is said to him when it cannot be meant."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from mappings.segments.book import in_order
from mappings.segments.compile import compiled
from mappings.segments.language import Hours, Segment, Slip, bound, parse, polite, schema
from mappings.segments.registry import FIELDS, own_field

ALMATY = ZoneInfo("Asia/Almaty")
TITLE = {"ru": "а", "kk": "ә", "en": "a"}
ANYBODY = {"field": "orders.count", "op": ">=", "value": 0}


def a_segment(where: Any = ANYBODY, name: str = "one", **more: Any) -> Segment:
    return parse({"segment": name, "title": TITLE, "where": where, **more})


def told(field: str, op: str, value: Any = None) -> Any:
    return compiled(a_segment({"field": field, "op": op, "value": value}), FIELDS, ALMATY)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"where": {"fields": "x"}}, "where: a condition begins with one of the words field, bought"),
        ({"where": {"field": "a", "op": "like", "value": 1}}, "where.op: Input should be '='"),
        ({"where": {"field": "a", "op": "=", "sql": "drop"}}, "where.sql: there is no such setting; there are field,"),
        (
            {"where": {"field": "a", "op": "=", "valeu": 1}},
            "where.valeu: there is no such setting; did you mean",
        ),
        ({"where": {"all": [{"bought": {"sku": "A", "withn": "3d"}}]}}, "did you mean `within`?"),
        ({"where": ANYBODY, "holdout": "10%"}, "holdout: there is no such setting; did you mean `hold_out`?"),
        ({"where": {"field": "a"}}, "where.op: it is missing"),
        ({"where": {"all": [{"bought": {"within": "3d"}}]}}, "say which goods: a category or a sku"),
        ({"where": {"bought": {"sku": "A", "within": "3 weeks"}}}, "where.bought.within: a time is written like 14d"),
        ({"where": {"bought": {"sku": "A", "within": 14}}}, "where.bought.within: a time is written like 14d"),
        ({"where": {"bought": {"sku": "A", "within": "14d", "older_than": "14d"}}}, "must reach further back than"),
        ({"where": {"abandoned_cart": {"idle": "48h", "within": "2d"}}}, "must reach further back than `idle` (48h)"),
        ({"where": {"bought": {"sku": 104}}}, "where.bought.sku.0: it takes a text: put it in quotes"),
        ({"where": {"bought": {"sku": "A", "without": "B"}}}, "without: it takes words with values of their own"),
        ({"where": {"all": ANYBODY}}, "where.all: it takes a list: [one, another]"),
        ({"where": {"any": []}}, "where.any: there is nothing in it"),
        ({"where": {"field": "a", "op": "in", "value": ["A", None]}}, "where.value: it takes a number, a text, a day"),
        ({"wher": ANYBODY}, "wher: there is no such setting; did you mean `where`?"),
        ({"where": ANYBODY, "hours": {"from": 600, "to": 1200}}, "hours.from: hours are whole, from 0 to 24"),
        *(({"where": ANYBODY, "hold_out": said}, "hold_out: it is a share") for said in ("100%", 10, "a tenth", "-5%")),
        ({"where": ANYBODY, "hours": {"from": 20, "to": 9}}, "hours: `to` must be later than `from`"),
        ({"where": ANYBODY, "activate": [{"channel": "c", "audience": "a"}]}, "says by which consent"),
        ({"where": ANYBODY, "segment": "Два слова"}, "segment: it is made of small Latin letters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(said: Any, words: str):
    with pytest.raises(Slip) as refused:
        parse({"segment": "one", "title": TITLE, **said})
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("field", "op", "value", "words"),
    [
        ("orders.counts", "=", 1, "there is no field 'orders.counts', is 'orders.count' meant?"),
        ("orders.count", "within", "3d", "is a number and takes"),
        ("orders.count", "=", "8", "orders.count is a number; '8' is none"),
        ("orders.count", "=", True, "orders.count is a number; True is none"),
        ("orders.count", "=", [1, 2], "takes one value"),
        ("orders.count", "in", 1, "takes a list"),
        ("orders.count", "between", [1, 2, 3], "takes a list of two values"),
        ("orders.count", "between", [2, 1], "takes the lower value first"),
        ("orders.count", ">=", None, "orders.count >= takes one value"),
        ("person.city", "in", [], "takes a list of values"),
        ("person.tags", "not in", [], "takes a list of values"),
        ("person.city", "=", False, "put it in quotes"),
        ("person.city", "in", ["Almaty", "г."], "'г.' cannot be a person.city"),
        ("person.phone", "=", "+77000000001", "is a contact and takes exists, absent"),
        ("person.phone", "exists", "yes", "takes no value"),
        ("lifecycle", "=", "asleep", "is one of new, active, slipping, lapsed, won_back"),
        ("orders.last", "older_than", "3", "takes a time like 30d or 4h"),
        ("person.birth_date", "within", "4h", "say within in days"),
        ("orders.last", ">", "yesterday", "write it as 2026-03-31"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_mend(field: str, op: str, value: Any, words: str):
    with pytest.raises(ValueError, match="segment one: ") as refused:
        told(field, op, value)
    assert words in str(refused.value)


@pytest.mark.parametrize("share", ["10%", "10 %", 0.1, "10.0%", "10,0%"])
def test_a_share_may_be_written_in_several_ways(share: Any):
    assert a_segment(hold_out=share).hold_out == Decimal("0.1")


@pytest.mark.parametrize(
    ("older", "within"), [("14d", "15d"), ("4h", "1d"), ("30h", "2d"), ("1d", "2h"), ("14d", "325h")]
)
def test_a_time_that_comes_at_some_hour_of_the_day_can_be_meant(older: str, within: str):
    assert a_segment({"bought": {"sku": "A", "older_than": older, "within": within}})


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_nought_or_a_one_with_a_point_is_a_number(value: float):
    test = a_segment({"field": "churn", "op": "<=", "value": value}).where
    assert not isinstance(test.value, bool)
    assert test.value == value


def test_everything_a_marketer_wrote_is_a_parameter():
    evil = "x'; drop table identity.person; --"
    made = told("person.language", "in", [evil, "kk"])
    assert evil not in made.query
    assert list(made.values.values()) == [evil, "kk"]


def test_only_the_tables_that_are_asked_for_are_read():
    assert "golden" not in told("orders.count", ">", 1).query
    assert "person_value" not in told("person.city", "=", "Almaty").query


@pytest.mark.parametrize(
    ("op", "sign", "edge"),
    [(">", ">=", "2026-03-02"), (">=", ">=", "2026-03-01"), ("<", "<", "2026-03-01"), ("<=", "<", "2026-03-02")],
)
def test_a_day_stands_for_its_whole_length(op: str, sign: str, edge: str):
    made = told("orders.last", op, date(2026, 3, 1))
    assert f"{sign} :p0" in made.query
    assert made.values == {"p0": datetime.fromisoformat(edge).replace(tzinfo=ALMATY)}


def test_within_and_older_than_part_people_at_one_midnight():
    now = datetime(2026, 3, 31, 15, 30, tzinfo=ALMATY)
    assert bound("30d", now) == datetime(2026, 3, 2, tzinfo=ALMATY), "today is the first of thirty days"
    assert bound("1d", now) == datetime(2026, 3, 31, tzinfo=ALMATY)
    assert bound("4h", now) == datetime(2026, 3, 31, 11, 30, tzinfo=ALMATY)


def test_hours_are_those_that_passed_though_clocks_were_changed():
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 25, 4, tzinfo=berlin)
    assert bound("4h", now) == datetime(2026, 10, 24, 23, tzinfo=UTC), "three in the morning came twice"
    first, second = (datetime(2026, 10, 25, 2, minute, fold=fold, tzinfo=berlin) for fold, minute in ((0, 50), (1, 10)))
    [ripening] = told("orders.last", "older_than", "1h").ripenings
    turn = ripening.between(first, second)
    assert turn["until"] - turn["since"] == timedelta(minutes=20)


def test_what_ripens_lies_between_the_midnight_then_and_now():
    [ripening] = told("orders.last", "older_than", "30d").ripenings
    then, now = (datetime(2026, 3, day, 9, tzinfo=ALMATY) for day in (10, 12))
    assert ripening.between(then, now) == {
        "since": datetime(2026, 2, 9, tzinfo=ALMATY),
        "until": datetime(2026, 2, 11, tzinfo=ALMATY),
    }
    [birthday] = told("person.birth_date", "older_than", "30d").ripenings
    assert birthday.between(then, now)["until"] == date(2026, 2, 11)


@pytest.mark.parametrize(
    ("hour", "opens"), [(9, None), (19, None), (8, "2026-03-31T09"), (20, "2026-04-01T09"), (23, "2026-04-01T09")]
)
def test_nobody_enters_at_night(hour: int, opens: str | None):
    told_at = polite(Hours.model_validate({"from": 9, "to": 20}), datetime(2026, 3, 31, hour, 15, tzinfo=ALMATY))
    assert told_at == (datetime.fromisoformat(f"{opens}:00").replace(tzinfo=ALMATY) if opens else None)
    assert polite(None, datetime(2026, 3, 31, 3, tzinfo=UTC)) is None


def refers(name: str, *others: str) -> Any:
    where = {"all": [ANYBODY, *({"segment": other} for other in others)]}
    return compiled(a_segment(where, name), FIELDS, ALMATY)


def test_a_segment_comes_after_those_it_refers_to():
    written = [refers("a", "b", "c"), refers("b", "c"), refers("c")]
    found, slips = in_order(written)
    assert ([one.name for one in found], slips) == (["c", "b", "a"], {})


def test_a_circle_of_segments_is_named_and_stops_those_in_it_and_whoever_refers_to_them():
    found, slips = in_order([refers("a", "b"), refers("b", "c"), refers("c", "b"), refers("d")])
    assert [one.name for one in found] == ["d"]
    assert "circle: b → c → b; take one reference out" in str(slips["b"])
    assert str(slips["a"]) == "segment a: it refers to b, which must be mended first"
    assert slips["a"].at == ("where", "all", 1, "segment")


def test_a_reference_to_nothing_is_named():
    found, slips = in_order([refers("a", "ghost"), refers("b", "broken"), refers("c")], {"broken"})
    assert [one.name for one in found] == ["c"]
    assert "there is no segment 'ghost'; write segments/ghost.yaml" in str(slips["a"])
    assert "it refers to broken, which must be mended first" in str(slips["b"])


FIELD = {"kind": "number", "sql": "v.days * 2", "title": TITLE}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (("orders.count", FIELD), "orders.count: the hub has a field of this name"),
        (("mine", {**FIELD, "sql": "v.days *"}), "mine: its SQL cannot be read"),
        (("mine", {**FIELD, "sql": "delete from identity.person"}), "it must be one expression"),
        (("mine", {**FIELD, "sql": "days * 2"}), "every column stands behind its table"),
        (("mine", {**FIELD, "kind": "money"}), "mine.kind: Input should be"),
    ],
)
def test_a_field_of_engineers_is_read_before_it_is_used(stated: Any, words: str):
    with pytest.raises(Slip) as refused:
        own_field(*stated)
    assert words in str(refused.value)


def test_a_field_of_engineers_is_a_field():
    assert own_field("mine", FIELD).sql == "v.days * 2"


def test_every_field_has_a_title_in_three_languages():
    assert all(all(spec.title.model_dump().values()) for spec in FIELDS.values())


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_can_be_asked_in_both_engines(name: str):
    exists = a_segment({"field": name, "op": "exists"})
    for dialect in ("postgres", "duckdb"):
        assert compiled(exists, FIELDS, ALMATY, dialect).query


def test_editors_are_told_the_shape():
    told_shape = schema()
    assert set(told_shape["properties"]) >= {"segment", "title", "where", "hold_out", "consent", "activate", "hours"}
    assert told_shape["additionalProperties"] is False
    assert "abandoned_cart" in yaml.safe_dump(told_shape)
