"""The `keruen` command. Each group of commands has its file in `dagster_project/commands`."""

import typer

from dagster_project.commands import connectors, hub, order, person, plans, privacy, quarantine, sandbox, segment

app = typer.Typer(
    name="keruen",
    help="The omnichannel hub for retailers: pull, map, decide, plan, push, explain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

for command in (
    hub.up,
    hub.sync,
    plans.plan,
    plans.approve,
    plans.reject,
    plans.undo,
    hub.explain,
    hub.status,
    hub.sql,
    hub.schema,
):
    app.command()(command)
app.add_typer(order.app, name="order", help="What only a person may ask of an order: cancel it or a part, goods came.")
person.app.add_typer(privacy.person)
app.add_typer(person.app, name="person", help="Who is who: look, merge, split, take back, pin, review, forget.")
app.add_typer(quarantine.app, name="quarantine", help="Records set aside: look, replay after a fix, drop.")
app.add_typer(segment.app, name="segment", help="Who belongs where: look, try, activate.")
app.add_typer(privacy.consent, name="consent", help="What people agreed to: look, keep what one said.")
app.add_typer(privacy.app, name="privacy", help="Duties of the law: demands to be forgotten, and terms of keeping.")
app.add_typer(connectors.app, name="connectors", help="Installed connectors, their problems, and making your own.")
app.add_typer(sandbox.app, name="sandbox", help="The vendors on loopback, with switchable faults.")

if __name__ == "__main__":
    app()
