"""The raw of a file drop is the file itself, kept under its content's hash in `$KERUEN_HOME/archive`, sealed.

Whoever reads one gets a copy in clear that nobody else may read and that is gone afterwards.
"""

import codecs
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from connectors.sdk.errors import ConfigError
from dagster_project.home import home
from dagster_project.store.people.keyring import keys
from mappings.privacy import stream
from mappings.privacy.seal import WrongKey

CLEAR = ".clear-"
"""Begins the names of copies in clear; the number of the process that reads it follows."""


class StillChanging(Exception):
    """The file became another while it was read."""


def folder() -> Path:
    made = home() / "archive"
    made.mkdir(mode=0o700, exist_ok=True)
    return made


def kept(digest: str) -> Path:
    """Where the file of this hash lies, sealed."""
    return folder() / digest


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep(path: Path) -> str:
    """Seals a file into the archive and gives its hash: one reading, so that hash and copy are of the same bytes.

    Raises StillChanging where size or time of the file moved meanwhile; then nothing is kept.
    """
    before = path.stat()
    hashed, size = hashlib.sha256(), 0

    def read() -> Iterator[bytes]:
        nonlocal size
        for block in _blocks(path):
            hashed.update(block)
            size += len(block)
            yield block

    def unchanged() -> Path:
        after = path.stat()
        if not (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) == (size, before.st_mtime_ns):
            raise StillChanging(path.name)
        return kept(hashed.hexdigest())

    _written(read(), unchanged)
    return hashed.hexdigest()


@contextmanager
def opened(digest: str) -> Iterator[Path]:
    """The file of this hash in clear. Raises ConfigError where it is gone, or cannot be opened with this master key."""
    if not kept(digest).exists():
        raise ConfigError(f"the file {digest[:12]} is not in the archive any more; put it into its folder again")
    _sweep()
    with in_clear(kept(digest)) as clear:
        yield clear


@contextmanager
def in_clear(path: Path) -> Iterator[Path]:
    """The file itself; of a sealed one a copy in clear, as long as the block lasts."""
    with path.open("rb") as file:
        if path.parent != home() / "archive" or not stream.is_sealed(file):
            yield path
            return
    with tempfile.NamedTemporaryFile(dir=folder(), prefix=f"{CLEAR}{os.getpid()}-") as copy:
        try:
            with path.open("rb") as file:
                copy.writelines(stream.opened(keys(), file))
        except WrongKey as error:
            raise ConfigError(f"the archived file {path.name[:12]}: {error}; put back the master key it had") from None
        copy.flush()
        yield Path(copy.name)


def again(path: Path, clear: Path) -> None:
    """Seals what `in_clear` gave of `path` and somebody has rewritten since; a file that lies in clear is done."""
    if clear != path:
        _written(_blocks(clear), lambda: path)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(stream.BLOCK):
            yield block


def _written(clear: Iterable[bytes], where: Callable[[], Path]) -> None:
    """Sealed, to a file beside, which takes its place when it is whole and on disk. `where` is asked then, and may
    refuse."""
    with tempfile.NamedTemporaryFile(dir=folder(), prefix=".", delete=False) as draft:
        try:
            draft.writelines(stream.sealed(keys(), os.urandom(stream.SALT), clear))
            draft.flush()
            os.fsync(draft.fileno())
            os.replace(draft.name, where())
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise


def _sweep() -> None:
    """Copies whose reader died without taking them away."""
    for left in folder().glob(f"{CLEAR}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(CLEAR).partition("-")[0])):
            left.unlink(missing_ok=True)


def line_of(digest: str, number: int) -> str | None:
    """A line of an archived text file, for a person to see (what a file is read with is a setting of its connection);
    None where the file is gone, shorter, or no text (a workbook).
    """
    if not kept(digest).exists():
        return None
    with opened(digest) as clear:
        content = clear.read_bytes()
    if content[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        return None
    marked = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "windows-1251"):
        with suppress(UnicodeDecodeError):
            lines = content.decode(encoding).splitlines()
            return lines[number - 1] if 0 < number <= len(lines) else None
    return None
