"""After any number of increments membership is what a full evaluation gives, by PostgreSQL and by DuckDB alike."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dagster_project.segment_files import fields, segments
from dagster_project.store.transfer import read
from mappings.segments.compile import compiled

ZONE = ZoneInfo("Asia/Almaty")
PEOPLE = ["ANNA", "BOLAT", "DINA", "ERLAN"]
WRITTEN: dict[str, Any] = {
    "big": {"any": [
        {"field": "orders.sum", "op": ">=", "value": 1500},
        {"field": "orders.average", "op": "between", "value": [900, 1200]},
    ]},
    "lapsed": {"field": "orders.last", "op": "older_than", "value": "20d"},
    "recent_site": {"all": [
        {"field": "orders.last", "op": "within", "value": "10d"},
        {"field": "orders.channels", "op": "in", "value": ["site"]},
    ]},
    "care": {"bought": {"category": "Sofas", "older_than": "5d", "within": "30d", "without": {"sku": "CARE"}}},
    "abandoned": {"abandoned_cart": {"idle": "4h", "within": "3d"}},
    "stage": {"field": "lifecycle", "op": "in", "value": ["lapsed", "slipping", "won_back"]},
    "strangers": {"all": [
        {"not": {"segment": "big"}},
        {"not": {"field": "person.city", "op": "=", "value": "Almaty"}},
    ]},
    "new_faces": {"field": "orders.first", "op": ">", "value": "2026-03-10"},
    "fans": {"all": [{"field": "brand.fan", "op": "=", "value": True}, {"not": {"bought": {"category": "Light"}}}]},
}  # fmt: skip
OWN = """
brand.fan:
  kind: flag
  title: {ru: Любит марку, kk: Маркасын сүйеді, en: Fond of the brand}
  sql: >
    exists (select 1 from canonical."order" o join canonical.order_line i
              on i.connection = o.connection and i.external_id = o.external_id
            join canonical.product p on p.sku = i.sku where o.person_id = b.person_id and p.brand = 'Nur')
