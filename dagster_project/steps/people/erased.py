"""What a later load meets of somebody who was erased: he is turned away with all he did and said, and his orders and
points come in without him."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from connectors.sdk.spec import Resource
from dagster_project.steps.mapping import Pass
from dagster_project.store import quarantine
from dagster_project.store.people import payloads
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.sealing import MET, opened
from dagster_project.store.quarantine import Aside
from dagster_project.store.transfer import read
from mappings.privacy.forget import Traces, names_of
from mappings.privacy.known_again import WHO, known_again
from mappings.relations import unordered

REASON = "this buyer was erased on demand and is not loaded again; delete the record in its own system"

_OF_KIND = "array(select i.identifier where i.identifier_kind = '{}')"
_IDENTIFIED = {
    "customer": "i.customer",
    "phones": _OF_KIND.format("phone"),
    "emails": _OF_KIND.format("email"),
    "account_id": "case when i.identifier_kind = 'account' then i.identifier end",
}
_TOLD: Mapping[str, Mapping[str, str]] = {
    "customer": {
        "customer": "i.external_id", "refs": "i.refs", "phones": "i.phones", "emails": "i.emails",
        "loyalty_ids": "i.loyalty_ids", "account_id": "i.account_id", "masked": "i.masked",
        **{name: f"i.{name}" for name in ("name", "last_name", "first_name", "middle_name", "address")},
    },
    "order": {
        "customer": "i.customer", "phones": "array_remove(array[i.contact_phone], null)",
        "emails": "array_remove(array[i.contact_email], null)", "name": "i.contact_name",
        "loyalty_ids": "array_remove(array[i.loyalty_id], null)", "address": "i.delivery ->> 'address'",
    },
    "loyalty_entry": {"customer": "i.customer", "loyalty_ids": "array_remove(array[i.loyalty_id], null)"},
    "contact_event": _IDENTIFIED,
    "cart": {"customer": "i.customer"},
    "consent_event": {**_IDENTIFIED, "by_himself": "i.by = 'person'", "at": "i.at"},
}  # fmt: skip
"""Entity → what its rows tell of whom they are about, by a name that all entities share."""
_NAMELESS = {
    "order": "contact_name = null, contact_phone = null, contact_email = null, customer = null, loyalty_id = null, "
    "delivery = delivery - 'address' - 'recipient' - 'comment'",
    "loyalty_entry": "customer = null, loyalty_id = null",
}
"""Facts of accounting, and what of them is the buyer's."""

_SUPPRESSED = """
select identifier_hash as hash, since from privacy.suppression where channel = 'load' and reason = 'erased'
"""
_SINGLE = ("customer", "account_id")
_LISTS = ("refs", "phones", "emails", "loyalty_ids", "masked")
# A mailbox of a marketplace that stands before the buyer's own tells nobody from another.
_WHO = """
select row, 'record' as kind, unnest($systems) || chr(31) || customer as value from told
union all select row, 'record', unnest(refs) from told
union all select row, 'contact', unnest(list_concat(phones, emails, [account_id])) from told
union all select row, 'loyalty', unnest(loyalty_ids) from clear
union all select row, 'account', unnest($systems) || chr(31) || account_id from clear
union all select row, 'email', unnest(emails) from clear where not list_contains(coalesce(masked, []), 'email')
"""


def turn_away(work: Pass, entity: str) -> None:
    """Takes what is of somebody erased out of what comes in. It is counted as set aside, and not a word of it is kept.
    What the person himself agreed to later is no such thing."""
    if met := _met(work, entity):
        if work.db.execute(text("select to_regclass('pg_temp.set_aside') is null")).scalar():
            quarantine.prepare(work.db)
        quarantine.add(work.db, [Aside(one["seq"], entity, "erased", REASON) for one in met])
        places = {"places": [one["place"] for one in met]}
        work.db.execute(text(f"delete from incoming_{entity} where ctid = any(cast(:places as tid[]))"), places)
        _forget_payloads(work, met)


def make_nameless(work: Pass, entity: str) -> None:
    """Orders and points of somebody erased are facts of accounting: they come in without their buyer."""
    if met := _met(work, entity):
        places = {"places": [one["place"] for one in met]}
        statement = f"update incoming_{entity} set {_NAMELESS[entity]} where ctid = any(cast(:places as tid[]))"
        work.db.execute(text(statement), places)
        _forget_payloads(work, met)


