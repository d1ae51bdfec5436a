"""What a story of the store does with plain SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text


class Asking:
    """Says and asks in the store at hand."""

    store: Engine

    def say(self, statement: str, **values: Any) -> None:
        with self.store.begin() as db:
            db.execute(text(statement), values)

    def all(self, query: str, **values: Any) -> Sequence[Any]:
        with self.store.connect() as db:
            return db.execute(text(query), values).all()

    def one(self, query: str, **values: Any) -> Any:
        (row,) = self.all(query, **values)
        return row
