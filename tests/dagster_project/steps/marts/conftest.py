"""A shop's facts, put straight into the canonical tables as identity leaves them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dagster_project.connections import Hub, parse
from dagster_project.store.people.tables import contact_event
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, upsert

SOURCE = {"connection": "shop", "resource": "facts", "key": "1"}


class Facts:
    """Writes facts; what is written twice under one name is changed."""

    def __init__(self, store: Engine, now: datetime) -> None:
        self.store, self.now = store, now

    def buys(self, person: str | None, name: str, days_ago: float, total: float, channel: str = "store",
             lines: dict[str, float] | None = None, **more: Any) -> None:  # fmt: skip
        row = {
            "connection": "shop", "external_id": name, "number": name, "kind": "sale", "channel": channel,
            "placed_at": self.now - timedelta(days=days_ago), "status": "completed", "person_id": person,
            "total": total, "currency": "KZT", "source": SOURCE, **more,
        }  # fmt: skip
        with self.store.begin() as db:
            upsert(db, TABLES["canonical.order"], [row], ["connection", "external_id"])
            sold = [
                {"connection": "shop", "external_id": name, "line": sku, "sku": sku, "quantity": units, "total": 0}
                for sku, units in (lines or {}).items()
            ]
            copy_in(db, TABLES["canonical.order_line"], sold)

    def meets(self, person: str | None, name: str, days_ago: float, channel: str, kind: str, **more: Any) -> None:
        at = self.now - timedelta(days=days_ago)
        row = {"connection": "shop", "external_id": name, "person_id": person, "at": at, "channel": channel,
               "kind": kind, "source": SOURCE, **more}  # fmt: skip
        with self.store.begin() as db:
            upsert(db, contact_event, [row], ["connection", "external_id"])

    def moves(self, order: str, status: str, days_ago: float) -> None:
        self.does(
            "insert into canonical.order_event (connection, external_id, at, status, source) "
            "values ('shop', :order, :at, :status, '{}')",
            order=order, at=self.now - timedelta(days=days_ago), status=status,
        )  # fmt: skip

    def belongs(self, person: str, segment: str) -> None:
        self.does(
            "insert into segment.membership (segment, person_id, since) values (:segment, :person, now())",
            segment=segment, person=person,
        )  # fmt: skip

    def does(self, query: str, **given: Any) -> None:
        with self.store.begin() as db:
            db.execute(text(query), given)

    def sees(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query), given)]


@pytest.fixture
def shop(store: Engine, now: datetime) -> Facts:
    return Facts(store, now)


@pytest.fixture
def hub() -> Hub:
    return parse("", {})


@pytest.fixture
def everything(shop: Facts) -> Callable[[], dict[str, list[tuple[Any, ...]]]]:
    """What all marts say, to compare two ways of making them."""

    def said() -> dict[str, list[tuple[Any, ...]]]:
        names = [name for name in TABLES if name.startswith("mart.") and name not in ("mart.made", "mart.looked")]
        return {name: sorted(shop.sees(f"select * from {name}"), key=str) for name in names}

    return said