"""

people, skus = st.sampled_from(PEOPLE), st.sampled_from(["SOFA", "CARE", "LAMP"])
happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("buys"),
            people,
            skus,
            st.sampled_from([400, 1000]),
            st.sampled_from(["store", "site"]),
            st.sampled_from(["KZT", "KZT", "USD"]),
        ),
        st.tuples(st.just("returns"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("returns without receipt"), people, skus),
        st.tuples(st.just("cart"), people, skus, st.sampled_from(["open", "open", "ordered", "dropped"])),
        st.tuples(st.just("moves to"), people, st.sampled_from(["Almaty", "г. Алматы", "Astana", None])),
        st.tuples(st.just("sorts"), skus, st.sampled_from(["Sofas", "Light", "Care"])),
        st.tuples(st.just("brands"), skus, st.sampled_from(["Nur", "Zhar"])),
        st.tuples(st.just("merge"), people, people),
        st.tuples(st.just("undo")),
        st.tuples(st.just("days"), st.integers(1, 25)),
        st.tuples(st.just("hours"), st.integers(1, 30)),
        st.tuples(st.just("look")),
    ),
    max_size=14,
)


class Life:
    """What of it is still possible: only who lives buys, and only what was bought comes back."""

    def __init__(self, town: Any) -> None:
        self.town, self.bought, self.merged = town, [], {}

    def happens(self, what: str, *said: Any) -> None:
        match what, said:
            case "buys", (person, sku, total, channel, *currency):
                person, said = self.is_now(person), dict(zip(("currency",), currency, strict=False))
                self.bought.append((person, self.town.buys(person, sku, total, channel=channel, **said), sku))
            case "returns", (which, known) if self.bought:
                person, order, sku = self.bought[which % len(self.bought)]
                self.town.brings_back(self.is_now(person), order, sku, 400, known=known)
            case "returns without receipt", (person, sku):
                self.town.brings_back(self.is_now(person), None, sku, 400)
            case "cart", (person, sku, state):
                self.town.fills_a_cart(self.is_now(person), sku, state=state)
            case "moves to", (person, city):
                self.town.lives(self.is_now(person), city=city)
            case "sorts", (sku, category):
                self.town.sells(sku, category)
            case "brands", (sku, brand):
                self.town.sells(sku, brand=brand)
            case "merge", (one, other) if self.is_now(one) != self.is_now(other):
                one, other = self.is_now(one), self.is_now(other)
                self.merged[one] = other
                self.town.merges(one, other)
                self.town.say("update canonical.cart set person_id = :o where person_id = :p", o=other, p=one)
            case "undo", () if self.merged and (last := list(self.merged)[-1]):
                self.town.undoes_the_merge(last, self.merged.pop(last))
            case (("days" | "hours"), (span,)):
                self.town.passes(**{what: span})
            case "look", ():
                self.town.looks()

    def is_now(self, person: str) -> str:
        return self.is_now(self.merged[person]) if person in self.merged else person


def starts_over(town: Any, now: datetime) -> None:
    town.now = now
    town.numbers.clear()
    emptied = (
        'canonical."order", canonical.order_line, canonical.cart, canonical.cart_line, identity.person, '
        "identity.golden, segment.person_value, segment.membership, segment.change, segment.definition, "
        "segment.model, hub.dirty, hub.binding, hub.sku_claim, canonical.product"
    )
    town.say(f"truncate {emptied}")
    for sku, category in (("SOFA", "Sofas/Corner"), ("CARE", "Care"), ("LAMP", "Light")):
        town.sells(sku, category)
    (town.folder / "fields.yaml").write_text(OWN, "utf-8")
    for name, where in WRITTEN.items():
        town.writes(name, where, refresh="daily" if name == "lapsed" else "on_change")
    town.lives(*PEOPLE)
    town.looks()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("buys", "ANNA", "SOFA", 1000, "site"), ("look",), ("days", 12), ("look",), ("days", 9)])
@example([("cart", "DINA", "LAMP", "open"), ("look",), ("hours", 5), ("look",), ("days", 3)])
@example([("buys", "ANNA", "LAMP", 400, "site"), ("look",), ("sorts", "LAMP", "Sofas"), ("days", 6), ("look",)])
@example(
    [
        ("buys", "DINA", "SOFA", 400, "store"),
        ("buys", "DINA", "CARE", 400, "site"),
        ("days", 7),
        ("look",),
        ("returns", 1, False),
        ("look",),
    ]
)
@example(
    [
        ("buys", "ERLAN", "SOFA", 400, "store"),
        ("buys", "ERLAN", "SOFA", 400, "store"),
        ("days", 7),
        ("returns without receipt", "ERLAN", "SOFA"),
        ("look",),
        ("returns without receipt", "ERLAN", "SOFA"),
        ("look",),
    ]
)
@example([("buys", "BOLAT", "CARE", 400, "store"), ("look",), ("brands", "CARE", "Nur"), ("look",)])
@given(happenings)
def test_increments_add_up_to_a_full_evaluation(town, now, happened):
    starts_over(town, now)
    life = Life(town)
    for what in (*happened, ("hours", 1), ("look",)):
        life.happens(*what)
        if what == ("look",):
            members = {name: town.members(name) for name in WRITTEN}
            assert members == {name: by_postgres(town, name) for name in WRITTEN}
    assert members == by_duckdb(town)
    assert town.looks(full=True) == 0


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings)
def test_the_history_says_who_is_in(town, now, happened):
    starts_over(town, now)
    life = Life(town)
    for what in happened:
        life.happens(*what)
        town.looks()
    for name in WRITTEN:
        stays = town.all(
            "select person_id from canonical.segment_member where segment = :n and left_at is null", n=name
        )
        assert {one.person_id for one in stays} == town.members(name)
    doubled = """select segment, person_id from (
      select *, lag(change) over (partition by segment, person_id order by seq) as before from segment.change) c
      where change = before or (before is null and change = 'left')"""
    assert town.all(doubled) == [], "nobody enters or leaves twice"


def by_postgres(town: Any, name: str) -> set[str]:
    [one] = [one for one in segments(town.hub) if one.name == name]
    with town.store.connect() as db:
        return set(read(db, one.query, one.parameters(town.now.astimezone(ZONE)))["person_id"].to_pylist())


TABLES = ("identity.person", "identity.golden", "segment.person_value", 'canonical."order"', "canonical.order_line",
          "canonical.product", "canonical.cart", "canonical.cart_line", "canonical.contact_event")  # fmt: skip


def by_duckdb(town: Any) -> dict[str, set[str]]:
    """The same files through the other engine, each segment's members ready for those that refer to it."""
    found: dict[str, set[str]] = {}
    with duckdb.connect() as other, town.store.connect() as db:
        other.execute("create schema identity; create schema segment; create schema canonical")
        other.execute("create table segment.membership (segment text, person_id text)")
        for table in TABLES:
            other.register("rows", read(db, f"select * from {table}"))
            other.execute(f"create table {table} as select * from rows")
        for one in segments(town.hub):
            again = compiled(one.segment, fields(town.hub), ZONE, "duckdb")
            rows = other.execute(again.query, again.parameters(town.now.astimezone(ZONE))).fetchall()
            found[one.name] = {person for (person,) in rows}
            if rows:
                other.executemany("insert into segment.membership values (?, ?)", [(one.name, *row) for row in rows])
    return found


def test_days_pass_at_local_midnight(town):
    """19:30 UTC is half past midnight in Almaty: the day has come there."""
    town.writes("lapsed", WRITTEN["lapsed"])
    town.lives("ANNA")
    town.buys("ANNA")
    town.looks()
    town.now = town.now.replace(hour=18, minute=59) + timedelta(days=19)
    town.looks()
    assert town.members("lapsed") == set()
    town.passes(minutes=31)
    town.looks()
    assert town.members("lapsed") == {"ANNA"}
