"""A vendor with one route, and a hub that remembers what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk import Bearer, Http
from connectors.sdk.runtime import Attempt
from connectors.sdk.testing.sandbox import Sandbox

TOKEN = SecretStr("s3cret-token")


@dataclass
class Shared:
    """A bucket as the store gives one: it says how long to wait, and remembers who was paused."""

    wait: float = 0.0
    taken: list[tuple[Any, ...]] = field(default_factory=list)
    paused: list[tuple[str, float]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        self.taken.append((account, cost, per_second, burst))
        return self.wait

    def pause(self, account: str, seconds: float) -> None:
        self.paused.append((account, seconds))


@dataclass
class Vendor:
    """One route that says what it is told to say, and the effects it had."""

    answer: Callable[[Request], Response] = lambda request: JSONResponse({"ok": True})
    effects: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    sandbox: Sandbox = field(init=False)
    url: str = ""

    def __post_init__(self) -> None:
        async def anything(request: Request) -> Response:
            if request.method != "GET":
                self.bodies.append(await request.body())
                self.effects.append(await request.json())
            return self.answer(request)

        self.sandbox = Sandbox("vendor", [Route("/{path:path}", anything, methods=["GET", "POST", "PUT"])])

    def says(self, status: int, body: str | bytes = "{}", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda request: Response(body, status, named)


def client(vendor: Vendor, **options: Any) -> Http:
    return Http(f"{vendor.url}/api", **{"account": "acme", "auth": Bearer(TOKEN), **options})
