"""A street of shops, and what Dagster does and shows of them."""

from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult

from tests.dagster_project.conftest import Street


@pytest.fixture
def instance() -> Any:
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def open_street(street: Street) -> Street:
    """Goods, prices and counts in files; two shops of one vendor that sell them."""
    street.stocks_shelves()
    street.opens("site")
    street.opens("outlet")
    return street


def key(path: str) -> AssetKey:
    return AssetKey(path.split("/"))


def run(defs: Definitions, instance: DagsterInstance, job: str, **how: Any) -> ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(instance=instance, **how)


def shown(street: Street, name: str) -> dict[str, int]:
    return {product["sku"]: product["quantity_in_stock"] for product in street[name].products.values()}


def metadata(result: ExecuteInProcessResult, path: str) -> Any:
    [event] = [one for one in result.get_asset_materialization_events() if one.asset_key == key(path)]
    return event.materialization.metadata
