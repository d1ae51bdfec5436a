"""What is read from Satu.kz: orders, products and clients. There are no webhooks, so everything is polled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.satu.api import walk
from connectors.satu.config import SatuConfig
from connectors.satu.mapping import moment
from connectors.sdk import Page, Record, Since

OVERLAP = timedelta(hours=6)
"""The zone of the filters is not documented: each poll goes some hours back (contract satu, 2)."""


def filter_time(at: datetime, zone: str) -> str:
    """`YYYY-MM-DDTHH:MM:SS`. Milliseconds, `Z` or an offset silently give zero orders (contract satu, 2)."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")


def changed_since(config: SatuConfig, since: Since) -> dict[str, str]:
    """`last_modified_from` for a run that follows another one."""
    if since.first:
        return {}
    assert since.value is not None
    return {"last_modified_from": filter_time(datetime.fromisoformat(since.value), config.timezone)}


def orders(config: SatuConfig, since: Since) -> Iterator[Page]:
    """Orders, newest first; after the first run, those changed since, which is how moves of old orders are seen."""
    created = {"date_from": filter_time(since.now - since.backfill, config.timezone)} if since.first else {}
    for rows in walk(config, "orders/list", "orders", {**created, **changed_since(config, since)}):
        yield Page(rows, cursor=newest(rows, config))


def products(config: SatuConfig, since: Since) -> Iterator[Page]:
    """Products as listed, newest first: the listing that read-back compares with."""
    for rows in walk(config, "products/list", "products", changed_since(config, since)):
        yield Page(rows, cursor=since.now.astimezone(UTC).isoformat())


def clients(config: SatuConfig, since: Since) -> Iterator[Page]:
    """Buyers with all their phones and e-mails. There is no filter by change: every run reads them all."""
    for rows in walk(config, "clients/list", "clients", {}):
        yield Page(rows)


def newest(rows: list[Record], config: SatuConfig) -> str:
    """The latest change of a page as a UTC instant: notations differ between rows, so they are not compared as text."""
    return max(moment(row.get("date_modified") or row["date_created"], config) for row in rows).isoformat()


def listed(reply: Any, items: str, item: str, mark: str) -> list[Record] | None:
    """Records of a saved reply: a list answer, a single one, or a bare record that has the field `mark`."""
    if not isinstance(reply, dict):
        return None
    if isinstance(reply.get(items), list):
        return list(reply[items])
    if isinstance(reply.get(item), dict):
        return [reply[item]]
    return [reply] if mark in reply and "id" in reply else None
