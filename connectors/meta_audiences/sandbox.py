"""Meta's custom audiences on loopback: hashes come and go, and nobody is ever shown who is there."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk import Change
from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, utc_now
from connectors.sdk.testing.shop import Shop

TOKEN, ACCOUNT = "sandbox-meta-token", "120000000001"
ROWS = 10_000
HASHED = {"EMAIL", "PHONE", "FN", "LN"}
COLUMNS = HASHED | {"EXTERN_ID", "MADID", "ST", "ZIP", "COUNTRY", "GEN", "DOBY", "DOBM", "DOBD"}
NOTHING = sha256(b"").hexdigest()
FIRST = 23_850_000_000_001

DEMO = Demo(
    people=True,
    settings={"ad_account": ACCOUNT},
    secrets={"token": TOKEN},
    connection={"push": {"segment": "auto", "first": "auto"}, "country": "KZ"},
    unlimited={"per_second": 1000},
)


@dataclass
class Audience:
    """`rows`: what was uploaded, as pairs of column and value. Meta itself shows none of it."""

    id: str
    name: str
    rows: set[frozenset[tuple[str, str]]] = field(default_factory=set)
    status: int = 200
    replaced_by: int | None = None

    def holds(self, **row: str) -> bool:
        return frozenset(row.items()) in self.rows


@dataclass
class Meta:
    """The ad account. `samples`: whether answers show samples of invalid rows. `invalid`: values called so."""

    clock: Callable[[], datetime]
    audiences: dict[str, Audience] = field(default_factory=dict)
    samples: bool = True
    invalid: set[str] = field(default_factory=set)
    sandbox: Sandbox = field(init=False)

    def audience(self, name: str, **facts: Any) -> Audience:
        number = str(FIRST + len(self.audiences))
        self.audiences[number] = Audience(number, name, **facts)
        return self.audiences[number]

    def named(self, name: str) -> Audience:
        return next(one for one in self.audiences.values() if one.name == name)

    def changes(self, capability: str) -> list[Change]:
        """What the kit may send."""
        return [
            Change(capability, f"vip/person-{number}", "", {"audience": "vip", "member": True}, key=f"kit {number}",
                   about={"email": f"buyer{number}@example.com", "phone": f"+7700000000{number}"})
            for number in range(1, 6)
        ]  # fmt: skip


def sandbox(shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now) -> Meta:
    """An ad account with one audience. People come into it by us alone, so the shop has no part in it."""
    state = Meta(clock)
    state.sandbox = Sandbox("meta_audiences", _routes(state), limits=limits, clock=clock, too_many=_too_many)
    state.audience("vip")
    return state


def _too_many(seconds: float) -> Response:
    """Meta does not say how long, and its refusal is a 400."""
    return _error(80003, "There have been too many calls to this ad-account.", 400)


def _error(code: int, words: str, status: int = 400) -> Response:
    return JSONResponse(
        {"error": {"message": words, "type": "OAuthException", "code": code, "fbtrace_id": "A1"}}, status
    )


def _routes(state: Meta) -> list[Route]:
    def guarded(answer: Callable[[Meta, Request, Any], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            shown = (request.headers.get("authorization"), request.query_params.get("access_token"))
            if shown[0] != f"Bearer {TOKEN}" and shown[1] != TOKEN:
                return _error(190, "Invalid OAuth access token.", 401)
            if request.path_params.get("account", ACCOUNT) != ACCOUNT:
                return _error(100, "Unsupported request. Object with this ID does not exist.")
            try:
                made = answer(state, request, await request.json() if request.method != "GET" else None)
            except (ValueError, TypeError, AttributeError):
                return _error(100, "Invalid parameter")
            return made if isinstance(made, Response) else JSONResponse(made)

        return endpoint

    return [
        Route("/{version}/act_{account}/customaudiences", guarded(_list), methods=["GET"]),
        Route("/{version}/act_{account}/customaudiences", guarded(_create), methods=["POST"]),
        Route("/{version}/{audience}/users", guarded(_users), methods=["POST", "DELETE"]),
        Route("/{version}/{audience}/usersreplace", guarded(_users), methods=["POST"]),
    ]


def _list(state: Meta, request: Request, body: Any) -> Any:
    after, limit = int(request.query_params.get("after", 0)), int(request.query_params.get("limit", 25))
    found = list(state.audiences.values())[after : after + limit]
    more = after + limit < len(state.audiences)
    cursors = {"cursors": {"before": str(after), "after": str(after + len(found))}}
    following = {"next": str(request.url)} if more else {}
    return {
        "data": [{"id": one.id, "name": one.name, "operation_status": {"code": one.status}} for one in found],
        "paging": {**cursors, **following},
    }


def _create(state: Meta, request: Request, body: Any) -> Any:
    if body.get("subtype") != "CUSTOM" or not body.get("customer_file_source") or not body.get("name"):
        return _error(100, "Invalid parameter")
    return {"id": state.audience(body["name"]).id}


def _users(state: Meta, request: Request, body: Any) -> Any:
    audience = state.audiences.get(request.path_params["audience"])
    if audience is None:
        return _error(100, "Unsupported request. Object with this ID does not exist.")
    session, said = body.get("session") or {}, body.get("payload") or {}
    schema, rows = said.get("schema") or [], said.get("data") or []
    if not isinstance(session.get("session_id"), int) or not 0 < session["session_id"] < 2**63 or len(rows) > ROWS:
        return _error(100, "Invalid parameter")
    if not schema or not COLUMNS.issuperset(schema):
        return _error(100, "Invalid parameter: schema")
    read = [_row(state, schema, row) for row in rows]
    wrong, good = [row for row, one in zip(rows, read, strict=True) if one is None], {one for one in read if one}
    if request.url.path.endswith("/usersreplace"):
        _begin_anew(audience, session)
    # Whole rows: that a hash which two people share would take out both stands nowhere in the contract.
    audience.rows = audience.rows | good if request.method == "POST" else audience.rows - good
    samples = {f"row {place}": row for place, row in enumerate(wrong[:3])} if state.samples else {}
    return {"audience_id": audience.id, "session_id": str(session["session_id"]), "num_received": len(rows),
            "num_invalid_entries": len(wrong), "invalid_entry_samples": samples}  # fmt: skip


def _begin_anew(audience: Audience, session: dict[str, Any]) -> None:
    """With the first batch of a session everybody who was there is gone."""
    if audience.replaced_by != session["session_id"]:
        audience.rows, audience.replaced_by = set(), session["session_id"]


def _row(state: Meta, schema: list[str], row: Any) -> frozenset[tuple[str, str]] | None:
    """What a row tells, None where it is invalid: of another length than the schema, or a value of it."""
    if not isinstance(row, list) or len(row) != len(schema) or not all(map(partial(_valid, state), schema, row)):
        return None
    return frozenset((name, value) for name, value in zip(schema, row, strict=True) if value)


def _valid(state: Meta, name: str, value: Any) -> bool:
    """An empty text is a missing value; its hash is a person who exists for everybody who forgot to look."""
    if not isinstance(value, str) or value in state.invalid:
        return False
    return not value or name not in HASHED or (value != NOTHING and re.fullmatch(r"[0-9a-f]{64}", value) is not None)


__all__ = ["ACCOUNT", "DEMO", "TOKEN", "Audience", "Meta", "sandbox"]
