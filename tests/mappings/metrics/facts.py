"""Facts for tests, written short; hypothesis strategies of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as some

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
CONTACTS = ["person_id", "channel", "kind", "campaign", "reference", "value", "at", "day"]
ORDERS = ["order", "person_id", "channel", "at", "day", "total", "currency"]


def moment(day: float) -> datetime:
    return START + timedelta(days=day)


def contact(person: str | None, day: float, channel: str, kind: str = "page_view", **more: Any) -> dict[str, Any]:
    at = moment(day)
    row = {"campaign": None, "reference": None, "value": None, **more}
    return {"person_id": person, "channel": channel, "kind": kind, "at": at, "day": at.date(), **row}


def order(
    person: str | None, day: float, channel: str = "store", total: float = 100.0, name: str = ""
) -> dict[str, Any]:
    at = moment(day)
    row = {"order": name or f"{person}-{channel}-{day}", "person_id": person, "channel": channel, "at": at}
    return {**row, "day": at.date(), "total": total, "currency": "KZT"}


def contacts(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=CONTACTS)
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), value=frame["value"].astype(float))


def orders(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=ORDERS)
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), total=frame["total"].astype(float))


def members(**segments: str) -> pd.DataFrame:
    """Person → his segment."""
    return pd.DataFrame([*segments.items()], columns=["person_id", "segment"])


PEOPLE = some.sampled_from(["aigul", "boris", "viktor", None])
DAYS = some.integers(0, 4 * 120).map(lambda quarter: quarter / 4)
some_contacts = some.lists(
    some.builds(
        contact,
        PEOPLE,
        DAYS,
        some.sampled_from(["ads", "email", "site", "store"]),
        some.sampled_from(["sent", "opened", "clicked", "page_view", "visit", "redeemed", "survey", "bounced"]),
        campaign=some.sampled_from([None, "spring", "csat"]),
        reference=some.sampled_from([None, "l1"]),
        value=some.sampled_from([None, 0.0, 3.0, 5.0, 9.0, 10.0]),
    ),
    max_size=30,
).map(lambda rows: contacts(*rows))
some_orders = some.lists(
    some.tuples(PEOPLE, DAYS, some.sampled_from(["site", "store"]), some.integers(0, 10_000).map(float)), max_size=15
).map(lambda rows: orders(*(order(*row, name=f"o{number:02}") for number, row in enumerate(rows))))
some_members = some.sampled_from([members(), members(aigul="vip"), members(aigul="vip", boris="vip", viktor="new")])
