"""Persons: who they are, why, and the word of whoever knows better than the rules."""

import getpass
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from dagster_project import clock
from dagster_project.commands.looking import looked, shown_fields
from dagster_project.commands.output import out, print_json, print_rows, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import load
from dagster_project.steps.people import explain_person, verdicts
from dagster_project.steps.people.verdicts import Desk
from dagster_project.store.people.verdicts import By

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, or connection:id as a system has it.")]
Why = Annotated[str, typer.Option(help="Kept beside who decided.")]


def _desk(engine: Engine, why: str) -> Desk:
    return Desk(engine, load(), By(getpass.getuser(), why, clock.now()))


def _tell(result: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        print_json(result)
    else:
        out.print(words, markup=False)


@app.command()
@says_who_must_act
def show(person: Person, as_json: Json = False) -> None:
    """The golden record, the records behind it, the household and the history; contacts are masked.

    Example: keruen person show crm:1042
    """
    with hub_store() as engine:
        story = explain_person.show(engine, person)
        looked(engine, "person show", "golden record", shown_fields(story["golden"]), persons=[story["person_id"]])
    if as_json:
        print_json(story)
        return
    out.print(f"[bold]person {story['person_id']}[/]")
    told = {name: value for name, value in story["golden"].items() if value not in (None, []) and name != "provenance"}
    sources = story["golden"].get("provenance", {})
    rows = [{"field": name, "value": value, "from": _source(sources.get(name))} for name, value in told.items()]
    print_rows(rows, as_json=False, empty="nothing is known of this person")
    print_rows(story["records"], as_json=False)
    if story["household"]:
        out.print(f"lives with {', '.join(story['household'])}", markup=False)


def _source(said: dict[str, Any] | None) -> str:
    return "" if said is None else ", ".join(filter(None, (said.get("connection"), said.get("rule"))))


@app.command()
@says_who_must_act
def merge(person: Person, other: Person, why: Why = "", as_json: Json = False) -> None:
    """These two are one person, whatever the rules say; `unmerge` takes it back.

    Example: keruen person merge crm:1042 shop:77 --why "she called"
    """
    with hub_store() as engine:
        survivor = verdicts.merge(_desk(engine, why), person, other)
    _tell({"person_id": survivor}, as_json, f"one person now: {survivor}")


@app.command()
@says_who_must_act
def split(
    person: Person,
    record: Annotated[list[str], typer.Argument(help="Records, as connection:id, that are somebody else.")],
    why: Why = "",
    as_json: Json = False,
) -> None:
    """These records are somebody else than the rest of the person.

    Example: keruen person split crm:1042 shop:77 --why "her son"
    """
    with hub_store() as engine:
        people = verdicts.split(_desk(engine, why), person, record)
    _tell({"persons": people}, as_json, f"apart now: {', '.join(people)}")


@app.command()
@says_who_must_act
def unmerge(person: Person, why: Why = "", as_json: Json = False) -> None:
    """Take the last merge into this person back: ids, orders, points and segments are as they were.

    Example: keruen person unmerge crm:1042
    """
    with hub_store() as engine:
        people = verdicts.unmerge(_desk(engine, why), person)
    _tell({"persons": people}, as_json, f"apart again: {', '.join(people)}")


@app.command()
@says_who_must_act
def pin(
    person: Person,
    field: Annotated[str, typer.Argument(help=f"One of {', '.join(verdicts.PINNED)}.")],
    value: Annotated[str | None, typer.Argument(help="The right value; none: the rules decide again.")] = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Set a value of the golden record by hand; it wins until its source says something new.

    Example: keruen person pin crm:1042 city Алматы
    """
    with hub_store() as engine:
        pinned = verdicts.pin(_desk(engine, why), person, field, value)
    _tell({"person_id": pinned, "field": field}, as_json, f"{field} of {pinned}: {'pinned' if value else 'unpinned'}")


@app.command()
@says_who_must_act
def review(
    limit: Annotated[int, typer.Option(min=1, help="At most so many pairs, the likeliest first.")] = 20,
    after: Annotated[
        tuple[str, str] | None, typer.Option(help="The next page: the last pair of this one, connection:id each.")
    ] = None,
    same: Annotated[tuple[str, str] | None, typer.Option(help="Two records, connection:id each, that are one.")] = None,
    apart: Annotated[tuple[str, str] | None, typer.Option(help="Two records that are two people.")] = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Pairs that may be one person, with the evidence in bits; contacts are masked.

    Example: keruen person review --limit 5 --after crm:1042 shop:77
    """
    with hub_store() as engine:
        desk = _desk(engine, why)
        if same:
            verdicts.merge(desk, *same)
        if apart:
            verdicts.keep_apart(desk, *apart)
        rows = explain_person.review(engine, most=limit, after=after)
        looked(engine, "person review", "review queue", REVIEWED, rows=len(rows), persons=_named(engine, rows))
    print_rows(rows, as_json=as_json, empty="nothing waits for a person's eye")


REVIEWED = ("birth_date", "city", "name")
"""What the queue shows of both; contacts are masked."""


def _named(engine: Engine, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    with engine.connect() as db:
        return {verdicts.known(db, row[name]) for row in rows for name in ("one", "other")}
