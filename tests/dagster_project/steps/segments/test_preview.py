"""What a preview says of a segment is what comes of it."""

import pytest
import yaml

from connectors.sdk.errors import ConfigError
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


def test_a_field_that_the_store_cannot_answer_is_told_in_words_and_not_as_a_crash(town):
    title = {"ru": "Уровень", "kk": "Деңгей", "en": "Tier"}
    fields = {"tier": {"kind": "number", "sql": "v.summ", "title": title}}
    (town.folder / "fields.yaml").write_text(yaml.safe_dump(fields), "utf-8")
    town.writes("gold", {"field": "tier", "op": ">", "value": 10})
    town.writes("others", {"not": {"segment": "gold"}})
    for name in ("gold", "others"):
        with pytest.raises(ConfigError, match=r"segment gold cannot be asked: column v\.summ does not exist; mend"):
            looked_at(town, name)
