"""Files: claimed once by content, archived, read whole or not at all, and stored in one transaction.

The claim is written in the transaction that stores the rows, so a crash leaves a file unclaimed and it is simply read
again. What a person has to decide waits as `held`; what cannot be read is `refused` until the file or a setting
changes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from sqlalchemy import Connection as Db
from sqlalchemy import Engine, text

from connectors.sdk.errors import ConfigError, HubBug, RejectedError
from connectors.sdk.files import FileFrames, FoundFile
from connectors.sdk.spec import FileDrop
from dagster_project.connections import Connection, Hub
from dagster_project.steps.files.frames import put_frames
from dagster_project.steps.files.lines import replay_lines
from dagster_project.steps.files.rows import Arrival, Stored, TooMuchGone
from dagster_project.steps.mapping import Pass
from dagster_project.store import archive, claims, quarantine_files
from dagster_project.store.claims import DROPPED, FILES, HELD, LOADED, REFUSED, Claim
from dagster_project.store.cursor import READ_AGAIN, ran
from dagster_project.store.locks import alone, in_turn

PATIENCE = 600.0
"""Seconds a run waits for another one that reads the same folder."""
WAITING = "waiting"
REPLACED = {"stock_level", "price"}
"""What the same content may say anew: yesterday's count, sent today, is today's count."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file. Source lines: `read` = `stored` + `quarantined` + `held`; those of a file that is known
    already are `unchanged`. `unbound`: stored lines whose sku no product has. `notes`: rule → lines worth a remark.

    `state`: loaded, unchanged, waiting (somebody still writes it), held, refused or dropped; `error` says why it is
    refused.
    """

    name: str
    state: str
    hash: str | None = None
    read: int = 0
    stored: int = 0
    quarantined: int = 0
    held: int = 0
    unchanged: int = 0
    unbound: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None

    @property
    def landed(self) -> int:
        return int(self.state == LOADED)

    @property
    def error(self) -> str | None:
        return self.reason if self.state == REFUSED else None


def ingest_files(engine: Engine, connection: Connection, *, now: datetime, hub: Hub | None = None) -> list[FileReport]:
    """Reads what is new in the connection's folder, oldest first. A file that cannot be taken does not stop the others.

    `hub`: whose authority and settings count; the connection's own when left out. Raises ConfigError where the folder
    or the settings as such are wrong.
    """
    work = _Folder(
        engine, hub or Hub({connection.name: connection}, connection.hub, connection.folder), connection, now
    )
    with alone(engine, f"files:{connection.name}", patience=PATIENCE):
        with engine.begin() as db:
            claims.prepare(db, connection.name)
            work.known = claims.known(db, connection.name)
        with engine.connect() as db:
            ready = quarantine_files.ready(db, connection.name)
        replay_lines(engine, work.hub, connection, ready, now=now)
        reports = [work.take(found) for found in work.drop.find(work.config)]
        _remember_run(engine, connection, reports, now)
    return reports


@dataclass
class _Folder:
    """A connection's folder during one run; `known` are the contents that ever came."""

    engine: Engine
    hub: Hub
    connection: Connection
    now: datetime
    known: dict[str, Claim] = field(default_factory=dict)

    @property
    def drop(self) -> FileDrop:
        assert self.connection.spec is not None
        assert self.connection.spec.files is not None
        return self.connection.spec.files

    @property
    def config(self) -> Any:
        return self.connection.config

    @property
    def settings(self) -> str:
        """A word for the settings under which a file was read: with others it may fare better."""
        return hashlib.sha256(self.config.model_dump_json().encode()).hexdigest()[:12]

    def take(self, found: FoundFile) -> FileReport:
        if found.waiting:
            return FileReport(found.name, WAITING, reason=found.waiting)
        try:
            digest = self._digest(found)
        except archive.StillChanging:
            return FileReport(found.name, WAITING, reason="it changed while it was read")
        claim = self.known.get(digest)
        if claim and not self._again(claim, found):
            return _known(claim, found)
        report = self._load(found, digest)
        with self.engine.begin() as db:
            self.known = claims.known(db, self.connection.name)
        return report

    def _digest(self, found: FoundFile) -> str:
        """Hashes what looks known; what looks new is archived in the same reading."""
        seen = any(
            (claim.name, claim.size, claim.modified_at) == (found.name, found.size, found.modified_at)
            for claim in self.known.values()
        )
        digest = archive.digest_of(found.path) if seen else archive.keep(found.path)
        return digest if archive.kept(digest).exists() else archive.keep(found.path)

    def _again(self, claim: Claim, found: FoundFile) -> bool:
        """Whether a known content is read once more: refused under other settings, or sent anew after another count."""
        if claim.state == REFUSED:
            return claim.settings != self.settings
        newest = max(
            (one for one in self.known.values() if one.state == LOADED), key=lambda one: one.modified_at, default=claim
        )
        return (
            claim.state == LOADED
            and claim.entity in REPLACED
            and newest is not claim
            and found.modified_at > newest.modified_at
        )

    def _load(self, found: FoundFile, digest: str, *, agreed: bool = False) -> FileReport:
        """Reads and stores one file. `agreed`: a person has seen what it removes."""
        try:
            with archive.opened(digest) as clear:
                frames = self.drop.read(self.config, replace(found, archived=clear))
            return self._store(found, digest, frames, None if agreed else self.connection.guards.shrink)
        except (ConfigError, RejectedError) as error:
            return self._claimed(found, digest, REFUSED, str(error))
        except TooMuchGone as held:
            return self._claimed(found, digest, HELD, f"{held}; keruen approve file:{digest[:12]} takes it", frames)

    def _store(self, found: FoundFile, digest: str, frames: FileFrames, shrink: float | None) -> FileReport:
        name = self.connection.name
        with self.engine.begin() as db:
            in_turn(db, f"map:{name}.{FILES}")
            number = claims.claim(db, name, self._values(found, digest, LOADED, frames))
            work = Pass(db, self.hub, self.connection, self.drop, self.now)  # type: ignore[arg-type]
            arrival = Arrival(number, digest, found.modified_at, shrink)
            stored = put_frames(work, arrival, frames)
            report = _report(found, digest, frames, stored)
            counts = {"stored": report.stored, "quarantined": report.quarantined, "unbound": report.unbound}
            claims.settle(db, name, number, counts, report.notes)
            named = {"connection": name, "entity": frames.entity, "hash": digest[:12], "raw_id": number}
            quarantine_files.settle(db, named, quarantine_files.keys_of(frames), stored.aside, self.now)
            _fresh(db, self.connection, self.now)
        return report

    def _claimed(
        self, found: FoundFile, digest: str, state: str, reason: str, frames: FileFrames | None = None
    ) -> FileReport:
        with self.engine.begin() as db:
            claims.claim(db, self.connection.name, self._values(found, digest, state, frames, reason))
        rows = frames.read if frames else 0
        return FileReport(found.name, state, digest, read=rows, held=rows, reason=reason)

    def _values(
        self, found: FoundFile, digest: str, state: str, frames: FileFrames | None, reason: str | None = None
    ) -> dict[str, Any]:
        return {
            "hash": digest, "name": found.name, "size": found.size, "state": state, "reason": reason,
            "settings": self.settings,
            "entity": frames.entity if frames else None, "rows": frames.read if frames else None,
            "modified_at": found.modified_at, "landed_at": self.now,
        }  # fmt: skip


