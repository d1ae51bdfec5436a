"""Where an installation keeps its data: `$KERUEN_HOME`, and the locks that several processes share there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from connectors.sdk.errors import ConfigError

DEFAULT = Path(".keruen")


class AlreadyUp(ConfigError):
    """Another `keruen up` runs on this home; its message names the process and what to do."""


def home() -> Path:
    """The folder of this installation, made when missing (mode 0700: it holds secrets and receipts).

    The first call makes `$KERUEN_HOME` (default `./.keruen`) absolute and exports it, so that a child
    process, or a later change of the working folder, still means the same home.
    """
    folder = Path(os.environ.get("KERUEN_HOME") or DEFAULT).expanduser().resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["KERUEN_HOME"] = str(folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time is inside; the kernel lets go when the holder dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shared(path: Path) -> IO[str]:
    """An open file that says "I use this" until it is closed or its process dies."""
    file = path.open("a")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def alone(file: IO[str]) -> bool:
    """Whether nobody else holds what `shared` gave; if so, the caller now holds it exclusively."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def sole_up(folder: Path) -> Iterator[None]:
    """The right to run `keruen up` on this home.

    Raises AlreadyUp at once, having changed nothing, when another process has it.
    """
    with (folder / "up.lock").open("a+") as file:
        if not alone(file):
            file.seek(0)
            raise AlreadyUp(
                f"Keruen is already up on {folder} (process {file.read().strip() or 'just starting'}). "
                "Use that one, stop it with Ctrl-C, or name another folder in KERUEN_HOME."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def up_since(folder: Path) -> float | None:
    """When the `keruen up` of this home began, in seconds since 1970; None where none runs."""
    try:
        return psutil.Process(int((folder / "up.lock").read_text())).create_time()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