def without_buyers(work: Pass, orders: pa.Table) -> pa.Table:
    """The frame of orders, whose `customer` and `loyalty_id` are in clear text, as `make_nameless` would have it."""
    suppressed = _suppressed(work)
    if not suppressed.num_rows:
        return orders
    told = {"row": pa.array(range(orders.num_rows)), "customer": orders["customer"]}
    if "loyalty_id" in orders.column_names:
        cards = pa.array(range(orders.num_rows + 1), pa.int32()), orders["loyalty_id"].combine_chunks()
        told["loyalty_ids"] = pa.ListArray.from_arrays(*cards)
    met = _known(work, pa.table(told), suppressed)["row"]
    erased = pc.is_in(told["row"], met.combine_chunks())
    for name in {"customer", "loyalty_id"} & set(orders.column_names):
        place = orders.column_names.index(name)
        orders = orders.set_column(place, name, pc.if_else(erased, None, orders[name]))
    return orders


# ── who is known again ────────────────────────────────────────────────────────────────────────────────────────────────

Met = Mapping[str, Any]
"""A row that came in of somebody erased, in clear text. `place`: where it stands in the temporary table."""


def _met(work: Pass, entity: str) -> Sequence[Met]:
    suppressed = _suppressed(work)
    if not suppressed.num_rows:
        return []
    told = ", ".join(f"{says} as {name}" for name, says in _TOLD[entity].items())
    rows = read(work.db, f"select i.ctid::text as place, i.seq, {told} from incoming_{entity} i")
    rows = rows.append_column("row", pa.array(range(rows.num_rows)))
    met = _known(work, rows, suppressed)
    found: list[Met] = opened(work.db, MET, rows.take(met["row"])).to_pylist()
    since = met["since"].to_pylist()
    return [
        one
        for one, at in zip(found, since, strict=True)
        if not (one.get("by_himself") and one["at"] and one["at"] > at)
    ]


def _suppressed(work: Pass) -> pa.Table:
    """hash, since of those who were erased; asked once in a load."""
    if "suppressed" not in work.memory:
        work.memory["suppressed"] = read(work.db, _SUPPRESSED)
    told: pa.Table = work.memory["suppressed"]
    return told


def _known(work: Pass, rows: pa.Table, suppressed: pa.Table) -> pa.Table:
    """`row` and `since` of the rows that are of somebody erased. A buyer may be named by the id of another system."""
    empty = {name: pa.nulls(rows.num_rows, pa.string()) for name in _SINGLE}
    empty |= {name: pa.nulls(rows.num_rows, pa.list_(pa.string())) for name in _LISTS}
    told = pa.table({"row": rows["row"]} | {name: _column(rows, name, none) for name, none in empty.items()})
    named = getattr(work.connection.config, "customers_of", None)
    systems = [work.connection.name, *([named] if named else [])]
    who = unordered(_WHO, {"systems": systems}, told=told, clear=opened(work.db, MET, told)).cast(WHO)
    return known_again(who, suppressed, keys().digests)


def _column(rows: pa.Table, name: str, none: pa.Array) -> Any:
    return rows[name] if name in rows.column_names else none


# ── what came with it ─────────────────────────────────────────────────────────────────────────────────────────────────


CARDS_ONLY = frozenset({"customer", "consent_event"})


def card_only(resource: Resource) -> bool:
    """Whether its records are cards and nothing else: what is erased of them is nobody's fact of accounting."""
    return "customer" in resource.maps and CARDS_ONLY.issuperset(resource.maps)


def _forget_payloads(work: Pass, met: Sequence[Met]) -> None:
    """Lines of files lie in the archive, which the next erasure, or its proof, reads."""
    if isinstance(work.resource, Resource):
        for one in met:
            _forget(work.db, work.raw.table, one["seq"], None if card_only(work.resource) else _traces(one))


def _forget(db: Connection, table: str, number: int, traces: Traces | None) -> None:
    """`traces` None: all that the payload says."""
    payload = db.execute(text(f"select payload::text from {table} where id = :id"), {"id": number}).scalar()
    if payload and traces is None:
        payloads.empty(db, table, [(number, payload)])
    elif payload and traces:
        payloads.forget(db, table, [(number, payload)], traces)


def _traces(row: Met) -> Traces:
    texts = names_of(row) | frozenset(filter(None, [row.get("address"), *(row.get("loyalty_ids") or ())]))
    return Traces(frozenset(row.get("phones") or ()), frozenset(row.get("emails") or ()), texts)
