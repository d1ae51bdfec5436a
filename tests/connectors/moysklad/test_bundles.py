"""Bundles: as many as their components make, store by store."""

from datetime import timedelta

import pytest

from connectors.moysklad.simulator.account import Account
from connectors.moysklad.simulator.seed import uid
from connectors.moysklad.source import moscow
from connectors.sdk import Since
from connectors.sdk.testing.shop import Shop
from mappings.canonical import StockLevel
from tests.clock import Clock
from tests.connectors.moysklad.conftest import Settings, mapped, read

PLACE = "Almaty-1"


@pytest.fixture
def parts(vendor: Account, shop: Shop) -> tuple[str, str]:
    """Two SKUs of which 7 and 4 lie in the store, nothing promised."""
    first, second = (variant.sku for variant in shop.variants[:2])
    for sku, wanted in ((first, 7), (second, 4)):
        count = vendor.books.counts[uid("item", sku), uid("store", PLACE)]
        vendor.books.move_stock(uid("item", sku), uid("store", PLACE), wanted - int(count.stock))
        count.reserve -= count.reserve
    return first, second


def level(settings: Settings, bundle: str, since: Since, **given: object) -> StockLevel | None:
    """What is known of the bundle in the store."""
    config = settings(**given)
    levels = mapped(config, "stock", read(config, "stock", since))
    return next((one for one in levels if (one.variant, one.location) == (bundle, uid("store", PLACE))), None)


def test_the_scarcest_component_says_how_many_there_are(settings, vendor, parts, clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 2, parts[1]: 1, "": 1})
    found = level(settings, bundle, Since(now=clock()))
    assert found is not None
    assert (found.on_hand, found.reserved_by_source) == (3, 0)


def test_what_is_promised_of_a_component_is_promised_of_the_bundle(settings, vendor, parts, clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 2, parts[1]: 1})
    vendor.order(parts[0], PLACE, quantity=4)
    found = level(settings, bundle, Since(now=clock()))
    assert found is not None
    assert (found.on_hand, found.reserved_by_source) == (3, 2)


def test_a_component_sold_by_itself_takes_bundles_away_at_once(settings, vendor, parts, clock: Clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 2, parts[1]: 1})
    clock.passes(hours=1)
    vendor.sell(parts[1], PLACE, 3)
    found = level(settings, bundle, Since(moscow(clock() - timedelta(minutes=10)), now=clock()))
    assert found is not None
    assert found.on_hand == 1


def test_a_bundle_whose_component_is_being_recalculated_keeps_its_last_count(settings, vendor, parts, clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 1, parts[1]: 1})
    vendor.books.recalculating.add(uid("item", parts[0]))
    assert level(settings, bundle, Since(now=clock())) is None


def test_where_nothing_moved_bundles_are_not_asked_for(settings, vendor, parts, clock: Clock) -> None:
    vendor.bundle("SET-1", {parts[0]: 1})
    clock.passes(hours=1)
    read(settings(), "stock", Since(moscow(clock() - timedelta(minutes=10)), now=clock()))
    assert vendor.sandbox.requests(path="entity/bundle") == []


def test_a_merchant_may_leave_bundles_uncounted(settings, vendor, parts, clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 1})
    assert level(settings, bundle, Since(now=clock()), bundles=False) is None


def test_a_bundle_is_an_item_with_a_sku(settings, vendor, parts, clock) -> None:
    bundle = vendor.bundle("SET-1", {parts[0]: 1})
    config = settings()
    goods = {
        one.external_id: one
        for one in mapped(config, "products", read(config, "products", Since(now=clock())), "product")
    }
    assert goods[bundle].sku == "SET-1"
