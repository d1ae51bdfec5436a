"""Marts over a store: what they say, and that making them bit by bit says the same as making them at once."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import Engine, text

from dagster_project.connections import Hub
from dagster_project.steps.marts import DAILY, SPANNED, fill, fill_written, spans
from dagster_project.steps.sync import sync
from tests.dagster_project.steps.marts.conftest import Facts

NAMES = [*SPANNED, *DAILY]


@pytest.fixture
def fills(store: Engine, hub: Hub, now: datetime) -> Callable[[], dict[str, int]]:
    return lambda: fill(store, hub, NAMES, now=now)


@pytest.fixture
def keeps_up(store: Engine, hub: Hub, now: datetime) -> Callable[[], dict[str, int]]:
    return lambda: fill_written(store, hub, now=now)


def viktor_buys_the_sofa(shop: Facts) -> None:
    shop.meets("viktor", "e1", 7, "ads", "ad_view", campaign="sofas")
    shop.meets("viktor", "e2", 6, "site", "product_view")
    shop.meets("viktor", "e3", 4, "email", "sent", campaign="sofas")
    shop.meets("viktor", "e4", 3, "email", "opened", campaign="sofas")
    shop.meets("viktor", "e5", 1, "store", "visit")
    shop.buys("viktor", "sofa", 0.5, 300_000)


def test_viktors_way_from_the_ad_to_the_till_is_in_every_mart(shop: Facts, fills: Callable) -> None:
    viktor_buys_the_sofa(shop)
    fills()
    assert shop.sees('select "order", person_id, channel, path, touches, n, value from mart.journey') == [
        ("shop:sofa", "viktor", "store", ["ads", "site", "email", "store"],
         {"ads": 1, "site": 1, "email": 2, "store": 1}, 5, 6.5)
    ]  # fmt: skip
    money = dict(shop.sees("select model, sum(value) from mart.attribution where segment = 'all' group by model"))
    assert money == dict.fromkeys(["first", "last", "linear", "time_decay", "removal"], pytest.approx(300_000))
    assert shop.sees("select value, n from mart.average_check") == [(300_000, 1)]
    assert shop.sees("select channel, within, ordered from mart.conversion where channel = 'store'") == [
        ("store", 1, 1)
    ]
    assert shop.sees("select converted, to_channels from mart.cross_conversion where channel = 'ads'") == [
        (1, {"store": 1})
    ]
    assert shop.sees("select letters, opened from mart.engagement where channel = 'email' and letters > 0") == [(1, 1)]
    assert dict(shop.sees("select channel, value from mart.engagement_person"))["store"] == 4


@pytest.mark.parametrize("way", ["fills", "keeps_up"])
@pytest.mark.parametrize("late", ["sent", "delivered"], ids=["the sending is read late", "the delivery is read late"])
def test_a_letter_that_arrives_after_midnight_counts_on_the_day_of_its_sending(
    shop: Facts, request: pytest.FixtureRequest, everything: Callable, way: str, late: str
) -> None:
    """Midnight in Almaty was ten hours ago."""
    made = request.getfixturevalue(way)
    when = {"sent": 11 / 24, "delivered": 9 / 24}
    for kind in sorted(when, key=lambda kind: kind == late):
        shop.meets("viktor", kind, when[kind], "email", kind, campaign="sofas", reference="l1")
        made()
    told = everything()
    assert shop.sees("select day, n from mart.conversion") == [(date(2026, 3, 1), 1)]
    assert shop.sees("select day, letters from mart.engagement where letters > 0") == [(date(2026, 3, 1), 1)]
    shop.does("delete from mart.made")
    request.getfixturevalue("fills")()
    assert everything() == told


def test_channels_that_led_nobody_on_from_here_are_not_named(shop: Facts, fills: Callable) -> None:
    """Of two days each names its own: what is not there is absent, not null."""
    for name, where, ago in (("a", "store", 1), ("b", "site", 3)):
        shop.meets(name, f"e{name}", ago + 0.5, "ads", "ad_view")
        shop.buys(name, f"o{name}", ago, 100, where)
    fills()
    found = shop.sees("select to_channels from mart.cross_conversion order by day")
    assert found == [({"site": 1},), ({"store": 1},)]


def test_an_answer_given_twice_counts_once(shop: Facts, fills: Callable) -> None:
    shop.meets("aigul", "a1", 1, "sms", "survey", value=3)
    fills()
    assert shop.sees("select value, n from mart.nps") == [(-100, 1)]
    shop.meets("aigul", "a2", 0.1, "sms", "survey", value=10)
    fills()
    assert shop.sees("select value, n from mart.nps") == [(100, 1)]


def test_nothing_is_made_again_when_nothing_happened(shop: Facts, fills: Callable) -> None:
    viktor_buys_the_sofa(shop)
    assert all(fills().values())
    assert {name: days for name, days in fills().items() if name in SPANNED and days} == {}


def test_a_new_day_costs_only_what_it_can_reach(shop: Facts, fills: Callable) -> None:
    for ago in range(400, 0, -10):
        shop.buys("aigul", f"o{ago}", ago, 100)
        shop.meets("aigul", f"c{ago}", ago, "site", "page_view")
    fills()
    shop.buys("aigul", "today", 0, 100)
    made = fills()
    assert made["average_check"] == 1
    assert made["cross_conversion"] == 32  # tomorrow, a letter of today may arrive
    assert made["nps"] == 0


def test_a_pass_looks_only_at_what_was_written_since_the_last(shop: Facts, keeps_up: Callable) -> None:
    for ago in range(400, 0, -10):
        shop.buys("aigul", f"o{ago}", ago, 100)
        shop.meets("aigul", f"c{ago}", ago, "site", "page_view")
    assert keeps_up()["average_check"] >= 40
    assert not any(keeps_up().values())
    shop.buys("aigul", "today", 0, 100)
    made = keeps_up()
    assert (made["average_check"], made["cross_conversion"], made["nps"]) == (1, 32, 0)
    assert shop.sees("select n from mart.average_check where day = '2026-03-02'") == [(1,)]


def test_a_full_pass_of_sync_also_finds_days_that_were_left_and_who_moved(
    shop: Facts, store: Engine, hub: Hub, now: datetime
) -> None:
    shop.buys("viktor", "lamp", 9, 100)
    shop.buys("viktor", "vase", 3, 50)
    sync(store, hub, clock=lambda: now)
    shop.buys("viktor", "lamp", 8, 100)
    shop.belongs("viktor", "regulars")
    sync(store, hub, clock=lambda: now, full=True)
    days = "select day, segment, total from mart.average_check order by day, segment"
    assert [(day.day, *row) for day, *row in shop.sees(days)] == [
        (22, "all", 100), (22, "regulars", 100), (27, "all", 50), (27, "regulars", 50)
    ]  # fmt: skip


def test_what_is_still_being_written_is_found_once_it_is_there(shop: Facts, store: Engine, keeps_up: Callable) -> None:
    keeps_up()
    with store.begin() as other:
        other.execute(
            text("""insert into canonical.contact_event
            (connection, external_id, person_id, at, channel, kind, value, source)
            values ('shop', 'late', 'aigul', '2026-03-01 12:00Z', 'sms', 'survey', 9, '{}')""")
        )
        keeps_up()
    keeps_up()
    assert shop.sees("select value, n from mart.nps") == [(100, 1)]


def test_two_persons_found_to_be_one_have_one_history(shop: Facts, fills: Callable) -> None:
    shop.meets("v-2", "e1", 3, "site", "page_view")
    shop.buys("viktor", "sofa", 1, 300_000)
    fills()
    assert shop.sees("select * from mart.journey") == []
    shop.does("update canonical.contact_event set person_id = 'viktor'")
    fills()
    assert shop.sees("select person_id, value from mart.journey") == [("viktor", 2.0)]
    assert shop.sees("select person_id from mart.engagement_person") == [("viktor",)]


@pytest.mark.parametrize("status", ["cancelled", "returned"])
def test_a_sale_that_was_cancelled_returned_or_deleted_leaves_no_trace(
    shop: Facts, fills: Callable, status: str
) -> None:
    viktor_buys_the_sofa(shop)
    fills()
    shop.buys("viktor", "sofa", 0.5, 300_000, status=status)
    shop.does("update canonical.contact_event set deleted_at = now()")
    fills()
    for mart in ("journey", "attribution", "average_check", "conversion", "engagement", "engagement_person"):
        assert shop.sees(f"select * from mart.{mart}") == [], mart


@pytest.mark.parametrize(("was", "becomes"), [(40, 20), (20, 200)], ids=["later", "long before"])
@pytest.mark.parametrize("way", ["fills", "keeps_up"])
def test_an_order_whose_moment_was_mended_is_one_journey(
    shop: Facts, request: pytest.FixtureRequest, way: str, was: int, becomes: int
) -> None:
    made = request.getfixturevalue(way)
    for ago in (was, becomes):
        shop.meets("viktor", f"c{ago}", ago + 1, "site", "page_view")
    shop.buys("viktor", "sofa", was, 100)
    made()
    shop.buys("viktor", "sofa", becomes, 100)
    made()
    assert shop.sees("select day from mart.journey") == [((shop.now - timedelta(days=becomes)).date(),)]


def test_copies_and_returns_are_no_further_sales(shop: Facts, fills: Callable) -> None:
    shop.buys("viktor", "sofa", 1, 300_000)
    shop.buys("viktor", "copy", 1, 300_000, copy_of="shop:sofa")
    shop.buys("viktor", "back", 0.5, 300_000, kind="return")
    fills()
    assert shop.sees("select total, n from mart.average_check") == [(300_000, 1)]


def test_a_sale_cancelled_later_counts_on_the_day_it_was_placed(shop: Facts, fills: Callable) -> None:
    for name in ("a", "b"):
        shop.buys("aigul", name, 3, 100, "kaspi", status="confirmed")
    fills()
    shop.buys("aigul", "b", 3, 100, "kaspi", status="cancelled")
    fills()
    rows = "select day, channel, segment, cancelled, n, value from mart.cancellation"
    assert shop.sees(rows) == [(date(2026, 2, 27), "kaspi", "all", 1, 2, 0.5)]


@pytest.mark.parametrize(("promised", "kept"), [
    ("2026-03-01T00:00:00+05:00", 1), ("2026-02-28T23:00:00+05:00", 0), ("tomorrow", None), ("2026-99-99", None),
    (None, None),
])  # fmt: skip
def test_a_promise_is_kept_by_whoever_comes_on_the_day(
    shop: Facts, fills: Callable, promised: str | None, kept: int | None
) -> None:
    """Delivered on the first of March; the sale was placed on 27 February."""
    shop.buys("aigul", "sofa", 3, 100, delivery={"promised_at": promised})
    fills()
    assert shop.sees("select * from mart.promise") == []  # on its way
    shop.moves("sofa", "shipped", 2)
    shop.moves("sofa", "delivered", 1)
    shop.moves("sofa", "completed", 0)
    fills()
    expected = [] if kept is None else [(date(2026, 2, 27), kept, 1)]
    assert shop.sees("select day, kept, n from mart.promise") == expected


def test_what_could_be_had_is_kept_day_by_day(
    shop: Facts, store: Engine, hub: Hub, now: datetime, keeps_up: Callable
) -> None:
    """Of the vase all is reserved; of the site's goods, the rug was never counted."""
    for sku, on_hand, reserved in (("lamp", 2, 1), ("vase", 2, 2)):
        shop.does("insert into canonical.product (sku, connection, external_id, name, status, source) "
                  "values (:sku, 'erp', :sku, :sku, 'active', '{}')", sku=sku)  # fmt: skip
        shop.does("insert into position.stock (sku, location, on_hand, reserved, as_of, connection) "
                  "values (:sku, 'almaty', :on_hand, :reserved, now(), 'erp')",
                  sku=sku, on_hand=on_hand, reserved=reserved)  # fmt: skip
    for sku in ("lamp", "vase", "rug"):
        shop.does("insert into canonical.listing (connection, external_id, sku, observed_at, source) "
                  "values ('site', :sku, :sku, now(), '{}')", sku=sku)  # fmt: skip
    keeps_up()
    shop.does("update position.stock set reserved = 0")
    fill_written(store, hub, now=now + timedelta(days=1))
    assert shop.sees("select day, channel, segment, available, n, round(value::numeric, 2)::float8 "
                     "from mart.availability order by day, channel") == [
        (date(2026, 3, 2), "all", "all", 1, 2, 0.5), (date(2026, 3, 2), "site", "all", 1, 3, 0.33),
        (date(2026, 3, 3), "all", "all", 2, 2, 1.0), (date(2026, 3, 3), "site", "all", 2, 3, 0.67),
    ]  # fmt: skip


