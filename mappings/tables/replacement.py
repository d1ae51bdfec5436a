"""What a whole file replaces: it speaks for its scope, so what stands there and does not come again is gone."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

STANDING = """
create temp table standing as
    select there.*, come.usable is not null as comes, coalesce(come.usable, false) as usable,
        part.inside is not null as inside
    from there
    left join come on {same_key}
    left join (select distinct {scope}, true as inside from come where usable) part on {same_scope}
"""


@dataclass(frozen=True)
class Replacement:
    """`removed`: keys that stand in the scope and do not come again. `kept_apart`: keys that come and stand outside
    of the scope: two things go by one key. `compared`: keys that come into parts of the scope where something stands;
    the others are new. `shrunk`: parts that lose more than allowed, the worst first, as (name, standing, removed).
    """

    removed: pa.Table
    kept_apart: pa.Table
    compared: pa.Table
    shrunk: Sequence[tuple[str, int, int]]


def replacement(
    come: pa.Table, there: pa.Table, *, keys: Sequence[str], scope: Sequence[str], shrink: float
) -> Replacement:
    """`come`: keys, scope and `usable` of a file's rows; `there`: keys and scope of what stands. Without a `scope`
    every row speaks for itself alone and nothing is removed. A row that comes but is not usable keeps what stands
    under its key.
    """
    if not there.num_rows:
        nothing = come.select(list(keys)).slice(0, 0)
        return Replacement(nothing, nothing, nothing, ())
    scope = scope or keys
    with duckdb.connect() as db:
        db.register("come", come)
        db.register("there", there)
        db.execute(
            STANDING.format(same_key=_same("come", keys), scope=", ".join(scope), same_scope=_same("part", scope))
        )
        listed, parts = ", ".join(keys), ", ".join(scope)
        name = " || ' ' || ".join(f"coalesce({column}::varchar, '-')" for column in scope)
        return Replacement(
            removed=db.sql(f"select {listed} from standing where inside and not comes").to_arrow_table(),
            kept_apart=db.sql(f"select {listed} from standing where usable and not inside").to_arrow_table(),
            compared=db.sql(
                f"select {listed} from come semi join (from standing where inside) part "
                f"on come.usable and {_same('part', scope, 'come')}"
            ).to_arrow_table(),
            shrunk=db.execute(
                f"select {name}, count(*), count(*) filter (not comes) as gone from standing where inside "
                f"group by {parts} having gone > ? * count(*) order by gone desc, 1 limit 3",
                [shrink],
            ).fetchall(),
        )


def _same(table: str, columns: Sequence[str], other: str = "there") -> str:
    return " and ".join(f"{table}.{column} is not distinct from {other}.{column}" for column in columns)
