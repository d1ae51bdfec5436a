"""Who is who, as Dagster shows it: an asset with a card that names nobody, and checks that warn."""

import pytest
from dagster import materialize

from connectors.sdk.registry import discover
from dagster_project.connections import parse
from dagster_project.factories.checks import origins_known
from dagster_project.factories.people import giant_cluster, large_persons, people_assets, unmatched_orders
from tests.dagster_project.steps.test_identify import AIGUL, DANIYAR, PHONE, SYSTEMS, People


def test_the_card_counts_what_changed_and_names_nobody(store, now, monkeypatch):
    people = People(store, now)
    people.come(AIGUL, DANIYAR)
    hub = parse(SYSTEMS, discover().specs)
    run = materialize(people_assets(hub))
    [event] = run.asset_materializations_for_node("golden__customer")
    told = event.metadata["changes"].value
    assert "| created | 2 | 2 | a file came |" in told
    assert PHONE not in told
    assert event.metadata["persons_concerned"].value == 2


@pytest.mark.parametrize(
    ("check", "records"),
    [
        pytest.param(giant_cluster, 41, id="a person of too many records"),
        pytest.param(large_persons, 11, id="many persons of many records"),
    ],
)
def test_persons_of_many_records_are_warned_of(store, now, check, records):
    people = People(store, now)
    people.come(AIGUL, DANIYAR)
    people.settles()
    assert check()().passed
    with store.begin() as db:
        db.exec_driver_sql(f"update identity.person set records = {records}")
    assert not check()().passed


def test_orders_that_name_somebody_and_are_nobodys_are_warned_of(store, now):
    people = People(store, now)
    people.buy({"connection": "shop", "external_id": "sofa", "contact_phone": PHONE})
    assert not unmatched_orders()().passed
    people.settles()
    assert unmatched_orders()().passed


def test_a_copy_of_an_order_that_was_never_read_is_warned_of(store, now):
    shop = People(store, now)
    shop.buy({"external_id": "copy", "copy_of": "site:1"})
    told = origins_known()()
    assert (told.passed, told.metadata["copies"].value) == (False, 1)
    assert str(told.metadata["problem"].value).startswith(
        "shop has 1 copies of orders of site that were never read: they count nowhere. `keruen sync site --full` reads"
    )
    shop.buy({"connection": "site", "external_id": "1"})
    assert origins_known()().passed
