"""The raw of a file drop is the file itself, kept for good under its content's hash in `$KERUEN_HOME/archive`."""

import codecs
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from dagster_project.home import home

BLOCK = 1 << 20


class StillChanging(Exception):
    """The file became another while it was read."""


def folder() -> Path:
    made = home() / "archive"
    made.mkdir(mode=0o700, exist_ok=True)
    return made


def kept(digest: str) -> Path:
    """Where the file of this hash lies."""
    return folder() / digest


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep(path: Path) -> str:
    """Copies a file into the archive and gives its hash: one reading, so that hash and copy are of the same bytes.

    Raises StillChanging where size or time of the file moved meanwhile; then nothing is kept.
    """
    before = path.stat()
    with tempfile.NamedTemporaryFile(dir=folder(), prefix=".", delete=False) as copy:
        try:
            digest = _copied(path, copy)
            after = path.stat()
            if (before.st_size, before.st_mtime_ns) != (
                after.st_size,
                after.st_mtime_ns,
            ) or copy.tell() != after.st_size:
                raise StillChanging(path.name)
            copy.flush()
            os.fsync(copy.fileno())
            os.replace(copy.name, kept(digest))
        except BaseException:
            Path(copy.name).unlink(missing_ok=True)
            raise
    return digest


def _copied(path: Path, copy: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
            copy.write(block)
    return hashed.hexdigest()


def line_of(digest: str, number: int) -> str | None:
    """A line of an archived text file, for a person to see (what a file is read with is a setting of its connection);
    None where the file is gone, shorter, or no text (a workbook).
    """
    if not kept(digest).exists():
        return None
    content = kept(digest).read_bytes()
    if content[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        return None
    marked = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "windows-1251"):
        with suppress(UnicodeDecodeError):
            lines = content.decode(encoding).splitlines()
            return lines[number - 1] if 0 < number <= len(lines) else None
    return None
