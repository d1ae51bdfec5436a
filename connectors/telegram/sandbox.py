"""Telegram on loopback: updates wait for a day, are forgotten once passed over, and only one reader may ask."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sdk import Change
from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, Seen, utc_now
from connectors.sdk.testing.shop import Person, Shop

TOKEN = "6000000001:sandbox-telegram-token"
FIRST_UPDATE, FIRST_USER = 10_000, 5_000_000_001
KEPT = timedelta(hours=24)
MOST = 100
LONGEST = 4096
AUDIENCE = "VIP"
PER_SECOND = 30
"""Messages of a bot in any second; to one person it is one (contract A1)."""
READERS = 150
"""People of the shop who know the bot."""
BLOCKED, GONE = "bot was blocked by the user", "user is deactivated"
BOT = {"id": 6_000_000_001, "is_bot": True, "first_name": "Shop", "username": "example_shop_bot"}

DEMO = Demo(
    people=True,
    settings={
        "consent_text": "start-1",
        "messages": {AUDIENCE: "Сізге ерекше ұсыныс бар. Для вас особое предложение."},
    },
    secrets={"token": TOKEN},
    unlimited={"per_second": 1000},
)


@dataclass
class Telegram:
    """The bot's state: `waiting` are updates nobody has passed over yet, `sent` messages to people; `known`: whoever
    ever started the bot → whether it may still write to them; `gone`: accounts that are no more;
    `lately`: when and to whom it wrote in the last second.
    """

    clock: Callable[[], datetime]
    waiting: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    known: dict[int, bool] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    lately: list[tuple[float, Any]] = field(default_factory=list)
    webhook: bool = False
    next_id: int = FIRST_UPDATE
    sandbox: Sandbox = field(init=False)

    def too_soon(self, chat: Any) -> bool:
        """Whether one more message in this second is more than Telegram takes, of the bot or to the person."""
        now = self.sandbox.clock().timestamp()
        self.lately = [(at, to) for at, to in self.lately if at > now - 1]
        if len(self.lately) >= PER_SECOND or chat in {to for _, to in self.lately}:
            self.sandbox.too_fast += 1
            return True
        self.lately.append((now, chat))
        return False

    def _happens(self, what: str, user: dict[str, Any], at: datetime | None, **facts: Any) -> dict[str, Any]:
        moment = at or self.clock()
        chat = {"id": user["id"], "first_name": user["first_name"], "type": "private"}
        update = {"update_id": self.next_id,
                  what: {"from": user, "chat": chat, "date": int(moment.timestamp()), **facts}}  # fmt: skip
        if what == "message":
            update[what]["message_id"] = self.next_id
        self.next_id += 1
        self.known[user["id"]] = facts.get("new_chat_member", {}).get("status") != "kicked"
        self.waiting.append(update)
        return update

    def writes(self, user: dict[str, Any], text: str, at: datetime | None = None) -> dict[str, Any]:
        return self._happens("message", user, at, text=text)

    def starts(self, user: dict[str, Any], token: str = "", at: datetime | None = None) -> dict[str, Any]:
        return self.writes(user, f"/start {token}".strip(), at)

    def shares(self, user: dict[str, Any], phone: str, at: datetime | None = None, **other: Any) -> dict[str, Any]:
        """A contact: the user's own unless `other` says whose."""
        contact = {"phone_number": phone, "first_name": user["first_name"], "user_id": user["id"], **other}
        return self._happens("message", user, at, contact=contact)

    def becomes(self, user: dict[str, Any], status: str, at: datetime | None = None) -> dict[str, Any]:
        """Blocks the bot (kicked) or comes back (member)."""
        was = "member" if status == "kicked" else "kicked"
        return self._happens("my_chat_member", user, at, old_chat_member={"user": BOT, "status": was},
                             new_chat_member={"user": BOT, "status": status})  # fmt: skip

    def deletes(self, user: dict[str, Any]) -> None:
        """The account is no more; no update tells of it."""
        self.known[user["id"]] = False
        self.gone.add(user["id"])

    def changes(self, capability: str) -> list[Change]:
        """What the conformance kit may send: a message to people who may be written to."""
        reachable = [str(user) for user, may in self.known.items() if may][:3]
        value = {"audience": AUDIENCE, "member": True}
        return [
            Change(capability, f"vip/{one}", "", value, key=f"kit:{one}", about={"account": one}) for one in reachable
        ]


def a_user(number: int = 0, first_name: str = "Aigerim", **facts: Any) -> dict[str, Any]:
    return {"id": FIRST_USER + number, "is_bot": False, "first_name": first_name, "language_code": "ru", **facts}


def sandbox(
    shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now
) -> Telegram:
    """A bot that some of the shop's people started yesterday; some shared their phone, a few blocked it."""
    state = Telegram(clock)
    state.sandbox = Sandbox(
        "telegram", _routes(state), limits=limits, clock=clock, too_many=_too_many, reads=_reads
    )  # fmt: skip
    if shop is not None:
        for place, person in enumerate(shop.people[:READERS:2]):
            _meets(state, place, person, shop.now - timedelta(hours=20) + timedelta(minutes=place))
    return state


