"""What the server's planner knows of our tables, kept true where much came at once.

Autovacuum looks about once a minute. A first load decides and delivers within seconds of it, and a plan made for an
empty table takes as many seconds as it should take milliseconds.
"""

from sqlalchemy import Engine, text

SMALL = 64
"""Pages (of 8 kB) below which any plan will do."""

_GROWN = text("""
select format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any(:schemas) and c.relkind = 'r'
  and pg_relation_size(c.oid) / current_setting('block_size')::int > 1.2 * greatest(c.relpages, :small)
""")
_SCHEMAS = ["canonical", "position", "identity", "segment", "ledger", "hub"]


def refresh(engine: Engine) -> list[str]:
    """Has the server look again at tables that grew by a fifth since it last did; their names. Call it after a commit.

    Not later: of a connection that came since then the planner thinks that it has no rows, and reads all for each.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        grown = list(db.execute(_GROWN, {"schemas": _SCHEMAS, "small": SMALL}).scalars())
        if grown:
            db.execute(text(f"analyze (skip_locked) {', '.join(grown)}"))
    return grown