def test_who_enters_a_segment_brings_his_history_with_him(shop: Facts, fills: Callable) -> None:
    shop.buys("viktor", "sofa", 30, 300_000)
    shop.buys("aigul", "lamp", 30, 10_000)
    fills()
    shop.belongs("viktor", "vip")
    fills()
    assert shop.sees("select segment, value, n from mart.average_check order by segment") == [
        ("all", 155_000, 2), ("vip", 300_000, 1),
    ]  # fmt: skip


def test_value_is_kept_day_by_day(shop: Facts, store: Engine, hub: Hub, now: datetime) -> None:
    shop.does("insert into segment.person_value (person_id, clv) values ('aigul', 100), ('viktor', 300), ('new', null)")
    fill(store, hub, ["clv"], now=now)
    shop.does("update segment.person_value set clv = 200 where person_id = 'aigul'")
    fill(store, hub, ["clv"], now=now + timedelta(days=1))
    assert shop.sees("select day, value, n from mart.clv order by day") == [
        (date(2026, 3, 2), 200, 2), (date(2026, 3, 3), 250, 2),
    ]  # fmt: skip


def test_a_night_in_almaty_belongs_to_almatys_day(shop: Facts, fills: Callable) -> None:
    shop.buys("viktor", "late", 0.3, 100)  # 21:48 UTC of the day before, 02:48 in Almaty
    fills()
    assert shop.sees("select day from mart.average_check") == [(date(2026, 3, 2),)]


