"""Forgetting in files: the archive, inboxes, feeds, logs, dlt's folders and whatever else lies in the home."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.connections import Hub
from dagster_project.home import home
from mappings.privacy.forget import Traces

APART = frozenset({"postgres", "master.key", "secrets.env"})
"""The server's own files, which the search of its tables covers, and secrets."""
ENCODINGS = ("utf-8", "cp1251", "utf-16")
LARGEST = 512 * 2**20


@dataclass
class Rewritten:
    """`rewritten`: names of files without what they held. `owed`: what a person must do."""

    rewritten: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)


def rewrite(hub: Hub, traces: Traces) -> Rewritten:
    """Takes the traces out of text, keeping its lines; a book of tables is rewritten by whoever made it."""
    done = Rewritten()
    for path in _files(hub):
        known = _read(path)
        if known is None or not _found(path, known, traces):
            continue
        encoding, words = known
        if encoding is None:
            done.owed.append(f"{_name(path)} holds the person in a form that cannot be rewritten: delete it by hand")
            continue
        path.write_bytes(_without(path, words, traces).encode(encoding))
        done.rewritten.append(_name(path))
    return done


def hits(hub: Hub, traces: Traces) -> dict[str, int]:
    """File → 1, of those where any trace is found."""
    return {_name(path): 1 for path in _files(hub) if (known := _read(path)) and _found(path, known, traces)}


def _found(path: Path, known: tuple[str | None, str], traces: Traces) -> bool:
    return traces.in_text(known[1])


def _without(path: Path, words: str, traces: Traces) -> str:
    if path.suffix == ".json":
        try:
            return json.dumps(traces.out_of_value(json.loads(words)), ensure_ascii=False, indent=2)
        except ValueError:
            pass
    return traces.out_of(words)


def _files(hub: Hub) -> Iterator[Path]:
    """Of the home and of the folders that connections read from."""
    seen: set[Path] = set()
    for root in (home(), *_folders(hub)):
        for path in sorted(root.rglob("*")):
            apart = APART & set(path.relative_to(root).parts)
            if path.is_file() and not path.is_symlink() and not apart and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _folders(hub: Hub) -> Iterator[Path]:
    for connection in hub.connections.values():
        named = connection.entry.settings.get("path")
        if isinstance(named, str) and "://" not in named:
            folder = (connection.folder / named).parent
            while any(sign in folder.name for sign in "*?["):
                folder = folder.parent
            if folder.is_dir():
                yield folder


def _read(path: Path) -> tuple[str | None, str] | None:
    """Encoding and text; of a zipped book None and the text of its parts; None of what cannot be read."""
    if path.stat().st_size > LARGEST:
        return None
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as book:
            return None, "\n".join(book.read(name).decode("utf-8", "ignore") for name in book.namelist())
    raw = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            return encoding, raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None, raw.decode("latin-1")


def _name(path: Path) -> str:
    return str(path.relative_to(home())) if path.is_relative_to(home()) else path.name
