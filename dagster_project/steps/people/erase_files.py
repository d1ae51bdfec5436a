"""Forgetting in files: the archive, inboxes, feeds, logs, dlt's folders and whatever else lies in the home."""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from glob import glob
from itertools import chain
from pathlib import Path

from dagster_project.connections import Hub
from dagster_project.home import home
from dagster_project.steps.people import erase_books, erase_texts
from dagster_project.store import archive
from mappings.privacy.forget import Traces

BY_HAND = " holds the person in a form that cannot be rewritten: delete it by hand"
APART = frozenset({"postgres", "master.key", "secrets.env"})
"""The server's own files, which the search of its tables covers, and secrets."""


@dataclass
class Rewritten:
    """`rewritten`: names of files without what they held. `owed`: what a person must do."""

    rewritten: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)


def rewrite(hub: Hub, traces: Traces) -> Rewritten:
    """Takes the traces out of texts and workbooks of any size, which keep their lines and their cells."""
    done = Rewritten()
    for path in _files(hub):
        with archive.in_clear(path) as clear:
            if not holds(clear, traces):
                continue
            if _without(clear, traces):
                archive.again(path, clear)
                done.rewritten.append(name_of(path))
            else:
                done.owed.append(name_of(path) + BY_HAND)
    return done


def hits(hub: Hub, traces: Traces) -> dict[str, int]:
    """File → 1, of those where any trace is found."""
    found = {}
    for path in _files(hub):
        with archive.in_clear(path) as clear:
            if holds(clear, traces):
                found[name_of(path)] = 1
    return found


def holds(path: Path, traces: Traces) -> bool:
    if zipfile.is_zipfile(path):
        return erase_books.holds(path, traces)
    return any(traces.in_text(piece) for piece in erase_texts.pieces(path, erase_texts.encoding_of(path) or "latin-1"))


def _without(path: Path, traces: Traces) -> bool:
    return replaced(path, lambda draft: _written(path, draft, traces))


def replaced(path: Path, write: Callable[[Path], bool]) -> bool:
    """The file is replaced in one step, once the new one is whole. False where `write` says that its form is not known:
    then it is as it was."""
    draft = path.with_name(f".{path.name}.erasing")
    try:
        draft.touch(mode=0o600)
        written = write(draft)
        if written:
            shutil.copymode(path, draft)
            draft.replace(path)
        return written
    finally:
        draft.unlink(missing_ok=True)


def _written(path: Path, draft: Path, traces: Traces) -> bool:
    if zipfile.is_zipfile(path):
        return erase_books.write_without(path, draft, traces)
    if encoding := erase_texts.encoding_of(path):
        erase_texts.write_without(path, draft, encoding, traces)
    return encoding is not None


def _files(hub: Hub) -> Iterator[Path]:
    """Of the home, and those that connections read. What else lies beside these is not the hub's to rewrite."""
    seen: set[Path] = set()
    at_home = (path for path in sorted(home().rglob("*")) if not APART & set(path.relative_to(home()).parts))
    for path in chain(at_home, _read_from(hub)):
        if path.is_file() and not path.is_symlink() and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def _read_from(hub: Hub) -> Iterator[Path]:
    for connection in hub.connections.values():
        named = connection.entry.settings.get("path")
        if isinstance(named, str) and "://" not in named:
            yield from map(Path, sorted(glob(str(connection.folder / named), recursive=True)))


def name_of(path: Path) -> str:
    return str(path.relative_to(home())) if path.is_relative_to(home()) else path.name
