"""The price list that Kaspi fetches: whole, valid, read back through the simulated shop front (contract kaspi 5)."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.kaspi import CONNECTOR
from connectors.kaspi.cities import CITIES, city_id
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.feed import prices, tenge, whole
from connectors.kaspi.sandbox import MERCHANT
from connectors.kaspi.sandbox_front import Front, Wrong, read_catalog
from connectors.sdk import ConfigError, HubBug, Offer, Snapshot
from connectors.sdk.testing.sandbox import Sandbox, served

PRICE_LIST = CONNECTOR.sink("stock.push")
MADE = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def settings(**given: Any) -> KaspiConfig:
    known = {"token": "not-a-real-token", "merchant_id": MERCHANT, "company": "Firm"}
    return KaspiConfig.model_validate({**known, **given}).named("kaspi_almaty")


def offer(sku: str = "SKU1", stock: Any = None, price: Any = "12990", **about: Any) -> Offer:
    return Offer(sku, {"stock.push": stock, "price.push": price}, {"name": "Пиала", **about})


def render(*offers: Offer, config: KaspiConfig | None = None) -> bytes:
    assert PRICE_LIST.render is not None
    return PRICE_LIST.render(config or settings(), Snapshot("v1", MADE, offers))


def shown(*offers: Offer, config: KaspiConfig | None = None) -> dict[str, Any]:
    """What Kaspi reads of the rendered file; a row it finds fault with fails the test."""
    found, problems = read_catalog(render(*offers, config=config), MERCHANT)
    assert problems == []
    return found


# ── stock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stock_is_shown_point_by_point():
    assert shown(offer(stock={"PP1": 7, "PP2": 0}))["SKU1"].stock == {"PP1": 7, "PP2": 0}


def test_what_is_sold_out_is_switched_off_by_name_and_not_left_out():
    found = shown(offer("A", {"PP1": 3, "PP2": 1}), offer("B", {}), offer("C", None), offer("D", {"PP1": 0}))

    assert {sku: one.stock for sku, one in found.items()} == {
        "A": {"PP1": 3, "PP2": 1}, "B": {"PP1": 0, "PP2": 0}, "C": {"PP1": 0, "PP2": 0}, "D": {"PP1": 0, "PP2": 0},
    }  # fmt: skip


def test_every_point_of_the_settings_is_named_even_where_nothing_lies():
    found = shown(offer(stock={"PP2": 1}), config=settings(points={"PP1": "Алматы", "PP2": "Астана"}))

    assert found["SKU1"].stock == {"PP1": 0, "PP2": 1}


def test_a_point_may_carry_the_merchants_id():
    assert shown(offer(stock={f"{MERCHANT}_PP1": 4}))["SKU1"].stock == {"PP1": 4}


def test_a_location_that_is_no_point_names_the_setting_to_write():
    with pytest.raises(ConfigError, match=r"kaspi_almaty:Almaty-1.*locations"):
        render(offer(stock={"kaspi_almaty:Almaty-1": 4}))


@pytest.mark.parametrize(("quantity", "units"), [("7.9", 7), (-3, 0), (None, 0), ("0", 0), (5, 5)])
def test_only_whole_units_are_promised(quantity, units):
    assert whole(quantity) == units


# ── prices ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("amount", "asked"), [("12990", 12990), ("12990.00", 12990), ("12990.49", 12990), ("12990.50", 12991)]
)
def test_prices_are_whole_tenge(amount, asked):
    assert shown(offer(price=amount))["SKU1"].price == asked


def test_each_city_with_a_point_has_its_price():
    config = settings(points={"PP1": "Алматы", "PP2": "710000000"})

    found = shown(offer(price={"Алматы": "12990", "Астана": "13490"}), config=config)

    assert found["SKU1"].price == {"750000000": 12990, "710000000": 13490}


def test_a_city_with_a_point_and_without_a_price_is_named():
    with pytest.raises(ConfigError, match="710000000"):
        render(offer(price={"Алматы": "12990"}), config=settings(points={"PP1": "Алматы", "PP2": "Астана"}))


def test_a_city_that_kaspi_does_not_know_is_refused_before_anything_is_published():
    with pytest.raises(ConfigError, match="Атлантида"):
        render(offer(price={"Атлантида": "12990"}))
    with pytest.raises(ValidationError, match="more_cities"):
        settings(points={"PP1": "Атлантида"})


def test_a_city_beyond_the_guide_can_be_added_by_hand():
    config = settings(points={"PP1": "Бурабай"}, more_cities={"117055999": "Бурабай"})

    assert prices(config, {"Бурабай": "5000"}) == (
        '<cityprices><cityprice cityId="117055999">5000</cityprice></cityprices>'
    )


def test_the_three_largest_cities_have_the_ids_of_the_contract():
    named = {"Алматы": "750000000", "Астана": "710000000", "Шымкент": "511010000"}

    assert {city: city_id(city) for city in named} == named
    assert all(city_id(number) == number for number in CITIES)


@pytest.mark.parametrize("price", [None, "0", "0.3", "-5", {}])
def test_an_offer_without_a_price_is_left_out_and_gets_none_made_up(price):
    assert set(shown(offer("A"), offer("B", price=price))) == {"A"}


def test_a_list_with_no_price_at_all_is_never_made():
    with pytest.raises(ConfigError, match="empty price list"):
        render(offer(price=None))
    with pytest.raises(ConfigError, match="empty price list"):
        render()


def test_without_a_merchant_id_there_is_no_list():
    with pytest.raises(ConfigError, match="merchant_id"):
        render(offer(), config=settings(merchant_id=None))


@given(st.decimals(0, 10_000_000, places=2))
def test_rounding_to_tenge_moves_a_price_by_half_a_tenge_at_most(amount):
    assert abs(tenge(str(amount)) - amount) <= 0.5


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_preorder_is_told_in_days_and_only_where_wanted():
    found = shown(offer("A", {"PP1": 1}, pre_order=3), offer("B", {"PP1": 1}, pre_order=0), offer("C", {"PP1": 1}))

    assert {sku: one.pre_order for sku, one in found.items()} == {"A": 3, "B": 0, "C": 0}
    assert render(offer(stock={"PP1": 1})).count(b"preOrder") == 0


@pytest.mark.parametrize(
    ("sku", "about", "why"),
    [
        ("S" * 65, {"name": "Пиала"}, "64"),
        ("SKU\x07", {"name": "Пиала"}, "control"),
        ("SKU1", {"name": " "}, "name"),
        ("SKU1", {}, "name"),
        ("SKU1", {"name": "Пиала", "pre_order": 31}, "30"),
        ("SKU1", {"name": "Пиала", "pre_order": "три дня"}, "whole days"),
        ("S" * 64, {"name": "Пиала", "pre_order": 30}, None),
    ],
)
def test_what_kaspi_cannot_hold_does_not_belong_there_and_the_reason_is_told(sku, about, why):
    reason = PRICE_LIST.belongs(settings(), sku, about)

    assert reason is None if why is None else why in str(reason)


def test_a_sku_that_does_not_belong_spoils_the_file_for_no_other():
    assert set(shown(offer("A"), offer("S" * 65))) == {"A"}


def test_a_sku_twice_is_refused():
    with pytest.raises(HubBug, match="twice"):
        render(offer("A"), offer("A"))


def test_skus_beyond_the_guides_alphabet_go_out_with_a_warning(caplog):
    assert set(
        shown(offer("AF1-38"), offer("AF1")),
    ) == {"AF1-38", "AF1"}
    assert "1 SKUs" in caplog.text
    assert "AF1-38" in caplog.text


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=64),
            st.text(min_size=1, max_size=300).filter(lambda name: any(c.isprintable() and c != " " for c in name)),
            st.integers(-5, 10_000),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[0],
    )
)
def test_whatever_the_names_and_skus_hold_kaspi_reads_every_row_back(rows):
    belonging = [row for row in rows if PRICE_LIST.belongs(settings(), row[0], {"name": row[1]}) is None]
    if not belonging:
        return

    found = shown(*(offer(sku, {"PP1": count}, name=name) for sku, name, count in belonging))

    assert {sku: one.stock["PP1"] for sku, one in found.items()} == {sku: max(0, n) for sku, _, n in belonging}


def test_kazakh_letters_and_markup_survive():
    found = shown(offer(name="Шәйнек «Нұрлы» <2 л> & қақпақ", brand='Tau & "Sons"'))

    assert found["SKU1"].model == "Шәйнек «Нұрлы» <2 л> & қақпақ"


def test_the_head_says_when_in_almaty_time_and_whose():
    head = render(offer(), config=settings(company="ТОО «Дала & К»")).decode().partition("<offers>")[0]

    assert 'date="2026-03-02 10:00"' in head
    assert "<company>ТОО «Дала &amp; К»</company>" in head
    assert f"<merchantid>{MERCHANT}</merchantid>" in head


def test_the_same_snapshot_gives_the_same_bytes():
    assert render(offer(stock={"PP2": 1, "PP1": 2})) == render(offer(stock={"PP1": 2, "PP2": 1}))


# ── Kaspi fetches ─────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def published(content: bytes, login: tuple[str, str] | None = None) -> Iterator[str]:
    """A merchant's address with a file behind it, for those who know the login."""

    async def answer(request: Request) -> Response:
        given = b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if login and given != ":".join(login):
            return Response(status_code=401)
        return Response(content, media_type="application/xml")

    with served(Sandbox("merchant", [Route("/kaspi.xml", answer)])) as url:
        yield f"{url}/kaspi.xml"


