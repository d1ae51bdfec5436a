"""What is in the feed of a channel that fetches: the whole desired state, and whose last word stays."""

import os

from sqlalchemy import text

from connectors.sdk import Offer
from dagster_project.store import feed_files
from tests.dagster_project.steps.publish.conftest import fifty


def test_the_whole_desired_state_is_published_by_sku(gazette):
    gazette.plan({"TEA": (1250, {"A": 5}), "MUG": (1990.5, {"A": 0, "B": 2})})
    assert gazette.publish().changed == 4
    assert gazette.file == {
        "MUG": {"price.push": "1990.5", "stock.push": {"A": 0, "B": 2}},
        "TEA": {"price.push": "1250", "stock.push": {"A": 5}},
    }
    assert [offer.sku for offer in gazette.rendered[0].offers] == ["MUG", "TEA"]


def test_each_capability_counts_its_own_rows_of_the_file_they_share(gazette):
    gazette.plan({"TEA": (1250, 5), "MUG": (1990, 2)})
    assert gazette.delivers() == [2, 2]
    assert gazette.delivers() == [0, 0]
    gazette.plan({"TEA": (None, 4), "MUG": (None, 1)})
    assert gazette.delivers() == [0, 2]
    gazette.plan({"TEA": (1300, 3)})
    gazette.publish()
    gazette.plan({"MUG": (2000, None)})
    assert gazette.delivers() == [2, 1], "what was published meanwhile is counted by the next delivery"


def test_a_connector_is_told_what_the_catalogue_says_of_each_sku(gazette):
    store = gazette.channels["price.push"].store
    with store.begin() as db:
        db.execute(text(
            "insert into canonical.product (sku, connection, external_id, name, brand, status, source, attributes) "
            "values ('TEA', 'erp', '1', 'Шай Әсем', 'Асыл', 'active', '{}', '{\"pre_order\": 3}')"
        ))  # fmt: skip
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    (offer,) = gazette.rendered[0].offers
    assert isinstance(offer, Offer)
    expected = {"name": "Шай Әсем", "brand": "Асыл", "pre_order": 3, "currency": "KZT", "external_id": "x-TEA"}
    assert {name: offer.about[name] for name in expected} == expected


def test_with_nothing_new_no_version_is_made(gazette):
    gazette.plan({"TEA": (1250, 5)})
    version = gazette.publish().version
    assert gazette.publish().version is None
    gazette.is_fetched()
    gazette.publish()
    assert gazette.publish().version is None
    assert feed_files.served("shop").version == version
    assert len(gazette.rendered) == 1


def test_a_value_replaced_before_it_was_fetched_is_replaced_in_the_file(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.plan({"TEA": (None, 0)})
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["TEA"]["stock.push"] == 0


def test_a_value_that_went_back_before_it_was_fetched_goes_back_in_the_file(gazette, clock):
    gazette.plan({"TEA": (1250, 5)})
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.plan({"TEA": (1300, None)})
    clock.passes(minutes=1)
    gazette.publish()
    with gazette.channels["price.push"].store.begin() as db:
        db.execute(text("delete from ledger.outbox where capability = 'price.push'"))
        db.execute(text("update ledger.item set desired = acknowledged, state = 'in_sync', reason = null"))
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["TEA"]["price.push"] == "1250"


def test_held_and_rejected_rows_keep_their_last_confirmed_value(gazette, clock):
    gazette.plan({"TEA": (1250, 5), "MUG": (500, 1)})
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.channels["price.push"].plan({"TEA": 125000, "MUG": 510}, guards={"TEA": "step"})
    clock.passes(minutes=1)
    gazette.publish()
    assert {sku: row["price.push"] for sku, row in gazette.file.items()} == {"TEA": "1250", "MUG": "510"}
    assert gazette.item("TEA").state == "held"


def test_a_held_row_that_was_never_shown_is_left_out_and_is_no_withdrawal(gazette):
    gazette.plan(fifty())
    gazette.channels["price.push"].plan({"NEW": 9}, guards={"NEW": "floor"})
    gazette.channels["stock.push"].plan({"NEW": 1})
    assert gazette.publish().held is None
    assert "NEW" not in gazette.file
    assert gazette.item("NEW", "stock.push").reason == "left out of the feed: no price.push yet"
    assert gazette.publish().version is None


def test_an_excluded_sku_stays_in_the_file_without_stock(gazette, clock):
    gazette.plan(fifty())
    gazette.publish()
    gazette.is_fetched()
    gazette.publish()
    gazette.excludes("SKU-07")
    clock.passes(minutes=1)
    gazette.publish()
    assert gazette.file["SKU-07"] == {"price.push": "1000"}
    gazette.is_fetched()
    gazette.publish()
    stock, price = gazette.item("SKU-07", "stock.push"), gazette.item("SKU-07")
    assert (stock.state, stock.acknowledged) == ("excluded", None)
    assert (price.state, price.acknowledged) == ("excluded", 1000)
    assert gazette.publish().version is None


def test_an_excluded_sku_that_was_never_shown_is_not_in_the_file(gazette):
    gazette.plan(fifty())
    gazette.plan({"NEW": (1250, 5)}, guards={"NEW": "floor"})
    gazette.excludes("NEW")
    gazette.publish()
    assert "NEW" not in gazette.file
    assert gazette.publish().version is None


def test_delivering_either_capability_publishes_both(gazette):
    gazette.plan({"TEA": (1250, 5)})
    assert gazette.channels["stock.push"].deliver().published == 1
    assert gazette.file == {"TEA": {"price.push": "1250", "stock.push": 5}}
    assert gazette.channels["price.push"].deliver().published == 1
    assert gazette.channels["price.push"].states() == {"pending": 1}


def test_the_served_name_is_a_link_to_a_version(gazette):
    gazette.plan({"TEA": (1250, 5)})
    version = gazette.publish().version
    link = feed_files._folder() / "shop.xml"
    assert os.readlink(link) == f"shop/{version}.xml"
