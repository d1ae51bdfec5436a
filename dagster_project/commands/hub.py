"""Running the hub and asking it: up, sync, status, explain, sql, schema."""

from typing import Annotated, Any

import psycopg
import typer
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project import clock
from dagster_project.commands.looking import looked, without_words
from dagster_project.commands.output import err, out, print_json, print_rows, progress, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import configured
from dagster_project.connections import schema as connections_schema
from dagster_project.home import home, sole_up
from dagster_project.steps import explain as explaining
from dagster_project.steps.people.segments import stopped
from dagster_project.steps.status import status as ledger_status
from dagster_project.steps.status import unconfigured
from dagster_project.steps.sync import Report
from dagster_project.steps.sync import sync as sync_hub
from dagster_project.store.database import migrate, running_store
from dagster_project.store.people import access

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@says_who_must_act
def up(
    demo: Annotated[
        bool, typer.Option(help="Start the sandboxes, an invented shop in them, and sync it first.")
    ] = False,
    people: Annotated[
        bool, typer.Option(help="With --demo: also a CRM, letters, ads and a bot; the first sync then takes minutes.")
    ] = False,
    once: Annotated[bool, typer.Option(help="With --demo: stop after the first sync.")] = False,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    feed_port: Annotated[int, typer.Option(help="Port of the feed server.")] = 3001,
) -> None:
    """Start the store, Dagster and the feed server on 127.0.0.1; Ctrl-C stops everything.

    Example: keruen up --port 3005
    """
    from dagster_project import demo as demonstration
    from dagster_project.store.database import stop as stop_store
    from dagster_project.up import dagster, feeds, require_free, serve, until_told

    if once and not demo:
        raise ConfigError("--once belongs to --demo; a single pass over your connections is `keruen sync`.")
    with until_told(), sole_up(home()):
        if not once:
            require_free(port, "--port")
        require_free(feed_port, "--feed-port")
        try:
            if demo:
                demonstration.clean_slate()
            else:
                demonstration.refuse_demo_home()
            with demonstration.stage(demo, feed_port, people) as opened, running_store() as engine:
                migrate(engine)
                stage = opened()
                if demo:
                    report = demonstration.first_sync(engine)
                    _tell(report)
                    if once:
                        raise typer.Exit(demonstration.verdict(engine, report))
                with feeds(feed_port) as feed_url, dagster(port) as running:
                    out.print(demonstration.page(port, feed_url, stage) if demo else _where(port, feed_url))
                    serve(running)
                    out.print("Stopping.")
        finally:
            stop_store()


def _where(port: int, feeds: str) -> str:
    return f"Dagster: http://127.0.0.1:{port}   feeds: {feeds}/<connection>.xml   Ctrl-C stops everything."


@says_who_must_act
def sync(
    connections: Annotated[list[str] | None, typer.Argument(help="Connections to work on; none: all.")] = None,
    full: Annotated[
        bool, typer.Option(help="Read everything, not only what changed, find deletions, look at every day of marts.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Extract, map, decide, plan and deliver once, in this process.

    Example: keruen sync site --full
    """
    hub = configured()
    with hub_store() as engine, progress("sync") as tell:
        report = sync_hub(engine, hub, connections or (), clock=clock.now, full=full, progress=tell)
    if as_json:
        print_json(report.as_json())
    else:
        _tell(report)
    if report.errors:
        for error in report.errors:
            err.print(error, style="red", markup=False)
        raise typer.Exit(1)


def _tell(report: Report) -> None:
    lines = report.as_json()
    print_rows(lines["resources"], as_json=False, empty="connections.yaml names no connection to read")
    if lines["capabilities"]:
        print_rows(lines["capabilities"], as_json=False)
    if any(part.quarantined for part in report.resources):
        out.print("Some records are set aside, with their reasons: keruen quarantine list")
    if any(part.held for part in (*report.resources, *report.capabilities)):
        out.print("Something waits for a person: keruen plan --held")
    elif not report.errors and report.idle:
        out.print("Nothing changed; nothing was written.")


@says_who_must_act
def status(as_json: Json = False) -> None:
    """The conservation table: for each channel and capability, how many subjects are in which state.

    Segments that must be mended are told of on standard error; the exit code is then 1.

    Example: keruen status --json
    """
    hub = configured()
    with hub_store() as engine:
        print_rows(ledger_status(engine, hub), as_json=as_json, empty="nothing is pushed anywhere yet")
        for name in unconfigured(engine, hub):
            err.print(_UNCONFIGURED.format(name), style="yellow", markup=False)
        wrong = stopped(engine, hub)
    for why in wrong.values():
        err.print(why, style="red", markup=False)
    if wrong:
        raise typer.Exit(1)


_UNCONFIGURED = (
    "{0} is in the store and not in connections.yaml. If it was only renamed, give it the name {0} again: under "
    "another one all its records count as new, beside those there are. If it is gone for good, what it told stays."
)


@says_who_must_act
def explain(
    subject: Annotated[list[str], typer.Argument(help="[sku|order|person] ID")],
    connection: Annotated[str | None, typer.Option(help="Only this connection's hops.")] = None,
    as_json: Json = False,
) -> None:
    """Every hop of a SKU or an order, from the source's record to the read-back; or a person's whole story.

    Example: keruen explain sku KR00017B --connection site
    """
    kind, name = (None, subject[0]) if len(subject) == 1 else (subject[0], subject[1])
    with hub_store() as engine:
        story = explaining.explain(engine, name, kind=kind, connection=connection)
        if story["kind"] == "person":
            fields = {hop["hop"] for hop in story["hops"]}
            looked(engine, "explain person", "timeline", fields, rows=len(story["hops"]), persons=[story["id"]])
    if as_json:
        print_json(story)
        return
    out.print(f"[bold]{story['kind']} {story['id']}[/]")
    for hop in story["hops"]:
        out.print(f"{hop['at'] or '':32} {hop['hop']:<12} {hop['connection'] or '':<16} {hop['detail']}", markup=False)


@says_who_must_act
def sql(
    query: Annotated[str, typer.Argument(help="A query; it can read and cannot write.")],
    open_: Annotated[
        bool, typer.Option("--open", help="Show sealed contacts in clear text; who looked is written down.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A read-only query on the store.

    Example: keruen sql "select state, count(*) from ledger.item group by state"
    """
    with hub_store() as engine:
        rows = _read_only(engine, query)
        if open_:
            with engine.connect() as db:
                rows, fields = access.opened(db, rows)
            persons = {row["person_id"] for row in rows if row.get("person_id")}
            looked(engine, "sql --open", without_words(query), fields, rows=len(rows), persons=persons)
    print_rows(rows, as_json=as_json, empty="no rows")


def _read_only(engine: Engine, query: str) -> list[dict[str, Any]]:
    """Prepared, so that it is one statement and cannot leave the transaction that forbids writing."""
    with engine.connect() as connection:
        connection.execute(text("set transaction read only"))
        try:
            cursor = connection.connection.driver_connection.execute(query, prepare=True)
        except psycopg.Error as error:
            raise ConfigError(f"the query cannot run: {str(error).splitlines()[0]}") from None
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in (cursor.fetchall() if names else ())]


def schema() -> None:
    """JSON Schema of connections.yaml, for editors.

    Example: keruen schema > connections.schema.json
    """
    print_json(connections_schema())
