"""The store in clear text, for tests that ask what was kept and not how."""

from typing import Any

from sqlalchemy import Engine, text

from dagster_project.store.people import access


def clear(store: Engine, query: str, **values: Any) -> list[Any]:
    """What a query gives, as `keruen sql --open` shows it."""
    with store.connect() as db:
        found = db.execute(text(query), values).mappings().all()
        return [tuple(row.values()) for row in access.opened(db, found)[0]]
