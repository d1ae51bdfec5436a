"""Work, or a server, in a process of its own, which ends with whoever asked for it, however that one ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


def apart(work: Callable[..., Result], *given: Any) -> Result:
    """What `work` gives or raises; its memory is counted without the caller's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent) as child:
        return child.submit(_done, work, *given).result()


@contextmanager
def served_by(module: str, *arguments: object) -> Iterator[str]:
    """The base url that `module`, run as a program, prints; it serves until its input ends."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _end_with_parent() -> None:
    # whoever starts us in the background may have had SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Thread(target=_interrupted, daemon=True).start()


def _interrupted() -> None:
    """As Ctrl-C would: a store that was opened for the work is closed on the way out."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    for pid in (*(child.pid for child in active_children() if child.pid), os.getpid()):
        os.kill(pid, signal.SIGINT)


def _done(work: Callable[..., Result], *given: Any) -> Result:
    try:
        return work(*given)
    finally:
        if (parent := parent_process()) and not parent.is_alive():
            os._exit(1)  # nobody hears the answer, and a pool's process would wait for the next question
