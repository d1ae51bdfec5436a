"""The portal's door: who comes in, how fast, and how long each method has worked (contract bitrix24 1, 2, 3 and 5)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Method = Callable[[Any, dict[str, Any]], Any]
Body = dict[str, Any]

CAPACITY, DRAIN = 50.0, 2.0
BASKET, BASKETS, BUDGET = 60.0, 10, 480.0
REFERENCE = re.compile(r"\$result\[([^\]]+)\]((?:\[[^\]]+\])*)")
HALTS = ("1", 1, True)
FIRST = "first-refresh-token"
LASTS = 3600
"""Seconds that an access token is good for."""
INSTALLED = {
    "client_endpoint": "https://portal.example/rest/", "server_endpoint": "https://oauth.bitrix.info/rest/",
    "domain": "oauth.bitrix.info", "member_id": "0123456789abcdef0123456789abcdef", "scope": "crm,catalog,sale",
    "status": "L", "user_id": 1,
}  # fmt: skip
"""What comes with every pair of tokens; the domain is the authorization server's."""
OF_APPLICATIONS = ("event.bind", "event.offline.")
"""Methods that refuse a webhook (contract 1)."""


class Refusal(Exception):
    """The portal's no. `code` is text or a number, and empty in the older methods."""

    def __init__(self, status: int, code: Any, words: str = ""):
        super().__init__(words)
        self.status = status
        self.said: Body = {"error": code, "error_description": words}


