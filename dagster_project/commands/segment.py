"""`keruen segment`: who belongs where, looked at before anything is sent."""

import getpass
from typing import Annotated

import typer

from dagster_project import clock
from dagster_project.commands.output import out, print_json, print_rows, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import load
from dagster_project.segment_files import fields
from dagster_project.steps.people import membership
from dagster_project.steps.people.due import people_due
from mappings.segments import language
from mappings.segments.registry import operators

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Name = Annotated[str, typer.Argument(help="Name of a segment: that of its file in segments/.")]


@app.command("list")
@says_who_must_act
def list_(
    show_fields: Annotated[
        bool, typer.Option("--fields", help="The fields that conditions may name, instead.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="JSON Schema of a segment's file, for editors.")] = False,
    as_json: Json = False,
) -> None:
    """The segments with their members, and who entered and left today.

    Example: keruen segment list --fields
    """
    if schema:
        print_json(language.schema())
        return
    hub = load()
    if show_fields:
        known = [
            {"field": name, "kind": spec.kind, **spec.title.model_dump(), "operators": ", ".join(operators(spec.kind))}
            for name, spec in fields(hub).items()
        ]
        print_rows(known, as_json=as_json)
        return
    with hub_store() as engine:
        rows = membership.listed(engine, hub, now=clock.now())
    print_rows(rows, as_json=as_json, empty="there is no segment yet; write one in segments/ beside connections.yaml")


@app.command()
@says_who_must_act
def preview(
    name: Name,
    sample: Annotated[int, typer.Option(help="How many persons to show.", min=0)] = membership.SAMPLE,
    as_json: Json = False,
) -> None:
    """Who would be in a segment by its file as it is now, in numbers and a sample; writes nothing.

    Persons are shown by their ids in the hub, not by name.

    Example: keruen segment preview at_risk_vip --sample 20
    """
    with hub_store() as engine:
        found = membership.preview(engine, load(), name, now=clock.now(), sample=sample)
    if as_json:
        print_json(found)
        return
    rows = found.pop("sample")
    print_rows([found], as_json=False)
    print_rows(rows, as_json=False, empty="nobody")


@app.command()
@says_who_must_act
def activate(
    name: Name,
    yes: Annotated[
        bool, typer.Option("--yes", help="Make it live; without it only what would happen is shown.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a segment live: its members go to the channels its file names, through plans, guards and consent.

    Without --yes nothing is changed.

    Example: keruen segment activate at_risk_vip --yes
    """
    with hub_store() as engine:
        hub, now = load(), clock.now()
        found = membership.preview(engine, hub, name, now=now, sample=0)
        if yes:
            people_due(engine, hub, now=now)
            found["members"] = membership.activate(engine, hub, name, who=getpass.getuser(), now=now)
    found.pop("sample")
    if as_json:
        print_json({**found, "activated": yes})
    else:
        print_rows([found], as_json=False)
        out.print(
            f"{name} is live; the next sync plans it for {', '.join(found['shown_to'])}"
            if yes
            else f"nothing was changed; run `keruen segment activate {name} --yes` to make it live",
            markup=False,
        )


@app.command()
@says_who_must_act
def members(
    name: Name,
    past: Annotated[bool, typer.Option("--past", help="Also those who left, with when and why.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """Who is in a segment, since when and why; the newest first, by person id.

    Example: keruen segment members at_risk_vip --past --limit 20
    """
    with hub_store() as engine:
        rows = membership.members(engine, load(), name, past=past, limit=limit)
    print_rows(rows, as_json=as_json, empty="nobody")
