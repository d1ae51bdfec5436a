"""One decision: what a channel should show of some subjects, what of that differs, which rows and plans must wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database
from sqlalchemy import text

from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps import desired, order_wishes
from dagster_project.steps.freshness import stale_inputs
from dagster_project.steps.judge import guarded, reasons
from dagster_project.steps.people import buyers, memberships
from dagster_project.steps.slices import Slice
from dagster_project.store.ledger import Queue
from mappings.sync.diff import Faced, moved
from mappings.sync.plan import Circumstances, enough_shown, held
from mappings.sync.values import as_json

VARIANTS = {"stock.push": desired.stock, "price.push": desired.price}
ORDERS = {"order.status": order_wishes.statuses, "order.push": order_wishes.copies}
PEOPLE = {"segment.push": memberships.memberships, "customer.push": buyers.buyers}
DECIDED = (*VARIANTS, *ORDERS, *PEOPLE)
SENT = pa.array(["send", "withdraw"])


@dataclass(frozen=True)
class Case:
    """A capability of a connection, about the subjects of a slice. `causes`: subject → what made it dirty."""

    hub: Hub
    connection: Connection
    capability: str
    slice: Slice
    now: datetime
    causes: Mapping[str, str] = field(default_factory=dict)

    @property
    def queue(self) -> Queue:
        return Queue(self.connection.name, self.capability)

    @property
    def sink(self) -> Sink:
        assert self.connection.spec is not None
        return self.connection.spec.sink(self.capability)

    @property
    def about_variants(self) -> bool:
        return self.capability in VARIANTS


@dataclass(frozen=True)
class Verdict:
    """`rows`: what moves, as `mappings.sync.diff` gives it, with `because` and `guard`; `at_once`, where there is such
    a column, is what must not wait for anybody. `held`: why the plan waits."""

    rows: pa.Table
    held: str | None

    @property
    def parts(self) -> tuple[bool, bool]:
        """Whether something must go at once, and whether something may wait."""
        going = pc.is_in(self.rows["action"], SENT)
        if "at_once" not in self.rows.column_names:
            return False, bool(pc.any(going).as_py())
        at_once = self.rows["at_once"]
        return bool(pc.any(pc.and_(going, at_once)).as_py()), bool(pc.any(pc.and_not(going, at_once)).as_py())


def judge(db: Database, case: Case) -> Verdict:
    """Nothing is written. Inside `planning` nobody else moves the rows meanwhile."""
    rows = moved(_faced(case))
    if case.about_variants:
        about = as_json({"currency": case.hub.entry.currency})
        said = {"external_id": None, "because": None, "about": about}
        for name, value in said.items():
            rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), rows.num_rows))
    rows, shows = _delayed(case, rows)
    shown = _shown(db, case, pc.sum(shows).as_py() or 0)
    guard = pa.array(guarded(rows, case.connection, case.capability, shown), pa.string())
    because = pa.array(reasons(rows, case.connection, case.capability, case.causes), pa.string())
    rows = rows.set_column(rows.column_names.index("because"), "because", because).append_column("guard", guard)
    changed = pc.sum(pc.and_(shows, pc.is_null(guard))).as_py() or 0
    return Verdict(rows.filter(pc.invert(_held_already(rows))), held(_circumstances(db, case, changed, shown)))


def _delayed(case: Case, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
    """The rows, `at_once` narrowed to removals that leave now, and which of them the guards count as changes: what
    replaces something shown; of audiences only who would leave, for another one too, and was not made to by a refusal.
    """
    replaced = pc.and_(pc.is_in(rows["action"], SENT), pc.is_valid(rows["was"]))
    if "at_once" not in rows.column_names:
        return rows, replaced
    withdrawn = pc.equal(rows["action"], "withdraw")
    leaving = pc.or_(withdrawn, pc.fill_null(pc.starts_with(rows["becomes"], '{"member": false'), False))
    at_once = pc.and_(withdrawn, rows["at_once"])
    rows = rows.set_column(rows.column_names.index("at_once"), "at_once", at_once)
    return rows, pc.and_(replaced, pc.and_not(leaving, at_once))


def _faced(case: Case) -> Faced:
    if case.capability in PEOPLE:
        return PEOPLE[case.capability](case.hub, case.connection, case.queue, case.slice, case.now)
    if not case.about_variants:
        return ORDERS[case.capability](case.hub, case.connection, case.queue, case.slice)
    wanted = VARIANTS[case.capability](case.hub, case.connection, case.sink, case.slice, case.now)
    items = case.slice.confirmed(case.queue)
    all_confirmed = items.num_rows - items["acknowledged"].null_count >= wanted.num_rows
    observed = None if all_confirmed else case.slice.observed(case.queue)
    return Faced(wanted, items, case.slice.restless(case.queue), observed)


def _held_already(rows: pa.Table) -> pa.Array:
    """Rows that wait for a person by the guard that would hold them now, for the same value."""
    same = pc.or_(pc.fill_null(pc.equal(rows["last"], rows["becomes"]), False), pc.equal(rows["action"], "withdraw"))
    waits = pc.and_(pc.equal(rows["outbox"], "held"), same)
    return pc.fill_null(pc.and_(waits, pc.equal(rows["guard"], rows["reason"])), False)


_SHOWN = """
select count(*) from (
  select from ledger.item
  where connection = :connection and capability = :capability and {shown} limit :enough
) shown
"""
_IN_AUDIENCE = "acknowledged ->> 'member' = 'true'"
_RELEASED = text("""
select exists (select from ledger.plan
               where connection = :connection and capability = :capability and state = 'released')
""")


def _shown(db: Database, case: Case, changing: int) -> int:
    """Rows that the channel shows, counted as far as the guards must know: the cost follows the changes."""
    enough = enough_shown(changing, case.connection.guards.share)
    shown = _IN_AUDIENCE if case.capability == "segment.push" else "acknowledged is not null"
    query = text(_SHOWN.format(shown=shown))
    return int(db.execute(query, {**case.queue._asdict(), "enough": enough}).scalar_one()) if enough else 0


def _circumstances(db: Database, case: Case, changed: int, shown: int) -> Circumstances:
    push, guards = case.connection.entry.push, case.connection.guards
    released = bool(db.execute(_RELEASED, case.queue._asdict()).scalar_one())
    # The first plan is `first`'s affair: it changes everything by nature. Orders come and move in any number.
    share = guards.share if released and case.capability not in ORDERS else None
    mode = case.connection.mode(case.capability)
    delta_price = case.capability == "price.push" and case.sink.mode == "delta"
    stale = (
        stale_inputs(case.slice.engine, case.hub, (case.capability,), guards.fresh, now=case.now) if delta_price else ()
    )
    return Circumstances(changed, shown, share, stale, not released and push.first != "auto", mode == "approve")
