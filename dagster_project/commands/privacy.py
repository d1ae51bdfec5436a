"""Privacy: what people agreed to, and forgetting them."""

import getpass
from datetime import date, datetime, time
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

import typer
from pydantic_core import to_json
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError
from dagster_project import clock
from dagster_project.commands.looking import looked
from dagster_project.commands.output import err, out, print_json, print_rows, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import load
from dagster_project.steps.people import erase as erasing
from dagster_project.steps.people import retention as keeping
from dagster_project.store.people import erasure, statements, verdicts
from dagster_project.store.people.keyring import keys
from mappings.canonical.contact import ConsentEvent
from mappings.privacy.consent import state_now
from mappings.tables import convert

app = typer.Typer(no_args_is_help=True)
consent = typer.Typer(no_args_is_help=True)
person = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
DESK = "desk"
"""Stands as the connection of a statement taken by a person at this hub."""

_OF_SUBJECT = text("""
select e.identifier_kind, e.channel, e.purpose, e.state, e.since, e.as_of, e.expires_at, s.reason as suppressed
from privacy.consent_state e left join privacy.suppression s
  on s.identifier_hash = e.subject and s.channel = e.channel and s.since >= coalesce(e.person_at, '-infinity')
where e.subject = :subject
union all
select null, s.channel, null, 'refused', s.since, s.since, null, s.reason from privacy.suppression s
where s.identifier_hash = :subject
  and not exists (select from privacy.consent_state e where e.subject = :subject and e.channel = s.channel)
order by 2, 3
""")
_OF_PERSON = text("""
select identifier_kind, channel, purpose, state, as_of from canonical.consent where person_id = :person order by 2, 3, 1
""")


@consent.command("show")
@says_who_must_act
def show(
    whose: Annotated[str, typer.Argument(metavar="WHOSE", help="A phone, an e-mail, a person's id or CONNECTION:ID.")],
    as_json: Json = False,
) -> None:
    """What an identifier, or a person by all identifiers, agreed to; a refusal of one is a refusal of all.

    Example: keruen consent show +77000000001
    """
    with hub_store() as engine:
        persons = [_person(engine, whose)] if identified(whose) is None else []
        rows = _states(engine, *(persons or [whose]))
        looked(engine, "consent show", "consents", ["channel", "purpose", "state"], rows=len(rows), persons=persons)
    print_rows(rows, as_json=as_json, empty="nothing was said, so nothing may be sent")


def _states(engine: Engine, whose: str) -> list[dict[str, Any]]:
    known = identified(whose)
    with engine.connect() as db:
        if known is None:
            return [dict(row) for row in db.execute(_OF_PERSON, {"person": whose}).mappings()]
        rows = db.execute(_OF_SUBJECT, {"subject": keys().subject(*known)}).mappings().all()
    now = clock.now()
    return [
        {**row, "state": "refused" if row["suppressed"] else state_now(row["state"], row["expires_at"], now)}
        for row in rows
    ]


def _person(engine: Engine, name: str) -> str:
    """Raises ConfigError for what is nobody's: to answer that nothing was said would be an answer about somebody."""
    with engine.connect() as db:
        found = verdicts.person(db, name)
    if found is None:
        raise ConfigError(
            f"{len(name)} signs that are no phone, no e-mail and nobody's id: write a phone as +77000000001, "
            "a person as `keruen person show` names him"
        )
    return found


