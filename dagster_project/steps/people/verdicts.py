"""What a person decides about persons: these are one, these are not, this value is right. All of it can be taken back.

A verdict costs what it touches: the records linked with those it is about are clustered anew, nobody else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from sqlalchemy import Connection, Engine

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Hub
from dagster_project.steps.people.identify import Manner, Run, finish, recluster
from dagster_project.store.dirty import mark
from dagster_project.store.locks import in_turn
from dagster_project.store.people import golden, identity, persons, verdicts
from dagster_project.store.people.persons import PEOPLE
from dagster_project.store.people.verdicts import By
from mappings.identity.increment import RECORDS, seeds
from mappings.identity.scoring import EDGES
from mappings.tables import convert


@dataclass(frozen=True)
class Desk:
    """Where somebody decides: the store, the hub, who it is and why."""

    engine: Engine
    hub: Hub
    by: By

    @contextmanager
    def opens(self, deed: str) -> Iterator[Run]:
        """A run in which nobody else changes who is who; all of the decision or nothing is kept."""
        with self.engine.begin() as db:
            in_turn(db, identity.LOCK)
            cause = f"{deed} by {self.by.who}" + (f": {self.by.why}" if self.by.why else "")
            yield Run(db, Manner.of(self.hub), self.by.at, cause)


def known(db: Connection, name: str) -> str:
    """The person of an id or of `connection:external id`. Raises ConfigError where there is none."""
    found = verdicts.person(db, name)
    if found is None:
        raise ConfigError(
            f"nobody is known as {name!r}: give a person's id, or connection:id as the system has it; "
            "`keruen sync` must have read the record."
        )
    return found


def merge(desk: Desk, one: str, other: str) -> str:
    """The two are one person from now on, whatever the rules say; gives who goes on. Raises ConfigError where another
    verdict keeps them apart."""
    with desk.opens("merged") as run:
        first, second = (verdicts.records(run.db, known(run.db, name)) for name in (one, other))
        if first == second:
            return known(run.db, one)
        withdrawn = verdicts.take_back(run.db, "must_not_link", first, second)
        # every pair: one link alone would leave behind the records that a rule, two cards say, keeps from the other's
        said = verdicts.say(run.db, "must_link", [(a, b) for a in first for b in second], desk.by)
        _settle(run, withdrawn, said)
        if known(run.db, one) != known(run.db, other):
            raise ConfigError(
                "they stay two: somebody decided that records of theirs are different people. "
                "`keruen person show` of both names the records; take that verdict back by merging those first."
            )
        return known(run.db, one)


def split(desk: Desk, name: str, records: Sequence[str]) -> list[str]:
    """These records (`connection:external id`) are somebody else than the rest of the person; gives all who are there
    now."""
    with desk.opens("split") as run:
        person = known(run.db, name)
        mine = verdicts.records(run.db, person)
        chosen = _chosen(run.db, person, mine, records)
        _part(run, chosen, [record for record in mine if record not in chosen], desk.by)
        return _people(run.db, mine)


def keep_apart(desk: Desk, one: str, other: str) -> None:
    """These two records are two people, today and whatever comes. Raises ConfigError for a record nobody knows, and
    for one named twice."""
    with desk.opens("kept apart") as run:
        found = verdicts.named(run.db, [one, other])
        for name in (one, other):
            if name not in found:
                raise ConfigError(f"there is no record {name!r}; `keruen person review` names them as connection:id")
        if found[one] == found[other]:
            raise ConfigError(f"{one} is one record, and one person: name the two that are two people")
        _settle(run, verdicts.say(run.db, "must_not_link", [(found[one], found[other])], desk.by))


def unmerge(desk: Desk, name: str) -> list[str]:
    """Takes the last merge into this person back: whoever went into it is there again, with the same id.

    Raises ConfigError where nobody went into it.
    """
    with desk.opens("unmerged") as run:
        person = known(run.db, name)
        mine = verdicts.records(run.db, person)
        gone, stayed = ([record for record in side if record in mine] for side in verdicts.last_merge(run.db, person))
        if not gone or not stayed:
            raise ConfigError(
                f"{person} is nobody's merger: there is nothing to take back; `keruen person split` parts"
            )
        # of a record that came since nobody decided anything: its links say whose it is
        _part(run, gone, stayed, desk.by)
        return _people(run.db, mine)


def _part(run: Run, ones: Sequence[int], others: Sequence[int], by: By) -> None:
    """Where a verdict had joined them, taking it back may be enough; else a verdict keeps every pair apart."""
    withdrawn = verdicts.take_back(run.db, "must_link", ones, others)
    if withdrawn.num_rows:
        _settle(run, withdrawn)
    if not withdrawn.num_rows or not _apart(run.db, ones, others):
        _settle(run, verdicts.say(run.db, "must_not_link", [(a, b) for a in ones for b in others], by))


def _apart(db: Connection, ones: Sequence[int], others: Sequence[int]) -> bool:
    return not set(_people(db, ones)) & set(_people(db, others))


def _settle(run: Run, *said: pa.Table) -> None:
    started = seeds(RECORDS.empty_table(), EDGES.empty_table(), pa.concat_tables(said))
    finish(run, recluster(run, started))


def _chosen(db: Connection, person: str, mine: Sequence[int], names: Sequence[str]) -> list[int]:
    found = verdicts.named(db, names)
    strangers = [name for name in names if found.get(name) not in mine]
    if strangers:
        raise ConfigError(f"{strangers[0]!r} is no record of {person}; `keruen person show {person}` lists them")
    if len(found) == len(mine):
        raise ConfigError(f"these are all records of {person}: name those that are somebody else")
    return sorted(found.values())


def _people(db: Connection, records: Sequence[int]) -> list[str]:
    held = persons.held(db, pa.table([list(records)], schema=RECORDS))
    mine = dict(zip(*(held[name].to_pylist() for name in ("record", "person_id")), strict=True))
    return sorted({mine[record] for record in records if record in mine})


# ── pins ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

PINNED = tuple(field for field in golden.FIELDS if field != "tag")


def pin(desk: Desk, name: str, field: str, value: str | None) -> str:
    """This value of the golden record is right until its source says something new; None: the rules decide again.

    It is kept in the form in which sources are read. Gives the person. Raises ConfigError for a field nobody can pin,
    or a value that is none of its kind.
    """
    if field not in PINNED:
        raise ConfigError(f"{field!r} cannot be pinned; these can: {', '.join(PINNED)}")
    if value is not None:
        value = _read(field, value, desk.by.at.date())
    with desk.opens("pinned") as run:
        person = known(run.db, name)
        if value is None:
            verdicts.unpin(run.db, person, field)
        else:
            instead = golden.primary(run.db, person, field, run.manner.authorities, now=desk.by.at)
            verdicts.pin(run.db, person, field, value, instead, desk.by)
        people = pa.table([[person]], schema=PEOPLE)
        golden.refresh(run.db, people, run.manner.authorities, now=desk.by.at)
        mark(run.db, "person", [person], run.cause)
        return person


def _read(field: str, value: str, today: date) -> str:
    """As a connector reads this field. A contact that is none is not repeated: somebody's may be in it."""
    convert_one, wanted = READ.get(field, (convert.text, "leave the value out, and the rules decide again"))
    try:
        found = convert_one(value)
    except ValueError:
        found = None
    if found is None:
        raise ConfigError(f"{len(value)} signs that are no {field}: {wanted}")
    if field == "birth_date" and found > today.isoformat():
        raise ConfigError(f"{found} is still to come: write the day of birth as 1985-03-08")
    return found


READ: Mapping[str, tuple[Callable[[str], str | None], str]] = {
    "phone": (convert.phone, "write it as +77000000001"),
    "email": (convert.email, "write it as name@mail.example"),
    "birth_date": (lambda value: date.fromisoformat(value).isoformat(), "write it as 1985-03-08"),
    "gender": ({"male": "male", "female": "female"}.get, "write male or female"),
}
"""Field → how a value of it is read, and what to write instead of one that is none; others are texts."""
