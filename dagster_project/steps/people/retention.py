"""Nothing personal is kept for longer than its purpose needs: what is past its term is removed, or made anonymous."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from dagster_project.connections import DEFAULT_GUARDS, Hub
from dagster_project.store import archive
from dagster_project.store.claims import FILES
from dagster_project.store.people import payloads, retention
from dagster_project.store.people.retention import RULES, Rule
from dagster_project.store.raw import Raw
from mappings.privacy.terms import PROFILES, PURPOSES
from mappings.sync.plan import FEW

PEOPLE = payloads.PERSONAL - {"order"}
"""Entities whose records are about people; orders are books, with a term of their own."""


@dataclass(frozen=True)
class Outlived:
    """A line of the report. `past`: rows past their term, `removed`: of these what was removed or made anonymous.
    `held`: why nothing was."""

    kind: str
    purpose: str
    days: int
    where: str
    past: int
    removed: int = 0
    held: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"class": self.kind, "purpose": self.purpose, "days": self.days, "where": self.where,
                "past": self.past, "removed": self.removed, "held": self.held}  # fmt: skip


def retain(engine: Engine, hub: Hub, *, now: datetime, dry_run: bool = False, asked: bool = False) -> list[Outlived]:
    """Removes what is past its term; a dry run only counts it.

    Where so much of a table would go at once that a wrong term is likelier (the guard `shrink` of the hub), it is held
    until a person asks for it: `asked`.
    """
    done = [_rule(engine, hub, rule, now, dry_run, asked) for rule in _rules(engine, hub)]
    return [*done, *_files(engine, hub, now, dry_run)]


def _rules(engine: Engine, hub: Hub) -> list[Rule]:
    with engine.connect() as db:
        return [*(retention.raw_rule(raw) for raw in _raws(db, hub)), *RULES]


def _raws(db: Connection, hub: Hub) -> Iterator[Raw]:
    """Tables of what vendors said of people."""
    for connection in hub.connections.values():
        for resource in connection.spec.resources if connection.spec else ():
            raw = Raw(connection.name, resource.name)
            if resource.maps.keys() & PEOPLE and raw.exists(db):
                yield raw


def _rule(engine: Engine, hub: Hub, rule: Rule, now: datetime, dry_run: bool, asked: bool) -> Outlived:
    term = _term(hub, rule.kind)
    with engine.begin() as db:
        past, rows = retention.counted(db, rule, now - term)
        held = None if asked else _too_many(hub, past, rows)
        removed = 0 if dry_run or held or not past else retention.apply(db, rule, now - term)
    where = rule.table.replace('"', "")
    return Outlived(rule.kind, PURPOSES[rule.kind].words, term.days, where, past, removed, held)


def _term(hub: Hub, kind: str) -> timedelta:
    stated = hub.entry.privacy
    return PROFILES[stated.profile].kept(dict(stated.retention))[kind]


def _too_many(hub: Hub, past: int, rows: int) -> str | None:
    share = hub.entry.guards.over(DEFAULT_GUARDS).shrink
    if share is None or past <= FEW or past <= share * rows:
        return None
    return f"{past} of {rows} rows: see `keruen privacy retention --dry-run`, then run it without"


def _files(engine: Engine, hub: Hub, now: datetime, dry_run: bool) -> Iterator[Outlived]:
    """Files of the archive; what they said lies in the canonical tables, which have terms of their own."""
    term = _term(hub, "raw")
    for connection in hub.connections.values():
        raw = Raw(connection.name, FILES)
        with engine.connect() as db:
            old = retention.old_files(db, raw, sorted(PEOPLE), now - term) if raw.exists(db) else []
        there = [path for one in old if (path := archive.kept(one)).exists()]
        if there:
            for path in () if dry_run else there:
                path.unlink()
            purpose = PURPOSES["raw"].words
            removed = 0 if dry_run else len(there)
            yield Outlived("raw", purpose, term.days, f"archive of {connection.name}", len(there), removed)