@consent.command("set")
@says_who_must_act
def set_(
    identifier: Annotated[str, typer.Argument(help="The phone or e-mail that the consent is for, and no other.")],
    state: Annotated[str, typer.Argument(metavar="granted|refused", help="What the person said.")],
    channel: Annotated[str, typer.Option(help="email, sms, whatsapp, telegram, push, ads or call.")],
    evidence: Annotated[str, typer.Option(help="Where and how it was said: the form, the till, the call.")],
    purpose: Annotated[str, typer.Option(help="What for.")] = "marketing",
    text_version: Annotated[str | None, typer.Option(help="Version of the text that was agreed to.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="The day on which it holds no more.")] = None,
    customer: Annotated[str | None, typer.Option(help="Whose it is, where several share it: CONNECTION:ID.")] = None,
    as_json: Json = False,
) -> None:
    """Keep what a person said: appended to the chain, with its evidence, for good.

    Example: keruen consent set +77000000001 granted --channel sms --evidence "form 12, till 3" --text-version v2
    """
    known = identified(identifier)
    if known is None:
        raise ConfigError(f"{len(identifier)} signs that are neither a phone nor an e-mail: give one of these")
    said = _stated(known, state, channel, purpose, evidence, text_version, until)
    connection, card = _giver(customer)
    row = {
        **said.model_dump(exclude={"evidence"}),
        "evidence": to_json(said.evidence).decode(),
        "customer": card or None,
    }
    row["source"] = to_json({"connection": DESK, "observed_at": said.at}).decode()
    with hub_store() as engine:
        with engine.begin() as db:
            if customer and verdicts.person(db, customer) is None:
                raise ConfigError("nobody is known by that --customer: write it as `keruen person show` lists it")
            statements.append(db, connection, [row], because="consent set")
        print_rows(_states(engine, identifier), as_json=as_json)


def _giver(customer: str | None) -> tuple[str, str]:
    """Connection and customer. The chain is never mended, so nothing mistyped may go into it: a consent of somebody
    nobody knows would count as whoever's has the number alone."""
    if customer is None:
        return DESK, ""
    connection, _, card = customer.partition(":")
    if not card or connection not in load().connections:
        raise ConfigError("--customer names a connection of connections.yaml and its customer, like crm:101")
    return connection, card


def _stated(
    known: tuple[str, str],
    state: str,
    channel: str,
    purpose: str,
    evidence: str,
    text_version: str | None,
    until: str | None,
) -> ConsentEvent:
    if state not in ("granted", "refused"):
        raise ConfigError(f"{state} is no answer that can be kept: write granted or refused after the phone or e-mail")
    channels = ConsentEvent.model_fields["channel"].annotation.__args__  # type: ignore[union-attr]
    if channel not in channels:
        raise ConfigError(f"there is no channel {channel}; there are {', '.join(channels)}")
    if not evidence.strip():
        raise ConfigError('--evidence is empty: say where and how it was said, like "form 12, till 3"')
    now = clock.now()
    return ConsentEvent(
        external_id=f"{now.isoformat()}:{channel}:{purpose}",
        identifier_kind=cast(Literal["phone", "email"], known[0]),
        identifier=known[1],
        channel=channel,
        purpose=purpose,
        state=cast(Literal["granted", "refused"], state),
        by="person",
        at=now,
        expires_at=_until(until, state, now) if until else None,
        text_version=text_version,
        evidence={"said": evidence, "taken_by": getpass.getuser()},
    )


def _until(day: str, state: str, now: datetime) -> datetime:
    """The local midnight with which the day begins. A refusal has no end, and a consent none behind it."""
    try:
        ends = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(load().entry.timezone))
    except ValueError:
        raise ConfigError(f"--until {day} is no day: write it as 2027-03-31") from None
    if state != "granted":
        raise ConfigError("--until is of a consent; a refusal ends by the person's next word only")
    if ends <= now:
        raise ConfigError(f"--until {day} is not to come: a consent that has ended allows nothing")
    return ends


def identified(text_: str) -> tuple[str, str] | None:
    """Kind and identifier in the form in which it is kept; None of what is neither a phone nor an e-mail."""
    try:
        if "@" in text_:
            found = convert.email(text_)
            return ("email", found) if found else None
        found = convert.phone(text_) if text_.lstrip("+")[:1].isdigit() and "-" not in text_[8:9] else None
    except ValueError:
        return None
    return ("phone", found) if found else None


@person.command("erase")
@says_who_must_act
def erase(
    who: Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, or connection:id as a system has it.")],
    basis: Annotated[str, typer.Option(help="Why: the person's demand, with its number or date.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Forget a person everywhere, and prove it: every table, file and queue is searched afterwards.

    Example: keruen person erase 0198c0de-0000-7000-8000-000000000001 --basis "letter of 2 March" --yes
    """
    if not yes and not typer.confirm("Everything known of this person goes, for good. Go on?", err=True):
        raise typer.Exit(1)
    with hub_store() as engine:
        report = erasing.erase(engine, load(), who, basis=basis, now=clock.now())
    if as_json:
        print_json(report)
    else:
        out.print(f"request {report['request']}: {report['state']}, due {report['due_at']:%d.%m.%Y}")
        print_rows([{"where": name, "rows": count} for name, count in report["erased"].items()], as_json=False)
        for line in report["owed"]:
            err.print(line, style="yellow", markup=False)
        if report["owed"]:
            err.print("`keruen privacy requests` shows what is left of this.")
    if any(report["proof"].values()):
        err.print("something of the person is still found: see `proof` of the report", style="red")
        raise typer.Exit(1)


@app.command("requests")
@says_who_must_act
def requests(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are done.")] = False, as_json: Json = False
) -> None:
    """Demands to be forgotten that are not met yet, the most urgent first, and what each still waits for.

    Example: keruen privacy requests
    """
    with hub_store() as engine, engine.begin() as db:
        now = clock.now()
        erasure.settle(db, now=now)
        rows = erasure.requests(db, now=now, everything=everything)
    print_rows(rows, as_json=as_json, empty="every demand is met")


@app.command("done")
@says_who_must_act
def done(
    duty: Annotated[int, typer.Argument(help="Number from `keruen privacy requests`.")],
    why: Annotated[str, typer.Option(help="What was done, kept in the proof.")],
) -> None:
    """Say that what no channel could do was done by hand.

    Example: keruen privacy done 7 --why "contact 1042 deleted, the bin emptied"
    """
    with hub_store() as engine, engine.begin() as db:
        met = erasure.done_by_hand(db, duty, who=getpass.getuser(), why=why, now=clock.now())
    out.print(f"duty {duty}: done" + "".join(f"; request {one} is met" for one in met))


@app.command("retention")
@says_who_must_act
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what is past its term.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Remove, or make anonymous, what has been kept for its term; every night does the same with less at once.

    Example: keruen privacy retention --dry-run
    """
    if not dry_run and not yes and not typer.confirm("What is past its term goes, for good. Go on?", err=True):
        raise typer.Exit(1)
    with hub_store() as engine:
        report = keeping.retain(engine, load(), now=clock.now(), dry_run=dry_run, asked=True)
    print_rows([line.as_json() for line in report], as_json=as_json)
