"""Contacts, carts and points from their records to the store."""

from collections.abc import Sequence
from typing import Any, cast

from dagster_project.steps.goods import row
from dagster_project.steps.mapping import Pass, Rows, Said
from dagster_project.steps.people.erased import make_nameless, turn_away
from dagster_project.store import quarantine
from dagster_project.store.goods import Put
from dagster_project.store.people import contacts
from dagster_project.store.quarantine import Aside
from mappings.canonical import Cart


def contact_rows(work: Pass, said: Sequence[Said]) -> Rows:
    return {"contact_event": [row(one) for one in said]}


def put_contacts(work: Pass) -> Put:
    turn_away(work, "contact_event")
    return contacts.put_contacts(work.db, work.values)


def cart_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """Heads and lines. A cart two of whose lines have the same number is set aside."""
    heads: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for one in said:
        cart = cast(Cart, one.record)
        if len({line.line for line in cart.lines}) < len(cart.lines):
            twice = Aside(one.row.id, "cart", "duplicate_line", "two of its lines have the same number")
            quarantine.add(work.db, [twice])
            continue
        heads.append(row(one))
        lines += [{**line.__dict__, "external_id": cart.external_id, "seq": one.row.id} for line in cart.lines]
    return {"cart": heads, "cart_line": lines}


def put_carts(work: Pass) -> Put:
    turn_away(work, "cart")
    return contacts.put_carts(work.db, work.values)


def point_rows(work: Pass, said: Sequence[Said]) -> Rows:
    return {"loyalty_entry": [row(one) for one in said]}


def put_points(work: Pass) -> Put:
    """Counts the holders who have spent more than they had as `negative`."""
    make_nameless(work, "loyalty_entry")
    put = contacts.put_points(work.db, work.values)
    work.counts["negative"] += contacts.overdrawn(work.db, work.values)
    return put
