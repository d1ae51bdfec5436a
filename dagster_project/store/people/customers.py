"""Customers on their way from `incoming` into the canonical table: what each system says, nothing merged.

Whoever changed is marked dirty as `connection:external_id`: identity looks at him again.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.goods import Put
from dagster_project.store.incoming import Incoming
from dagster_project.store.merge import marked, merged

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
}, {marked("customer", "select connection || ':' || external_id from merged")}
select (select count(*) from merged), (select count(*) from marked)
"""


def put_customers(db: Connection, values: Mapping[str, Any]) -> Put:
    return Put(*db.execute(text(_CUSTOMERS), values).one())
