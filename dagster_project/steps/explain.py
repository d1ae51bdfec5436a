"""Why a SKU or an order is as it is: every hop from the source's record to what a channel showed.

A hop is `{hop, at, connection, detail}`; hops stand in the order of their moments. Nothing personal is told: of an
order its number, sums and statuses, of a buyer nothing. A person is told by `people.explain_person`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project.steps.explain_sql import HOPS_OF_LEDGER, HOPS_OF_ORDER, HOPS_OF_SKU
from dagster_project.steps.people.explain_person import explain_person
from dagster_project.store import claims
from dagster_project.store.people import verdicts

Kind = Literal["sku", "order", "person"]
ORDER = ("source", "mapping", "position", "decision", "guard", "request", "reply", "read-back")
"""Hops of the same moment are told in this order."""

_ORDERS = text("""
select connection || ':' || external_id from canonical."order"
where connection || ':' || external_id = :id or number = :id or external_id = :id
order by placed_at desc
""")
_KNOWN = text("""
select exists (select from canonical.product where sku = :id) or exists (select from canonical.listing where sku = :id)
    or exists (select from ledger.item where subject = :id and capability in ('stock.push', 'price.push'))
    or exists (select from canonical.stock_level where sku = :id)
""")


def explain(engine: Engine, subject: str, *, kind: str | None = None, connection: str | None = None) -> dict[str, Any]:
    """`{kind, id, hops}` of a SKU; of an order by its number, the channel's id, or `connection:id`; or of a person.

    `connection`: only the hops of that one. Raises ConfigError for what nobody knows, and for a number that several
    orders bear.
    """
    if kind not in (None, "sku", "order", "person"):
        raise ConfigError(f"there is nothing to tell of a {kind!r}: ask for `sku ID`, `order ID` or `person ID`")
    with engine.connect() as db:
        found, name = _found(db, subject, kind)
        if found != "person":
            queries = HOPS_OF_SKU if found == "sku" else HOPS_OF_ORDER
            hops = _with_file_names(db, list(_hops(db, [*queries, *HOPS_OF_LEDGER], _names(found, name))))
    if found == "person":
        return explain_person(engine, name, connection)
    chosen = [hop for hop in hops if connection in (None, hop["connection"])]
    return {"kind": found, "id": name, "hops": sorted(chosen, key=_moment)}


def _found(db: Database, subject: str, kind: str | None) -> tuple[Kind, str]:
    if kind in (None, "sku") and db.execute(_KNOWN, {"id": subject}).scalar_one():
        return "sku", subject
    orders = list(db.execute(_ORDERS, {"id": subject}).scalars()) if kind in (None, "order") else []
    if subject in orders or len(orders) == 1:
        return "order", subject if subject in orders else orders[0]
    if orders:
        raise ConfigError(f"{len(orders)} orders are called {subject!r}: name one of {', '.join(orders[:5])}")
    if kind == "person" or (kind is None and verdicts.person(db, subject)):
        return "person", subject
    raise ConfigError(f"nothing is known of {subject!r}: no product, listing, order or person has this id")


def _names(kind: Kind, name: str) -> dict[str, Any]:
    connection, _, external_id = name.partition(":")
    capabilities = ["stock.push", "price.push"] if kind == "sku" else ["order.push", "order.status"]
    return {"id": name, "connection": connection, "external_id": external_id, "capabilities": capabilities}


def _hops(db: Database, queries: Sequence[str], names: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for query in queries:
        for row in db.execute(text(query), names):
            at = row.at.astimezone(UTC) if isinstance(row.at, datetime) else None
            yield {"hop": row.hop, "at": at and at.isoformat(), "connection": row.connection, "detail": row.detail}


def _with_file_names(db: Database, hops: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A record that stood in a file is told by the file's name: its key is a hash that says nothing to a person."""
    told = f"{claims.FILES} "
    drops = {hop["connection"] for hop in hops if hop["hop"] == "source" and hop["detail"].startswith(told)}
    names = {digest: one.name for drop in drops for digest, one in claims.known(db, drop).items()}
    return [{**hop, "detail": _named(hop["detail"], told, names)} for hop in hops]


def _named(detail: str, told: str, names: Mapping[str, str]) -> str:
    digest, comma, rest = detail.removeprefix(told).partition(",")
    return f"{told}{names[digest]}{comma}{rest}" if detail.startswith(told) and digest in names else detail


def _moment(hop: Mapping[str, Any]) -> tuple[str, int]:
    return hop["at"] or "", ORDER.index(hop["hop"])
