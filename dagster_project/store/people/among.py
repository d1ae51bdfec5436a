"""The persons of one look, staged, with what is known of them gathered once, however many segments ask for it.

PostgreSQL cannot know that a look follows a change: where twenty thousand of a million are asked for, it would rather
read the whole table. `offset 0` keeps each person's rows a lookup by index, so that the cost follows the change.
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.transfer import copy_in
from mappings.segments.compile import AMONG, MEMBERSHIP

PERSONS = "among_persons"
MEMBERSHIPS = AMONG[MEMBERSHIP]
_GATHERED = """
create temp table {name} on commit drop as
select found.* from among_persons a cross join lateral (
  select * from {table} t where t.person_id = a.person_id offset 0
) found
"""


def stage(db: Connection, persons: pa.ChunkedArray, why: pa.ChunkedArray) -> None:
    """Makes `among_persons` (person_id, why) hold these, until the transaction ends or others are staged.

    Give them in order: thousands of lookups side by side in an index cost two thirds of as many here and there.
    """
    db.execute(text(f"create temp table if not exists {PERSONS} (person_id text primary key, why text) on commit drop"))
    db.execute(text(f"truncate {PERSONS}"))
    copy_in(db, PERSONS, pa.table({"person_id": persons, "why": why}))
    db.execute(text(f"analyze {PERSONS}"))


def stage_more(db: Connection, query: str, why: str, **values: Any) -> int:
    """Adds the persons that a query of `person_id` gives, but for those who are staged already; how many."""
    added = f"insert into {PERSONS} select distinct person_id, :why from ({query}) more on conflict do nothing"
    return int(db.execute(text(added), {"why": why, **values}).rowcount)


def staged(db: Connection) -> int:
    return int(db.execute(text(f"select count(*) from {PERSONS}")).scalar_one())


def gather(db: Connection, tables: Iterable[str]) -> None:
    """Copies what these tables say of the staged persons, and their memberships, to where `Compiled.among` looks."""
    for table in {*tables, MEMBERSHIP}:
        db.execute(text(f"drop table if exists pg_temp.{AMONG[table]}"))
        db.execute(text(_GATHERED.format(name=AMONG[table], table=table)))


_LEFT = text(f"""
delete from {MEMBERSHIPS} m using moves n
where n.change = 'left' and m.segment = :segment and m.person_id = n.person_id
""")
_ENTERED = text(f"""
insert into {MEMBERSHIPS} (segment, person_id) select :segment, person_id from moves where change = 'entered'
""")


def keep_up(db: Connection, segment: str) -> None:
    """Lets what was gathered follow the last moves (store.people.segments), for the segments that refer to this one."""
    for statement in (_LEFT, _ENTERED):
        db.execute(statement, {"segment": segment})
