"""Feeds on disk: every version a file of its own, and one link that says which is served.

The link changes by a rename, so a reader sees the old version or the new one whole, together with its name.
"""

import gzip
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster_project.home import home

KEPT = 3
"""Versions on disk: a slow download may still read the one before."""
_FORMAT = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class FeedFile:
    """A version as it lies on disk; `packed` is the same, gzipped."""

    version: str
    path: Path

    @property
    def packed(self) -> Path:
        return self.path.with_suffix(".xml.gz")


def version_at(moment: datetime, after: str | None = None) -> str:
    """A version's name is its moment, to the microsecond; names grow, also when the clock does not."""
    moment = moment.astimezone(UTC)
    if after is not None:
        moment = max(moment, moment_of(after) + timedelta(microseconds=1))
    return moment.strftime(_FORMAT)


def moment_of(version: str) -> datetime:
    """When a version was made."""
    return datetime.strptime(version, _FORMAT).replace(tzinfo=UTC)


def served(connection: str) -> FeedFile | None:
    """The version that is served now."""
    try:
        path = (_folder() / f"{connection}.xml").resolve(strict=True)
    except FileNotFoundError:
        return None
    return FeedFile(path.stem, path)


def write(connection: str, version: str, body: bytes) -> FeedFile:
    """Stores a version, whole and safe on disk; it is not served yet."""
    made = FeedFile(version, _folder() / connection / f"{version}.xml")
    made.path.parent.mkdir(mode=0o700, exist_ok=True)
    _store(made.path, body)
    _store(made.packed, gzip.compress(body, compresslevel=6, mtime=0))
    return made


def serve(connection: str, file: FeedFile) -> None:
    """Makes a stored version the served one and removes the oldest."""
    link = _folder() / f"{connection}.xml"
    beside = link.with_suffix(f".{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    beside.symlink_to(file.path.relative_to(link.parent))
    beside.replace(link)
    _sync(link.parent)
    _prune(file.path.parent)


def _folder() -> Path:
    folder = home() / "feeds"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _store(path: Path, body: bytes) -> None:
    beside = path.with_suffix(f"{path.suffix}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """A rename is safe once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prune(folder: Path) -> None:
    versions = sorted({path.name.partition(".")[0] for path in folder.iterdir()})
    for old in versions[:-KEPT]:
        for path in folder.glob(f"{old}.*"):
            path.unlink(missing_ok=True)
