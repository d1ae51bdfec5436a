"""Plans: see what would be written, release or refuse what was held, take a push back."""

import getpass
import shlex
from typing import Annotated, Any

import typer
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project import clock
from dagster_project.commands.output import out, print_json, print_rows, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import Hub, load
from dagster_project.steps import approve as decisions
from dagster_project.steps.decide import preview
from dagster_project.steps.files.read import approve_file, held_files, reject_file
from dagster_project.store.claims import Claim

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Rows = Annotated[list[str] | None, typer.Option("--rows", help="Only these subjects; may be given several times.")]
FILE = "file:"
Held = Annotated[str, typer.Argument(metavar="PLAN", help="What `keruen plan --held` shows: a number, or file:HASH.")]
Why = Annotated[str, typer.Option(help="Kept in the ledger beside who decided.")]


@says_who_must_act
def plan(
    connection: Annotated[str | None, typer.Argument(help="One connection; none: all.")] = None,
    capability: Annotated[str | None, typer.Option(help="One capability, e.g. price.push.")] = None,
    held: Annotated[
        bool, typer.Option("--held", help="Stored plans and files that wait for a person, with their numbers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What would be written now, with old and new values and reasons; writes nothing anywhere.

    Example: keruen plan site --capability price.push
    """
    with hub_store() as engine:
        if held:
            waiting = _held(engine, load(), connection, capability)
            print_rows(waiting, as_json=as_json, empty="no plan waits for a person")
            if not as_json:
                _tell_missing(engine, connection, capability)
            return
        hub, rows = load(), []
        for one in [hub[connection]] if connection else hub.connections.values():
            for name in one.capabilities:
                if capability in (None, name):
                    rows.extend(preview(engine, hub, one, name, now=clock.now()))
        print_rows(rows, as_json=as_json, empty="nothing would be written")


# Rows that a guard of their own holds wait in a released plan too, and after a held one was released.
_HELD = text("""
select p.plan, p.connection, p.capability, case p.state when 'held' then 'held' else 'partly held' end as state,
       coalesce(nullif(concat_ws('; ', case p.state when 'held' then p.reason end, by_guard.words), ''), p.reason)
         as reason, p.rows, p.held, p.created_at
from ledger.plan p cross join lateral (
  select string_agg(guard || ' (' || rows || ')', ', ' order by guard) as words from (
    select o.guard, count(*) as rows from ledger.outbox o
    where o.connection = p.connection and o.capability = p.capability and o.plan = p.plan and o.state = 'held'
      and o.guard is not null
    group by o.guard) each_guard) by_guard
where (p.state = 'held' or p.held > 0) and p.connection = coalesce(:connection, p.connection)
  and p.capability = coalesce(:capability, p.capability)
order by p.plan
""")


def _held(engine: Engine, hub: Hub, connection: str | None, capability: str | None) -> list[dict[str, Any]]:
    with engine.connect() as store:
        found = store.execute(_HELD, {"connection": connection, "capability": capability})
        plans = [dict(row) for row in found.mappings()]
    files = [] if capability else held_files(engine, hub)
    return [*plans, *(_held_file(name, claim) for name, claim in files if connection in (None, name))]


_MISSING = text("""
select connection, capability, count(*) as rows, min(subject) as first,
       (array_agg(reason order by subject))[1] as reason
from ledger.item
where state = 'held' and desired is null and connection = coalesce(:connection, connection)
  and capability = coalesce(:capability, capability)
group by 1, 2 order by 1, 2
""")


def _tell_missing(engine: Engine, connection: str | None, capability: str | None) -> None:
    """Rows that no approval can release: there is nothing to send until what they lack arrives, or a person decides."""
    with engine.connect() as store:
        for row in store.execute(_MISSING, {"connection": connection, "capability": capability}):
            word = " or you decide with `keruen order`" if row.capability.startswith("order.") else ""
            out.print(
                f"{row.connection} {row.capability}: {row.rows} held, nothing to approve until what they lack arrives"
                f"{word}. The first, {row.reason}: keruen explain {shlex.quote(row.first)}",
                markup=False,
            )


def _held_file(connection: str, claim: Claim) -> dict[str, Any]:
    """A file that would remove too much, as a row among the plans."""
    reason = f"{claim.name}: {claim.reason}"
    return {"plan": f"{FILE}{claim.hash[:12]}", "connection": connection, "capability": None, "state": claim.state,
            "reason": reason, "rows": claim.rows, "held": claim.rows, "created_at": claim.landed_at}  # fmt: skip


@says_who_must_act
def approve(plan: Held, rows: Rows = None, why: Why = "") -> None:
    """Release a held plan, or some of its rows; delivery follows in `keruen up` or with the next `keruen sync`.

    Example: keruen approve 17 --rows KR00017B --why "new season price"
    """
    with hub_store() as engine:
        if plan.startswith(FILE):
            report = approve_file(engine, load(), plan.removeprefix(FILE), who=getpass.getuser(), now=clock.now())
            out.print(f"{report.name}: {report.state}, {report.stored} of {report.read} lines stored", markup=False)
        else:
            done = decisions.approve(engine, _number(plan), rows, who=getpass.getuser(), why=why, now=clock.now())
            out.print(f"plan {plan}: released {done}")
            if done.rows:
                out.print(_when_it_leaves(engine, load(), _number(plan)), markup=False)


def _when_it_leaves(engine: Engine, hub: Hub, plan: int) -> str:
    """When the channel is told of what was released of a plan, and what stays to be waited for."""
    with engine.connect() as store:
        queue = store.execute(text("select connection, capability from ledger.plan where plan = :plan"), {"plan": plan})
        name, capability = queue.one()
    leaves = "It leaves with the next `keruen sync`, or by itself where `keruen up` runs."
    spec = hub.connections[name].spec if name in hub.connections else None
    if spec and capability in spec.capabilities and spec.sink(capability).mode == "snapshot":
        return f"{leaves} {name} fetches it as a feed: it is pending until {name} has fetched the new one."
    return leaves


@says_who_must_act
def reject(plan: Held, rows: Rows = None, why: Why = "") -> None:
    """Refuse a held plan, or some of its rows.

    Example: keruen reject 17 --why "typing error in the price list"
    """
    with hub_store() as engine:
        if plan.startswith(FILE):
            reject_file(engine, load(), plan.removeprefix(FILE), who=getpass.getuser(), now=clock.now())
            out.print(f"{plan}: rejected")
        else:
            done = decisions.reject(engine, _number(plan), rows, who=getpass.getuser(), why=why, now=clock.now())
            out.print(f"plan {plan}: rejected {done}")


def _number(plan: str) -> int:
    if not plan.isdecimal():
        raise ConfigError(f"{plan!r} is neither a plan's number nor {FILE}HASH; `keruen plan --held` lists both")
    return int(plan)


@says_who_must_act
def undo(
    plan_or_run: Annotated[str, typer.Argument(help="Number of a plan, or id of a Dagster run.")], as_json: Json = False
) -> None:
    """Plan the way back to the last good values; rows that changed since are listed and left alone.

    Example: keruen undo 17
    """
    with hub_store() as engine:
        rows = decisions.undo(engine, load(), plan_or_run, who=getpass.getuser(), now=clock.now())
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, as_json=False, empty="there is nothing to undo: no row of it reached a channel")