def test_the_shop_front_shows_what_the_file_says(kaspi):
    with published(render(offer("A", {"PP1": 3}), offer("B", {"PP1": 0}))) as url:
        visit = kaspi.fetch_feed(url)

    assert (visit.status, visit.offers, visit.taken) == (200, 2, True)
    assert kaspi.front.offers["A"].stock == {"PP1": 3}
    assert kaspi.sell().lines[0][:4] == ("A", "A", 1, 12990)


def test_kaspi_comes_in_with_the_merchants_login_only(kaspi):
    config = settings(feed_login="kaspi-feed", feed_password="қ-not-a-real-password")
    pair = PRICE_LIST.login(config)

    with published(render(offer()), pair) as url:
        assert kaspi.fetch_feed(url).status == 401
        assert kaspi.fetch_feed(url, ("kaspi-feed", "wrong")).status == 401
        assert kaspi.fetch_feed(url, pair).taken
    assert PRICE_LIST.login(settings()) is None


def test_half_a_login_is_refused():
    with pytest.raises(ValidationError, match="go together"):
        settings(feed_login="kaspi-feed")


@pytest.mark.parametrize("omitted", ["withdrawn", "stays"])
def test_what_a_file_omits_is_withdrawn_or_stays_and_both_are_told(omitted):
    front = Front(MERCHANT, omitted)
    for content in (render(offer("A", {"PP1": 1}), offer("B", {"PP1": 1})), render(offer("A", {"PP1": 1}))):
        with published(content) as url:
            front.fetch(url)

    assert ("B" in front.offers) == (omitted == "stays")