def _known(claim: Claim, found: FoundFile) -> FileReport:
    """What is said of a content that came before: nothing is read again."""
    state = "unchanged" if claim.state == LOADED else claim.state
    return FileReport(found.name, state, claim.hash, unchanged=claim.rows or 0, reason=claim.reason)


def _report(found: FoundFile, digest: str, frames: FileFrames, stored: Stored) -> FileReport:
    quarantined = pc.sum(stored.aside["lines"]).as_py() or 0
    notes = {**frames.notes, **stored.notes}
    if frames.lines + (pc.sum(frames.set_aside["lines"]).as_py() or 0) != frames.read:
        raise HubBug(
            f"{found.name}: of {frames.read} lines {frames.lines} were mapped, and not all others set aside; "
            "please report it"
        )
    return FileReport(
        found.name, LOADED, digest, read=frames.read, stored=frames.read - quarantined, quarantined=quarantined,
        unbound=stored.unbound, notes={rule: count for rule, count in notes.items() if count},
    )  # fmt: skip


_FRESH = text(f"""{READ_AGAIN}
insert into hub.cursor (connection, resource, last_run_at, fresh_at) values (:connection, :resource, :now, :now)
on conflict (connection, resource) do update set last_run_at = excluded.last_run_at, fresh_at = excluded.fresh_at
""")


def _fresh(db: Db, connection: Connection, now: datetime) -> None:
    """A folder is as fresh as what came into it last: looking into an empty one is no news."""
    named = {"connection": connection.name, "resource": FILES}
    db.execute(_FRESH, {**named, "now": now, "silent_since": connection.silent_since(now)})


def _remember_run(engine: Engine, connection: Connection, reports: list[FileReport], now: datetime) -> None:
    error = next((report.error for report in reports if report.error), None)
    with engine.begin() as db:
        ran(db, connection.name, FILES, now=now, error=error)


# ── a person decides ──────────────────────────────────────────────────────────────────────────────────────────────────


def held_files(engine: Engine, hub: Hub) -> list[tuple[str, Claim]]:
    """(connection, claim) of files that wait for a person."""
    found = []
    with engine.begin() as db:
        for connection in hub.connections.values():
            if connection.spec and connection.spec.files:
                claims.prepare(db, connection.name)
                found += [
                    (connection.name, one) for one in claims.known(db, connection.name).values() if one.state == HELD
                ]
    return found


def approve_file(engine: Engine, hub: Hub, digest: str, *, who: str, now: datetime) -> FileReport:
    """Loads a held file although it removes much. `digest` may be the beginning of the hash. Raises ConfigError where
    none waits, or where a newer file has spoken for the same since.
    """
    name, claim = _waiting(engine, hub, digest)
    work = _Folder(engine, hub, hub[name], now)
    with alone(engine, f"files:{name}", patience=PATIENCE):
        with engine.begin() as db:
            work.known = claims.known(db, name)
        later = [one.name for one in work.known.values() if one.state == LOADED and one.landed_at > claim.landed_at]
        if later and claim.entity in REPLACED:
            raise ConfigError(
                f"{claim.name} is older than {later[-1]}, loaded since; reject it: keruen reject file:{digest}"
            )
        found = FoundFile(Path(claim.name), claim.size, claim.modified_at)
        report = work._load(found, claim.hash, agreed=True)
        with engine.begin() as db:
            claims.decide(db, name, claim.hash, report.state, who, now)
    return report


def reject_file(engine: Engine, hub: Hub, digest: str, *, who: str, now: datetime) -> None:
    """Nothing of a held file is taken. Raises ConfigError where none waits."""
    name, claim = _waiting(engine, hub, digest)
    with engine.begin() as db:
        claims.decide(db, name, claim.hash, DROPPED, who, now)


def _waiting(engine: Engine, hub: Hub, digest: str) -> tuple[str, Claim]:
    found = [(name, claim) for name, claim in held_files(engine, hub) if claim.hash.startswith(digest)]
    if len(found) != 1:
        raise ConfigError(f"{'no' if not found else 'more than one'} held file has a hash that begins with {digest}")
    return found[0]
