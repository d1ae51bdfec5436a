"""The persons of one look, staged, with what is known of them gathered once, however many segments ask for it.

PostgreSQL cannot know that a look follows a change: where twenty thousand of a million are asked for, it would rather
read the whole table. `offset 0` keeps each person's rows a lookup by index, so that the cost follows the change.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.transfer import copy_in
from mappings.segments.compile import AMONG

PERSONS = "among_persons"
MEMBERSHIPS = "among_membership"
_GATHERED = """
create temp table {name} on commit drop as
select found.* from among_persons a cross join lateral (
  select * from {table} t where t.person_id = a.person_id offset 0
) found
"""


def stage(
    db: Connection, persons: pa.ChunkedArray | pa.Array | Sequence[str], why: Sequence[str] | None = None
) -> None:
    """Makes `among_persons` (person_id, why) hold these, until the transaction ends or others are staged."""
    db.execute(text(f"create temp table if not exists {PERSONS} (person_id text primary key, why text) on commit drop"))
    db.execute(text(f"truncate {PERSONS}"))
    columns = {"person_id": persons} if why is None else {"person_id": persons, "why": why}
    listed = {name: one if hasattr(one, "type") else pa.array(one, pa.string()) for name, one in columns.items()}
    copy_in(db, PERSONS, pa.table(listed))
    db.execute(text(f"analyze {PERSONS}"))


def stage_more(db: Connection, query: str, why: str, **values: Any) -> int:
    """Adds the persons that a query of `person_id` gives, but for those who are staged already; how many."""
    added = f"insert into {PERSONS} select distinct person_id, :why from ({query}) more on conflict do nothing"
    return int(db.execute(text(added), {"why": why, **values}).rowcount)


def staged(db: Connection) -> int:
    return int(db.execute(text(f"select count(*) from {PERSONS}")).scalar_one())


def gather(db: Connection, tables: Iterable[str]) -> None:
    """Copies what these tables say of the staged persons, and their memberships, to where `Compiled.among` looks."""
    for table, name in {**{one: AMONG[one] for one in tables}, "segment.membership": MEMBERSHIPS}.items():
        db.execute(text(f"drop table if exists pg_temp.{name}"))
        db.execute(text(_GATHERED.format(name=name, table=table)))
