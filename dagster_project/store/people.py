"""Customers on their way from `incoming` into the canonical table: what each system says, nothing merged."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.merge import merged

_FIELDS = ", ".join(f'i."{name}"' for name in Incoming("customer").columns if name not in ("seq", "source"))
_CUSTOMERS = f"""
with {
    merged(
        "customer",
        f'''
  select distinct on (i.external_id) cast(:connection as text) as connection, {_FIELDS}, i.source
  from incoming_customer i order by i.external_id, i.seq desc''',
        Incoming("customer").columns,
    )
}
select count(*) from merged
"""


def put_customers(db: Connection, values: Mapping[str, Any]) -> Put:
    return Put(db.execute(text(_CUSTOMERS), values).scalar_one())
