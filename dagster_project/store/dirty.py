"""Subjects whose inputs changed since the last decision: marked by whoever writes inputs, taken by whoever decides.

Both happen in the transaction of the work itself, so a crash leaves dirty what was not decided. There is no clearing up
to an id: ids are given before the commit, so a lower one may appear after a higher one was taken. A row may carry the
moment from which it counts (`due`): a promotion that opens next week makes its price dirty then.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

import pyarrow
from sqlalchemy import Connection, Engine, text

from dagster_project.store.hub_tables import dirty
from dagster_project.store.locks import in_turn
from dagster_project.store.transfer import copy_in, read

_WAITING = text("""
select count(*) from (
  select from hub.dirty
  where (due is null or due <= now())
    and (cast(:entities as text[]) is null or entity = any(cast(:entities as text[]))) limit 100000
) marks
""")
_NEWEST = text("select max(id) from hub.dirty where due is null or due <= now()")
_TAKE = """
delete from hub.dirty where id in (
  select id from hub.dirty
  where (due is null or due <= now())
    and (cast(:entities as text[]) is null or entity = any(cast(:entities as text[])))
  order by id limit :limit
) returning id, entity, subject, because
"""


def waiting(engine: Engine, entities: Collection[str] | None = None) -> int:
    """How many rows wait for a decision, up to 100,000; of `entities` only, where they are given."""
    with engine.connect() as db:
        return int(db.execute(_WAITING, {"entities": entities and list(entities)}).scalar_one())


def newest(engine: Engine) -> int | None:
    """The id of the newest row that waits, None where none does."""
    with engine.connect() as db:
        found: int | None = db.execute(_NEWEST).scalar_one()
    return found


def mark(
    db: Connection,
    entity: str,
    subjects: Iterable[str] | pyarrow.ChunkedArray,
    because: str | None = None,
    due: datetime | None = None,
) -> None:
    """Asks for a new decision about `subjects` (skus; of an order `connection:id`). Marking twice does no harm."""
    marked = subjects if isinstance(subjects, pyarrow.ChunkedArray) else pyarrow.array(subjects, pyarrow.string())
    said = {"entity": entity, "because": because, "due": due}
    columns = {name: pyarrow.repeat(value, len(marked)) for name, value in said.items() if value is not None}
    copy_in(db, dirty, pyarrow.table({**columns, "subject": marked}))


def take(db: Connection, entities: Collection[str] | None = None, limit: int | None = None) -> pyarrow.Table:
    """Takes what waits (the oldest `limit` rows), to be decided in this transaction; a rollback puts it back.

    Gives `entity, subject, because`, each subject once with its latest reason. Take before you read the inputs. One
    transaction at a time decides about `entities`: of two that had read older and newer inputs, the older could store
    its decision last.
    """
    in_turn(db, "dirty" if entities is None else f"dirty:{','.join(sorted(entities))}")
    taken = read(db, _TAKE, {"entities": None if entities is None else list(entities), "limit": limit})
    newest_first = taken.sort_by([("id", "descending")]).group_by(["entity", "subject"], use_threads=False)
    return newest_first.aggregate([("because", "first")]).rename_columns(["entity", "subject", "because"])
