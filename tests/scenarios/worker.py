"""A delivery in a process of its own that dies where it is told to. One order per line of standard input:

    {"connection", "capability", "now", "batch", "die"}

`die`: [name of a step, how often it happened], where the process is killed as by `kill -9`; or null. Answers with one
line: {"killed": bool, "left": how many requests had left by then}.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from urllib3.connection import HTTPConnection

from connectors.sdk.runtime import LocalBucket, Runtime, using
from dagster_project.connections import Connection, load
from dagster_project.steps.deliver import deliver
from dagster_project.store import database


class Steps:
    """Counts what happens and ends the process at the moment asked for."""

    def __init__(self, die: list[Any] | None, report: int):
        self.seen: Counter[str] = Counter()
        self.die, self.report = die and tuple(die), report

    @property
    def left(self) -> int:
        return self.seen["before the wait for an answer"]

    def step(self, name: str) -> None:
        self.seen[name] += 1
        if (name, self.seen[name]) == self.die:
            os.write(self.report, json.dumps({"left": self.left}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, method: str, name: str) -> None:
        whole: Callable[..., Any] = getattr(owner, method)

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.step(f"before {name}")
            result = whole(*args, **kwargs)
            self.step(f"after {name}")
            return result

        setattr(owner, method, stepped)


def work(order: dict[str, Any], report: int) -> None:
    """In the child: deliver, and tell what came of it."""
    steps = Steps(order["die"], report)
    engine = database.engine()
    steps.around(engine.dialect, "do_commit", "a commit")
    steps.around(requests.Session, "send", "a request")
    steps.around(HTTPConnection, "getresponse", "the wait for an answer")
    steps.around(Path, "replace", "a rename")
    now = datetime.fromisoformat(order["now"])
    hub = load()
    connection = with_batch(hub[order["connection"]], order["batch"])
    with using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):
        done = deliver(engine, hub, connection, order["capability"], now=lambda: now)
    os.write(report, json.dumps({"counts": asdict(done), "left": steps.left}).encode())


def with_batch(connection: Connection, batch: int | None) -> Connection:
    """The same connection, its connector sending fewer changes a request."""
    spec = connection.spec
    assert spec is not None
    return replace(
        connection, spec=replace(spec, sinks=tuple(replace(sink, batch=batch or sink.batch) for sink in spec.sinks))
    )


def serve() -> None:
    """Each order in a fork of its own: a killed one costs milliseconds, not an interpreter's start."""
    load()
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(json.loads(line), write)
                code = 0
            finally:
                sys.stderr.flush()
                if code:
                    import traceback

                    traceback.print_exc()
                os._exit(code)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read, "rb") as report:
            told = report.read()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        failed = not killed and status != 0
        print(json.dumps({"killed": killed, "failed": failed, **json.loads(told or b"{}")}), flush=True)


if __name__ == "__main__":
    serve()