@dataclass
class Door:
    """`level` of the leaky bucket; `worked`: seconds of each method by minute; `cost`: seconds that a call takes;
    `blocked`: calls, those inside a batch too, of methods that had no time left. `by_hook`: the caller came by the
    webhook. `expires`: when the access token does.
    """

    hook: str
    clock: Callable[[], datetime]
    counting: bool = True
    level: float = 0.0
    at: float | None = None
    worked: dict[str, dict[int, float]] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    access_token: str = ""
    expires: float = 0.0
    by_hook: bool = False
    refresh_token: str = FIRST
    application: tuple[str, str] = ("local.app", "sandbox-app-secret")
    refreshes: int = 0
    blocked: int = 0

    def now(self) -> float:
        return self.clock().timestamp()

    def limit(self) -> Response | None:
        """Capacity 50, drained by 2 a second, whoever asks."""
        now = self.now()
        self.level = max(0.0, self.level - (now - (self.at if self.at is not None else now)) * DRAIN)
        self.at = now
        if self.level >= CAPACITY:
            return JSONResponse({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, 503)
        self.level += 1
        return None

    def refuses(self, request: Request, params: Mapping[str, Any]) -> Response | None:
        self.by_hook = "user" in request.path_params
        if self.by_hook:
            given = f"{request.path_params['user']}/{request.path_params['code']}"
            return None if given == self.hook else _no(401, "NO_AUTH_FOUND", "Wrong authorization data")
        token = request.query_params.get("auth") or params.get("auth")
        if not token:
            return _no(401, "NO_AUTH_FOUND", "Wrong authorization data")
        fresh = token == self.access_token and self.now() < self.expires
        return None if fresh else _no(401, "expired_token", "The access token has expired")

    def refreshed(self, asked: Mapping[str, str]) -> tuple[int, Body]:
        """A new pair; the refresh token that was shown is void from now on."""
        if (asked.get("client_id"), asked.get("client_secret")) != self.application:
            return 401, {"error": "invalid_client"}
        if asked.get("grant_type") != "refresh_token" or asked.get("refresh_token") != self.refresh_token:
            return 400, {"error": "invalid_grant"}
        self.refreshes += 1
        self.expires = self.now() + LASTS
        self.access_token = f"access-{self.refreshes}"
        self.refresh_token = f"refresh-{self.refreshes}"
        pair = {"access_token": self.access_token, "refresh_token": self.refresh_token, "expires_in": LASTS}
        return 200, {**pair, **INSTALLED, "expires": int(self.expires)}

    def work(self, method: str) -> Body:
        """Lets the method work, and tells what it has used. Raises Refusal where its ten minutes are spent."""
        now = self.now()
        minute = int(now // BASKET)
        kept = {at: spent for at, spent in self.worked.get(method, {}).items() if at > minute - BASKETS}
        used, reset = sum(kept.values()), (min(kept, default=minute) + BASKETS) * BASKET
        if self.counting and used >= BUDGET:
            self.blocked += 1
            refusal = Refusal(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit")
            refusal.said["time"] = {"operating": used, "operating_reset_at": reset}
            raise refusal
        spent = self.cost.get(method, 0.02)
        self.worked[method] = {**kept, minute: kept.get(minute, 0.0) + spent}
        return {**self.time(spent), "operating": round(used + spent, 6), "operating_reset_at": reset}

    def time(self, spent: float = 0.02) -> Body:
        now = self.clock()
        return {"start": now.timestamp(), "finish": now.timestamp(), "duration": spent, "processing": spent,
                "date_start": now.isoformat(), "date_finish": now.isoformat()}  # fmt: skip


def too_many(seconds: float, now: datetime) -> Response:
    time = {"operating": BUDGET, "operating_reset_at": now.replace(microsecond=0).timestamp() + seconds}
    return JSONResponse({"error": "OPERATION_TIME_LIMIT", "error_description": "blocked", "time": time}, 429)


def _no(status: int, code: str, words: str) -> Response:
    return JSONResponse({"error": code, "error_description": words}, status)


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def asked(request: Request) -> Body:
    """Parameters of the query and of a form, PHP's brackets resolved, and of a JSON body. Raises Refusal for others."""
    body = await request.body()
    try:
        params = nested(parse_qsl(request.url.query, keep_blank_values=True))
        if "form-urlencoded" in request.headers.get("content-type", ""):
            return lowered({**params, **nested(parse_qsl(body.decode(), keep_blank_values=True))})
        return lowered({**params, **(await request.json() if body else {})})
    except (ValueError, TypeError, AttributeError):
        raise Refusal(400, "INVALID_REQUEST", "Invalid request") from None


def lowered(params: Body) -> Body:
    """Names of parameters are taken in capitals as well: the vendor's own examples write FILTER and FIELDS."""
    return {name.lower() if name.isupper() else name: value for name, value in params.items()}


def nested(pairs: list[tuple[str, str]]) -> Body:
    """`filter[>ID]=5` → {"filter": {">ID": "5"}}; numbers in brackets stay keys, see `listed`."""
    found: Body = {}
    for name, value in pairs:
        steps = name.replace("]", "").split("[")
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1] or str(len(inner))] = value
    return found


def listed(value: Any) -> list[Any]:
    """A list of PHP: a JSON list, a map with numbers for keys, or one value alone."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def as_map(value: Any) -> Body:
    """A map of PHP: a list is one whose keys are 0, 1, …"""
    return value if isinstance(value, dict) else {str(place): one for place, one in enumerate(listed(value))}


# ── what is answered ──────────────────────────────────────────────────────────────────────────────────────────────────


def answered(portal: Any, door: Door, methods: Mapping[str, Method], method: str, params: Body) -> Response:
    try:
        if method == "batch":
            return JSONResponse({"result": _batch(portal, door, methods, params), "time": door.time()})
        body, time = _run(portal, door, methods, method, params)
    except Refusal as no:
        return JSONResponse(no.said, no.status)
    return JSONResponse({**body, "time": time})


def _run(portal: Any, door: Door, methods: Mapping[str, Method], method: str, params: Body) -> tuple[Body, Body]:
    """The body without its time, and the time. Lists bring `total` and `next` themselves."""
    if door.by_hook and method.startswith(OF_APPLICATIONS):
        raise Refusal(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
    if method not in methods:
        raise Refusal(404, "ERROR_METHOD_NOT_FOUND", f"Method {method} not found")
    time = door.work(method)
    try:
        made = methods[method](portal, params)
    except (ValueError, TypeError, KeyError, AttributeError):
        # what the contract does not say of a value of another kind: the vendor refuses it, and never breaks
        raise Refusal(400, "INVALID_ARG_VALUE", "Invalid value") from None
    return (made if isinstance(made, Rows) else {"result": made}), time


class Rows(dict[str, Any]):
    """The body of a list."""


def _batch(portal: Any, door: Door, methods: Mapping[str, Method], params: Body) -> Body:
    """Command by command; references see what came before. Empty maps are `[]`, as PHP writes them."""
    commands = as_map(params.get("cmd"))
    if len(commands) > 50:
        raise Refusal(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    results: Body = {}
    errors: Body = {}
    told: dict[str, Body] = {"total": {}, "next": {}}
    times: Body = {}
    for key, command in commands.items():
        method, _, query = str(command).partition("?")
        try:
            if method.lower() == "batch":
                raise Refusal(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            own = _resolved(_of_command(query), results)
            body, times[key] = _run(portal, door, methods, method.lower(), own)
            results[key] = body["result"]
            for part in told.keys() & body.keys():
                told[part][key] = body[part]
        except Refusal as no:
            errors[key] = no.said
            if params.get("halt") in HALTS:
                break
    return {"result": results or [], "result_error": errors or [], "result_time": times or [],
            **{f"result_{part}": some or [] for part, some in told.items()}}  # fmt: skip


def _of_command(query: str) -> Body:
    try:
        return lowered(nested(parse_qsl(query, keep_blank_values=True)))
    except (ValueError, TypeError, AttributeError):
        raise Refusal(400, "INVALID_REQUEST", "Invalid request") from None


def _resolved(value: Any, results: Body) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(inner, results) for name, inner in value.items()}
    found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else _picked(results.get(found[1]), re.findall(r"\[([^\]]+)\]", found[2]))


def _picked(value: Any, steps: list[str]) -> Any:
    """What a reference stands for; the empty text where a step leads nowhere."""
    for step in steps:
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else str(value)
