"""The master key of an installation: `KERUEN_MASTER_KEY`, else `$KERUEN_HOME/master.key`, made once, mode 0600."""

import base64
import binascii
import os
import secrets
from functools import lru_cache
from pathlib import Path

from connectors.sdk.errors import ConfigError
from dagster_project.home import home, locked
from mappings.privacy.seal import MASTER_BYTES, Keys

VARIABLE = "KERUEN_MASTER_KEY"


def keys() -> Keys:
    """What the master key gives. Raises ConfigError where it cannot be used; makes one where there is none."""
    return _keys(os.environ.get(VARIABLE) or _stored(home() / "master.key"))


@lru_cache(maxsize=4)
def _keys(written: str) -> Keys:
    try:
        master = base64.b64decode(written, validate=True)
    except binascii.Error:
        master = b""
    if len(master) < MASTER_BYTES:
        raise ConfigError(
            f"the master key is not {MASTER_BYTES} bytes in base64: put the one from your backup into {VARIABLE} or "
            "master.key of KERUEN_HOME; `openssl rand -base64 32` makes one for a new home."
        )
    return Keys.of(master)


def _stored(path: Path) -> str:
    if not path.exists():
        _make(path)
    told = path.stat()
    if told.st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    return _read(path, told.st_ino, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, *_version: int) -> str:
    """Once for every version of the file: who opens a thousand rows one by one asks a thousand times."""
    return path.read_text("ascii").strip()


def _make(path: Path) -> None:
    """Two processes that start at once must agree on one key."""
    with locked(path.with_suffix(".lock")):
        if path.exists():
            return
        draft = path.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(MASTER_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
