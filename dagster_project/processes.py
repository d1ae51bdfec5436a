"""Children of `keruen up`: started in sessions of their own, stopped politely, then for certain (architecture 15)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

PATIENCE = 20.0
"""Seconds a child has between SIGTERM and SIGKILL."""


def _default_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def start(
    arguments: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> subprocess.Popen[str]:
    """A child of its own session, so that Ctrl-C in the terminal reaches us alone and we choose the order of ending."""
    sink: IO[str] | int | None = log.open("a") if log else None
    return subprocess.Popen(
        arguments,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else sink,
        stderr=sink,
        text=True,
        start_new_session=True,
        preexec_fn=_default_signals,
    )


def python(*arguments: str) -> list[str]:
    """A command line of this very interpreter."""
    return [sys.executable, *arguments]


def stop(children: Sequence[subprocess.Popen[str]], patience: float = PATIENCE) -> None:
    """SIGTERM to every child's session, then SIGKILL to those that stay. Returns when all are gone."""
    for child in children:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + patience
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
    for child in children:
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
