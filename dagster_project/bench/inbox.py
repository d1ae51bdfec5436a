"""A channel's sandbox in a process of its own: it takes counts in batches and shows them, as vendors' sandboxes do."""

import json
import sys
from contextlib import AbstractContextManager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk.testing.sandbox import Sandbox, served
from dagster_project.bench.apart import served_by


def receiving() -> AbstractContextManager[str]:
    """The base url: `POST /stock` takes a list of `{id, quantity}`; `GET /count` tells the requests and rows taken."""
    return served_by("dagster_project.bench.inbox")


def _serve() -> None:
    shown: dict[str, int] = {}
    received = {"requests": 0, "rows": 0}

    async def take(request: Request) -> Response:
        processed, errors = [], {}
        for row in json.loads(await request.body()):
            if isinstance(row["quantity"], int) and row["quantity"] >= 0:
                shown[row["id"]] = row["quantity"]
                processed.append(row["id"])
            else:
                errors[row["id"]] = "a count is a whole number"
        received["requests"] += 1
        received["rows"] += len(processed)
        return JSONResponse({"processed_ids": processed, "errors": errors})

    async def count(request: Request) -> Response:
        return JSONResponse(received)

    routes = [Route("/stock", take, methods=["POST"]), Route("/count", count)]
    with served(Sandbox("channel", routes, limits="off")) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