def test_half_a_file_or_another_merchants_leaves_the_front_as_it_was(kaspi):
    whole_file = render(offer("A", {"PP1": 1}))
    others = render(offer("B", {"PP1": 1}), config=settings(merchant_id="31111111"))
    for content in (whole_file, whole_file[:-40], others, b"<html/>", b""):
        with published(content) as url:
            kaspi.fetch_feed(url)

    assert set(kaspi.front.offers) == {"A"}
    assert [visit.taken for visit in kaspi.front.fetches] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("<brand>Аққу</brand>", "", None),
        ('available="yes"', 'available="true"', "availability"),
        ("<price>12990</price>", "", "either price or cityprices"),
        ("<price>12990</price>", "<price>12990.50</price>", "no whole number"),
        ("<price>12990</price>", "<price>0</price>", "nothing"),
        ("<price>12990</price>", '<cityprices><cityprice cityId="1">9</cityprice></cityprices>', "no city"),
        ('stockCount="3"', 'stockCount="50.0"', None),
        ('stockCount="3"', 'preOrder="31"', "31 days"),
        ("<model>Пиала</model><brand>Аққу</brand>", "<brand>Аққу</brand><model>Пиала</model>", "out of order"),
    ],
)
def test_the_sandbox_finds_the_faults_that_kaspi_would(was, becomes, problem):
    good = render(offer("A", {"PP1": 3}, brand="Аққу"), offer("B", {"PP1": 1})).decode()
    assert was in good

    found, problems = read_catalog(good.replace(was, becomes, 1).encode(), MERCHANT)

    assert (problems == []) if problem is None else (problem in problems[0] and "A" not in found)
    assert "B" in found


def test_the_sandbox_refuses_a_name_space_that_differs_by_a_letter():
    with pytest.raises(Wrong, match="kaspiShopping"):
        read_catalog(render(offer()).replace(b'xmlns="kaspiShopping"', b'xmlns="kaspishopping"'), MERCHANT)