def _meets(state: Telegram, place: int, person: Person, at: datetime) -> None:
    user = a_user(place, person.first_name, last_name=person.last_name)
    state.starts(user, at=at)
    if place % 3 == 0:
        state.shares(user, person.phone.lstrip("+"), at + timedelta(seconds=20))
    if place % 17 == 16:
        state.becomes(user, "kicked", at + timedelta(minutes=5))


def _reads(seen: Seen) -> bool:
    return seen.path.lower().endswith(("/getupdates", "/getme"))


def _too_many(seconds: float) -> Response:
    parameters = {"retry_after": int(seconds)}
    return _error(429, f"Too Many Requests: retry after {int(seconds)}", parameters=parameters)


def _error(code: int, words: str, **more: Any) -> Response:
    return JSONResponse({"ok": False, "error_code": code, "description": words, **more}, code)


def _routes(state: Telegram) -> list[Route]:
    async def endpoint(request: Request) -> Response:
        if request.path_params["token"] != f"bot{TOKEN}":
            return _error(401, "Unauthorized")
        method = METHODS.get(request.path_params["method"].lower())
        if method is None:
            return _error(404, "Not Found: method not found")
        try:
            made = method(state, await _asked(request))
        except (ValueError, TypeError, AttributeError):
            return _error(400, "Bad Request: can't parse the request")
        return made if isinstance(made, Response) else JSONResponse({"ok": True, "result": made})

    return [Route("/{token}/{method}", endpoint, methods=["GET", "POST"])]


async def _asked(request: Request) -> dict[str, Any]:
    """Arguments of the address, and of a form or a JSON body; there lists are JSON, too."""
    told, body = parse_qsl(request.url.query), await request.body()
    if "json" in request.headers.get("content-type", ""):
        return {**dict(told), **(json.loads(body) if body else {})}
    found: dict[str, Any] = dict([*told, *parse_qsl(body.decode())])
    return found | {name: json.loads(found[name]) for name in ("allowed_updates",) if name in found}


def _sent(state: Telegram, asked: dict[str, Any]) -> Response:
    """Only to those who started the bot and have not blocked it since."""
    chat, text = int(asked.get("chat_id") or 0), str(asked.get("text") or "")
    if state.sandbox.limits == "contract" and state.too_soon(chat):
        return _too_many(1)
    if chat not in state.known:
        return _error(400, "Bad Request: chat not found")
    if not state.known[chat]:
        return _error(403, f"Forbidden: {GONE if chat in state.gone else BLOCKED}")
    if not 0 < len(text) <= LONGEST:
        return _error(400, "Bad Request: message is too long" if text else "Bad Request: message text is empty")
    message = {"message_id": len(state.sent) + 1, "from": BOT, "chat": {"id": chat, "type": "private"},
               "date": int(state.sandbox.clock().timestamp()), "text": text}  # fmt: skip
    state.sent.append(message)
    return JSONResponse({"ok": True, "result": message})


def _updates(state: Telegram, asked: dict[str, Any]) -> Any:
    """What is below the offset was confirmed by asking and is gone; so is what is older than a day."""
    if state.webhook:
        return _error(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
    offset, since = int(asked.get("offset") or 0), (state.sandbox.clock() - KEPT).timestamp()
    state.waiting = [one for one in state.waiting if one["update_id"] >= offset and _date(one) > since]
    wanted = asked.get("allowed_updates")
    found = [one for one in state.waiting if not wanted or any(name in one for name in wanted)]
    return found[: min(int(asked.get("limit") or MOST), MOST)]


def _date(update: dict[str, Any]) -> int:
    return int((update.get("message") or update["my_chat_member"])["date"])


def _set_webhook(state: Telegram, asked: dict[str, Any]) -> Any:
    """An empty address is none. Nothing is called: whoever tries a hook calls it himself."""
    url, most = str(asked.get("url") or ""), int(asked.get("max_connections") or 40)
    if (url and not url.startswith("https://")) or not 1 <= most <= 100:
        return _error(400, "Bad Request: bad webhook: an HTTPS URL must be provided for webhook")
    state.webhook = bool(url)
    if asked.get("drop_pending_updates") in (True, "true", "True", "1"):
        state.waiting.clear()
    return True


METHODS: Mapping[str, Callable[[Telegram, dict[str, Any]], Any]] = {
    "getme": lambda state, asked: BOT,
    "sendmessage": _sent,
    "getupdates": _updates,
    "setwebhook": _set_webhook,
    "deletewebhook": lambda state, asked: _set_webhook(state, {**asked, "url": ""}),
}
"""By lower case: Telegram does not mind how a method is written."""


def life(state: Telegram, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's callers: somebody starts the bot, shares a phone, or has had enough."""
    random = Random(f"telegram {seed}")

    def calling() -> None:
        place = random.randrange(min(READERS, len(shop.people)))
        person = shop.people[place]
        user = a_user(place, person.first_name, last_name=person.last_name)
        choice = random.random()
        if choice < 0.7:
            state.starts(user)
        elif choice < 0.95:
            state.shares(user, person.phone.lstrip("+"))
        else:
            state.becomes(user, "kicked")

    return calling


__all__ = ["DEMO", "TOKEN", "Telegram", "a_user", "life", "sandbox"]
