"""UniSender on loopback, as its contract has it: refusals inside a 200, imports that succeed in part, and its traps."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, Seen, utc_now
from connectors.sdk.testing.shop import Shop
from connectors.unisender.sandbox_account import Contact, Refusal, UniSender
from connectors.unisender.sandbox_methods import METHODS, too_often
from connectors.unisender.source import stamp

KEY = "sandbox-unisender-key"
A_MINUTE = 1200
READS = {
    "getLists", "getFields", "getContact", "isContactInList", "isContactInLists", "getCampaigns",
    "getCampaignCommonStats", "getCampaignDeliveryStats", "getVisitedLinks", "exportContacts", "getTaskResult",
}  # fmt: skip

DEMO = Demo(
    people=True,
    settings={},
    secrets={"api_key": KEY},
    connection={"push": {"segment": "auto", "customer": "auto", "first": "auto"}, "country": "KZ"},
    unlimited={"per_second": 1000},
)


def sandbox(
    shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now
) -> UniSender:
    """An account with the shop's people who gave an e-mail: a common list, VIPs, and the letters of two campaigns."""
    state = UniSender(clock)
    state.sandbox = Sandbox(
        "unisender", _routes(state), limits=limits, clock=clock, limit=lambda request: _too_fast(state, request),
        too_many=lambda seconds: _error("api_call_limit_exceeded_for_api_key", "Too many requests"), reads=_reads,
    )  # fmt: skip
    if shop is not None:
        _open(state, shop)
    return state


def _reads(seen: Seen) -> bool:
    """Any method may come as a GET, those that write too."""
    return seen.path.startswith("/files/") or seen.path.rpartition("/")[2] in READS


def _open(state: UniSender, shop: Shop) -> None:
    random = Random("unisender")
    everybody, best = state.listed("Общий список"), state.listed("VIP")
    for place, person in enumerate(one for one in shop.people if one.email):
        joined = shop.now - timedelta(days=random.randrange(30, 900), minutes=random.randrange(1440))
        status = "unsubscribed" if place % 11 == 5 else "new" if place % 7 == 3 else "active"
        state.contacts[str(person.email)] = Contact(
            email=str(person.email), status=status, added=stamp(joined), phone=person.phone.lstrip("+"),
            confirmed=stamp(joined + timedelta(minutes=7)) if place % 3 else "",
            lists={everybody, best} if place % 10 == 0 else {everybody}, left={best} if place % 40 == 9 else set(),
            fields={"Name": f"{person.first_name} {person.last_name}", "City": person.city},
        )  # fmt: skip
    for days, subject in ((9, "Наурыз жақындап келеді"), (3, "Новинки недели")):
        at = shop.now - timedelta(days=days, hours=2)
        campaign = state.mailed(everybody, subject, at)
        for email in state.letters[campaign]:
            result = random.choices(*_FATES)[0]
            state.letters[campaign][email] = [email, result, stamp(at + timedelta(minutes=random.randrange(1, 2000)))]


_FATES = (
    ("ok_delivered", "ok_read", "ok_link_visited", "err_user_unknown", "err_mailbox_full", "ok_fbl"),
    (60, 28, 9, 1, 1, 0.2),
)


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _routes(state: UniSender) -> list[Route]:
    async def endpoint(request: Request) -> Response:
        method, body = request.path_params["method"], (await request.body()).decode(errors="replace")
        try:
            arguments = _arguments(request.url.query) | _arguments(body)
            if arguments.get("api_key") != KEY:
                return _error("invalid_api_key", "AH100309-02 [The incorrect or blank api key]")
            if method not in METHODS:
                return _error("unknown_method", f"Unknown method {method}")
            return JSONResponse({"result": METHODS[method](state, arguments, request)})
        except Refusal as refusal:
            return _error(refusal.code, str(refusal))
        except KeyError as missing:
            return _error("invalid_arg", f"The argument {missing} is required")
        except (ValueError, TypeError, AttributeError):
            return _error("invalid_arg", "An argument is of another kind")

    async def file(request: Request) -> Response:
        found = state.files.get(request.path_params["name"])
        return PlainTextResponse(found, media_type="text/csv") if found is not None else PlainTextResponse("", 404)

    return [
        Route("/{language}/api/{method:path}", endpoint, methods=["GET", "POST"]),
        Route("/files/{name}.csv", file),
    ]


def _error(code: str, words: str) -> Response:
    return JSONResponse({"error": words, "code": code})


def _arguments(form: str) -> dict[str, Any]:
    """`data[0][1]=x` → nested mappings by text keys, as PHP reads a form, or what stands behind the address.

    Empty brackets stand for the next number.
    """
    found: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        steps = name.replace("]", "").split("[")
        place = found
        for step in steps[:-1]:
            place = place.setdefault(step or str(len(place)), {})
        place[steps[-1] or str(len(place))] = value
    return found


def _too_fast(state: UniSender, request: Request) -> Response | None:
    if too_often(state.called, state.sandbox.clock(), A_MINUTE):
        return _error("api_call_limit_exceeded_for_api_key", f"More than {A_MINUTE} calls in a minute")
    return None


def life(state: UniSender, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's readers: each call somebody opens a letter, follows its link, or has had enough."""
    random, ticks = Random(f"unisender {seed}"), count(1)

    def reading() -> None:
        campaign = state.campaigns[-1]["id"]
        waiting: Sequence[str] = [
            email for email, row in state.letters[campaign].items() if row[1] in ("ok_delivered", "ok_read")
        ]
        if waiting:
            result = "ok_unsubscribed" if next(ticks) % 25 == 0 else random.choice(("ok_read", "ok_link_visited"))
            state.turns(campaign, random.choice(waiting), result)

    return reading


__all__ = ["DEMO", "KEY", "Contact", "UniSender", "life", "sandbox"]
