"""Every table of the hub, by schema and name. In canonical, ledger and mart both are public: dashboards rely on them.

Raw tables (`raw_<connection>.<resource>`) are made on landing, one schema per connection; see `steps/land.py`.
"""

from dagster_project.store import canonical_tables, hub_tables, ledger_tables, mart_tables
from dagster_project.store.people import tables as people_tables
from dagster_project.store.schema import metadata

__all__ = ["TABLES", "canonical_tables", "hub_tables", "ledger_tables", "mart_tables", "metadata", "people_tables"]

TABLES = {f"{one.schema}.{one.name}": one for one in metadata.tables.values()}
