"""`keruen quarantine`: records set aside with a reason."""

from typing import Annotated

import typer

from dagster_project import clock
from dagster_project.commands.looking import looked, shown_fields
from dagster_project.commands.output import out, print_json, print_rows, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import load
from dagster_project.steps.canonical import replay as replay_records
from dagster_project.store import quarantine

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Connection = Annotated[str | None, typer.Option(help="Only this connection's.")]
Rule = Annotated[str | None, typer.Option(help="Only those of this rule.")]
Ids = Annotated[
    list[int] | None, typer.Argument(help="Numbers from `quarantine list`; none: all that match the options.")
]


@app.command("list")
@says_who_must_act
def list_(connection: Connection = None, rule: Rule = None, as_json: Json = False) -> None:
    """What is set aside, newest first.

    Example: keruen quarantine list --rule unknown_value
    """
    with hub_store() as engine:
        rows = quarantine.listed(engine, connection=connection, rule=rule)
    print_rows(rows, as_json=as_json, empty="nothing is set aside")


@app.command()
@says_who_must_act
def show(number: Annotated[int, typer.Argument(help="Number from `quarantine list`.")], as_json: Json = False) -> None:
    """One record with its reason and the payload it came with. The payload may hold a buyer's data.

    Example: keruen quarantine show 12
    """
    with hub_store() as engine:
        record = quarantine.shown(engine, number)
        if payload := record.get("payload"):
            fields = shown_fields(payload) if isinstance(payload, dict) else ["line"]
            looked(engine, "quarantine show", f"{record['connection']}.{record['resource']} {number}", fields)
    if as_json:
        print_json(record)
    else:
        for name, value in record.items():
            out.print(f"{name}: {value}", markup=False)


@app.command()
@says_who_must_act
def replay(ids: Ids = None, connection: Connection = None, rule: Rule = None) -> None:
    """Map records again, after a fix of the mapping, the settings or a binding.

    Example: keruen quarantine replay --rule unbound_variant
    """
    with hub_store() as engine:
        done = replay_records(engine, load(), ids=ids, connection=connection, rule=rule, now=clock.now())
    out.print(f"{done.stored} stored, {done.quarantined} still set aside")


@app.command()
@says_who_must_act
def drop(ids: Ids = None, connection: Connection = None, rule: Rule = None) -> None:
    """Close records for good: they are not needed. They stay in the ledger as dropped, and in raw.

    Example: keruen quarantine drop 12 13
    """
    with hub_store() as engine:
        count = quarantine.drop(engine, ids=ids, connection=connection, rule=rule)
    out.print(f"{count} dropped")
