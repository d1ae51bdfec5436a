"""Every story of files begins with a merchant and empty folders."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.dagster_project.steps.files.folder import SETTINGS, Shop


@pytest.fixture
def shop(store: Engine, tmp_path: Path) -> Shop:
    for name in SETTINGS:
        (tmp_path / name).mkdir()
    return Shop(store, tmp_path, {name: dict(settings) for name, settings in SETTINGS.items()})


@pytest.fixture
def known(shop: Shop) -> Shop:
    shop.drops(
        "goods", "goods.csv", "sku,name", *(f"{sku},{sku}" for sku in ("tea", "milk", "bread", *map(str, range(20))))
    )
    assert [report.stored for report in shop.reads("goods")] == [23]
    return shop
