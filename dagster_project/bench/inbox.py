"""A channel in a process of its own that takes counts in batches and says which ids it processed; it keeps no more."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Inbox:
    """`requests` and `rows` received."""

    def __init__(self) -> None:
        self.requests = self.rows = 0

    async def take(self, request: Request) -> Response:
        rows = json.loads(await request.body())
        self.requests += 1
        self.rows += len(rows)
        body = json.dumps({"processed_ids": [row["id"] for row in rows]})
        return Response(body, media_type="application/json")

    async def count(self, request: Request) -> Response:
        return Response(json.dumps({"requests": self.requests, "rows": self.rows}), media_type="application/json")


@contextmanager
def receiving() -> Iterator[str]:
    """The base url: `POST /stock` takes a list of `{id, quantity}`, `GET /count` tells what came."""
    command = [sys.executable, "-m", "dagster_project.bench.inbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _serve() -> None:
    import socket

    inbox = Inbox()
    app = Starlette(routes=[Route("/stock", inbox.take, methods=["POST"]), Route("/count", inbox.count)])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")).run([listener])


if __name__ == "__main__":
    _serve()