def test_what_is_made_says_who_only_by_id(shop: Facts, fills: Callable, everything: Callable) -> None:
    shop.meets("viktor", "e1", 3, "site", "page_view", identifier_kind="phone", identifier="+77000000001")
    shop.buys("viktor", "sofa", 1, 100, contact_name="Viktor Testov", contact_phone="+77000000001")
    fills()
    assert "77000000001" not in str(everything())
    assert "Testov" not in str(everything())


steps = some.lists(
    some.tuples(
        some.sampled_from(["viktor", "aigul", None]), some.integers(0, 9), some.integers(0, 4) | some.integers(0, 300),
        some.sampled_from(["buys", "cancels", "sent", "clicked", "visit", "survey", "segment", "fill", "pass"]),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_bit_by_bit_says_the_same_as_all_at_once(shop, fills, keeps_up, everything, happened) -> None:
    shop.does('delete from canonical."order"; delete from canonical.contact_event; delete from segment.membership')
    fills()
    for person, name, ago, what in happened:
        if what == "fill":
            fills()
        elif what == "pass":
            keeps_up()
        elif what == "segment":
            shop.does("insert into segment.membership (segment, person_id, since) "
                      "values ('vip', :person, now()) on conflict do nothing", person=person or "aigul")  # fmt: skip
        elif what in ("buys", "cancels"):
            shop.buys(person, f"o{name}", ago, 100.0 * name, channel="site" if name % 2 else "store",
                      status="completed" if what == "buys" else "cancelled")  # fmt: skip
        else:
            channel = "store" if what == "visit" else "email"
            shop.meets(person, f"c{name}", ago, channel, what, campaign="c", value=name, reference=f"r{name % 2}")
    fills()
    bit_by_bit = everything()
    shop.does("delete from mart.made")
    fills()
    assert everything() == bit_by_bit


@given(some.sets(some.dates(date(2024, 1, 1), date(2026, 12, 31)), max_size=20))
def test_spans_cover_what_a_changed_day_reaches_and_do_not_overlap(changed) -> None:
    for mart in SPANNED.values():
        found = list(spans(changed, mart))
        assert all(one[1] < two[0] for one, two in pairwise(found))
        for day in changed:
            for reached in (day - timedelta(mart.after), day, day + timedelta(mart.before)):
                assert any(first <= reached <= last for first, last in found)
