"""Plans: see what would be written, release or refuse what was held, take a push back."""

import getpass
from collections.abc import Callable
from typing import Annotated, Any

import typer
from sqlalchemy import Engine, text

from dagster_project import clock
from dagster_project.commands.output import out, print_json, print_rows, says_who_must_act
from dagster_project.connections import load
from dagster_project.steps import approve as decisions
from dagster_project.steps.decide import preview
from dagster_project.store.approvals import Decided
from dagster_project.store.database import migrate, running_store

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Rows = Annotated[list[str] | None, typer.Option("--rows", help="Only these subjects; may be given several times.")]
Why = Annotated[str, typer.Option(help="Kept in the ledger beside who decided.")]


@says_who_must_act
def plan(
    connection: Annotated[str | None, typer.Argument(help="One connection; none: all.")] = None,
    capability: Annotated[str | None, typer.Option(help="One capability, e.g. price.push.")] = None,
    held: Annotated[
        bool, typer.Option("--held", help="Stored plans that wait for a person, with their numbers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What would be written now, with old and new values and reasons; writes nothing anywhere.

    Example: keruen plan site --capability price.push
    """
    with running_store() as engine:
        migrate(engine)
        if held:
            print_rows(_held(engine, connection, capability), as_json=as_json, empty="no plan waits for a person")
            return
        hub, rows = load(), []
        for one in [hub[connection]] if connection else hub.connections.values():
            for name in one.capabilities:
                if capability in (None, name):
                    rows.extend(preview(engine, hub, one, name, now=clock.now()))
        print_rows(rows, as_json=as_json, empty="nothing would be written")


_HELD = text("""
select plan, connection, capability, state, reason, rows, held, created_at from ledger.plan
where (state = 'held' or held > 0) and connection = coalesce(:connection, connection)
  and capability = coalesce(:capability, capability)
order by plan
""")


def _held(engine: Engine, connection: str | None, capability: str | None) -> list[dict[str, Any]]:
    with engine.connect() as store:
        found = store.execute(_HELD, {"connection": connection, "capability": capability})
        return [dict(row) for row in found.mappings()]


@says_who_must_act
def approve(
    plan: Annotated[int, typer.Argument(help="Number of a held plan.")], rows: Rows = None, why: Why = ""
) -> None:
    """Release a held plan, or some of its rows; delivery follows in `keruen up` or with the next `keruen sync`.

    Example: keruen approve 17 --rows KR00017B --why "new season price"
    """
    _decided(decisions.approve, "released", plan, rows, why)


@says_who_must_act
def reject(
    plan: Annotated[int, typer.Argument(help="Number of a held plan.")], rows: Rows = None, why: Why = ""
) -> None:
    """Refuse a held plan, or some of its rows.

    Example: keruen reject 17 --why "typing error in the price list"
    """
    _decided(decisions.reject, "rejected", plan, rows, why)


def _decided(decision: Callable[..., Decided], word: str, plan: int, rows: list[str] | None, why: str) -> None:
    with running_store() as engine:
        migrate(engine)
        done = decision(engine, plan, rows, who=getpass.getuser(), why=why, now=clock.now())
    out.print(f"plan {plan}: {word} {done}")


@says_who_must_act
def undo(
    plan_or_run: Annotated[str, typer.Argument(help="Number of a plan, or id of a Dagster run.")], as_json: Json = False
) -> None:
    """Plan the way back to the last good values; rows that changed since are listed and left alone.

    Example: keruen undo 17
    """
    with running_store() as engine:
        migrate(engine)
        rows = decisions.undo(engine, load(), plan_or_run, who=getpass.getuser(), now=clock.now())
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, as_json=False, empty="there is nothing to undo: no row of it reached a channel")
