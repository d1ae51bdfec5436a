"""Http: sessions, time-outs, retries, rate limit, redaction. The one place that sleeps.

A read may be repeated and is; a write never is once it may have left. Whatever goes wrong comes out as the error tree
of `errors.py`, with a message that names the account and the request and holds neither secret nor personal data.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from math import isfinite
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from pydantic import SecretStr
from requests.auth import AuthBase
from requests.utils import get_environ_proxies
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import MaxRetryError, NewConnectionError

from connectors.sdk import runtime
from connectors.sdk.breaker import Breaker, failures_of
from connectors.sdk.errors import (
    ConfigError,
    ContractError,
    HubError,
    RejectedError,
    TransientError,
    UnansweredError,
)  # fmt: skip
from connectors.sdk.redact import redacted, sample

HEADERS = {"Accept-Encoding": "gzip", "Accept": "application/json", "User-Agent": "keruen"}
PATIENCE = 120.0
"""Seconds. A longer wait is the scheduler's business: the call ends in TransientError instead of sleeping."""
PAUSE = 1.0
"""Seconds an account rests after a 429 that does not say how long."""
SESSIONS = 32
"""Accounts whose connections a thread keeps alive; the oldest makes room."""
LEAST = 2.0
"""Seconds that must be left before the deadline for a write to leave: one cut short would be Unknown for nothing."""

# its debug lines quote addresses whole: a key in the path, a phone in the query
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

_AS_ZEROS, _LONG = bytes.maketrans(b"123456789", b"0" * 9), b"0" * 19
"""Where digits stand so long together, orjson could take a number for a float and round it."""
_back_off = wait_random_exponential(multiplier=0.5, max=30)
_sessions = threading.local()


@dataclass(frozen=True)
class Reply:
    """A vendor's answer. `ok`: status below 400."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    charset: str = "utf-8"
    request: str = ""
    secrets: Sequence[SecretStr] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def text(self) -> str:
        return self.content.decode(self.charset, errors="replace")

    def json(self) -> Any:
        """Raises ContractError, with a redacted sample, on HTML, broken JSON or NaN. Whole numbers keep all digits."""
        if self.charset == "utf-8" and _LONG not in self.content.translate(_AS_ZEROS):
            with suppress(ValueError):  # bytes that are no UTF-8, a byte order mark: the slow way is lenient
                return orjson.loads(self.content)
        try:
            return json.loads(self.text.removeprefix("\ufeff"), parse_constant=_no_constant)
        except ValueError:
            shown = sample(self.text, self.secrets)
            raise ContractError(f"{self.request}: the answer is not JSON: {shown or 'empty'}", shown) from None


def encoded(body: Any) -> bytes:
    """A JSON body as it leaves; a Decimal keeps its digits. Raises TypeError for what JSON cannot say.

    Thirty times faster than what requests does, which is a tenth of the time of a write of a hundred rows.
    """
    return orjson.dumps(body, default=_exact)


def _exact(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def standard_retry_after(response: requests.Response) -> float | None:
    """`Retry-After` in seconds, from a number or an HTTP date (RFC 9110 10.2.3); None where absent or unreadable.

    A date is read against the answer's own `Date`, so a vendor's wrong clock does not lengthen the wait.
    """
    header = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(header)
    except ValueError:
        until = _http_date(header)
        now = _http_date(response.headers.get("Date", "")) or datetime.now(UTC)
        return max(0.0, (until - now).total_seconds()) if until else None
    return max(0.0, seconds) if isfinite(seconds) else None


class Http:
    """One vendor account. Cheap to make: connections are kept alive per account and thread, behind the scenes.

    `account` keys the shared rate bucket; what follows its last colon names it in messages. `burst`: requests that may
    leave at once after a rest; above 1 the first second holds more than `per_second`, which vendors who count a window
    refuse. `lanes` of a request: parts of the account that may have to rest by themselves (one method, one report).
    `retry_after`: the seconds an answer asks to wait, whatever the vendor's own unit. `classify` reads an
    answer before the standard rules do and may name its error. `secrets` are hidden from messages, the auth's own
    included. `breaker`: for vendors that lock out spinning clients.
    """

    def __init__(
        self,
        base_url: str,
        *,
        account: str,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        per_second: float = 5.0,
        burst: float = 1.0,
        timeout: tuple[float, float] = (10, 60),
        retry_after: Callable[[requests.Response], float | None] = standard_retry_after,
        classify: Callable[[requests.Response], HubError | None] = lambda response: None,
        secrets: Sequence[SecretStr] = (),
        attempts: int = 5,
        breaker: Breaker | None = None,
    ):
        self._base = base_url.rstrip("/")
        self._account = account
        self._called = account.rpartition(":")[2]
        self._auth = auth
        self._headers = {**HEADERS, **(headers or {})}
        self._rate = (per_second, burst)
        self._timeout = timeout
        self._retry_after = retry_after
        self._classify = classify
        own = getattr(auth, "secret", None)
        self._secrets = (*secrets, *([own] if isinstance(own, SecretStr) else []))
        self._attempts = attempts
        self._breaker = breaker

    def get(
        self,
        path: str,
        params: Any = None,
        *,
        cost: float = 1.0,
        headers: Mapping[str, str] | None = None,
        lanes: Sequence[str] = (),
    ) -> Reply:
        """A read: waits for the bucket; 429, 5xx, time-outs and cut bodies are tried again, never past the deadline.

        Raises TransientError when patience, attempts or time run out, ConfigError on 401, RejectedError(code=status)
        on any other 4xx.
        """
        return self._read("GET", path, cost, lanes=lanes, params=params, headers=headers)

    def ask(
        self,
        path: str,
        *,
        json: Any = None,
        data: Any = None,
        cost: float = 1.0,
        headers: Mapping[str, str] | None = None,
        lanes: Sequence[str] = (),
    ) -> Reply:
        """A read that the vendor takes as a POST: tried again as `get` is, and it raises what `get` raises."""
        return self._read("POST", path, cost, lanes=lanes, json=json, data=data, headers=headers)

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
        lanes: Sequence[str] = (),
    ) -> Reply:
        """A write, sent at most once. A Reply with `ok` False is a definite no.

        Raises TransientError when nothing happened (429, no connection, no time left), UnansweredError when the effect
        is unknown (time-out, broken connection, 5xx, cut body), ConfigError on 401, ContractError on a redirect.
        """
        return self._exchange(
            method, path, True, cost, lanes=lanes, json=json, data=data, params=params, headers=headers
        )

    def pages(
        self, path: str, params: Any = None, *, items: str, next: str, cost: float = 1.0
    ) -> Iterator[list[dict[str, Any]]]:
        """Lists of records at the dotted path `items`, following the address at `next` until absent or repeated."""
        seen: set[str] = set()
        url: str | None = path
        while url and url not in seen:
            seen.add(url)
            reply = self.get(url, params if len(seen) == 1 else None, cost=cost)
            body = reply.json()
            records = _inside(body, items)
            if not isinstance(records, list):
                raise ContractError(f"{reply.request}: no list at {items!r}", sample(reply.text, self._secrets))
            yield records
            url = _inside(body, next)

    def _read(self, method: str, path: str, cost: float, **request: Any) -> Reply:
        for attempt in self._retrying():
            with attempt:
                reply = self._exchange(method, path, False, cost, **request)
                if not reply.ok:
                    raise RejectedError(f"{reply.request}: {reply.status} {_words(reply)}", str(reply.status))
        return reply

    def rest(self, seconds: float, lane: str | None = None) -> None:
        """Nobody calls the account for so long, or only what names that `lane` among its `lanes` has to wait."""
        runtime.current().bucket.pause(self._lane(lane) if lane else self._account, seconds)

    def _lane(self, lane: str) -> str:
        return f"{self._account}/{lane}"

    def _retrying(self) -> Retrying:
        return Retrying(
            sleep=runtime.current().sleep,
            retry=retry_if_exception_type(TransientError),
            wait=_asked_or_back_off,
            stop=lambda state: stop_after_attempt(self._attempts)(state) or _too_long(state.upcoming_sleep),
            reraise=True,
        )

    def _exchange(
        self, method: str, path: str, writes: bool, cost: float, lanes: Sequence[str] = (), **request: Any
    ) -> Reply:
        """One request, its Attempt noted. Raises whatever the answer, or its absence, means."""
        name = redacted(f"{self._called}: {method} {urlsplit(path).path}", self._secrets)
        url = self._url(path, name)
        self._wait_for_turn(name, cost, LEAST if writes else 0.0, lanes)
        at, started = datetime.now(UTC), monotonic()
        status: int | None = None
        error: HubError | None
        headers = {**self._headers, **(request["headers"] or {})}
        if (body := request.pop("json", None)) is not None:
            request["data"], headers = encoded(body), {"Content-Type": "application/json", **headers}
        request |= {"headers": headers, "timeout": self._time_left()}
        try:
            response = self._session().request(method, url, auth=self._auth, allow_redirects=False, **request)
        except (requests.RequestException, ValueError) as broken:
            error = self._no_answer(name, broken, writes)
        else:
            status = response.status_code
            error = self._judge(name, response, writes)
        outcome = type(error).__name__ if error else "ok" if (status or 0) < 400 else "refused"
        shown = redacted(urlsplit(url).path, self._secrets)
        runtime.current().note(runtime.Attempt(at, method, shown, status, outcome, monotonic() - started))
        self._remember(method, shown, status)
        if error:
            # `from None`: the library's own message quotes the address with its query.
            raise error from None
        return Reply(response.status_code, response.headers, response.content, _charset(response), name, self._secrets)

    def _url(self, path: str, name: str) -> str:
        """A vendor's `next` link may be absolute; one to another host would carry the credentials there: refused."""
        if "://" not in path:
            return f"{self._base}/{path.lstrip('/')}" if path else self._base
        if urlsplit(path)[:2] != urlsplit(self._base)[:2]:
            host = urlsplit(path).netloc
            raise ContractError(f"{name}: the vendor links to another host, {host}; credentials stay with {self._base}")
        return path

    def _session(self) -> requests.Session:
        """Kept per thread: a Session is not safe to share. Proxies are looked up once, not for every request."""
        known: dict[tuple[str, str], requests.Session] = _sessions.__dict__.setdefault("by_account", {})
        key = (self._base, self._account)
        if key not in known:
            if len(known) >= SESSIONS:
                known.pop(next(iter(known))).close()
            session = known[key] = requests.Session()
            session.trust_env = False
            session.proxies.update(get_environ_proxies(self._base))
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        return known[key]

    def _wait_for_turn(self, name: str, cost: float, least: float, lanes: Sequence[str]) -> None:
        """Raises TransientError, with nothing sent, where the turn would come too late."""
        lent = runtime.current()
        resting = failures_of(self._account).resting() if self._breaker else 0.0
        if resting:
            why = f"{name}: not sent; the account rests {resting:.0f} s after too many identical failures"
            raise TransientError(why, resting)
        waits = [lent.bucket.take(self._lane(lane), 0.0, 1.0, 1.0) for lane in lanes]
        wait = max(lent.bucket.take(self._account, cost, *self._rate), *waits, 0.0)
        if _too_long(wait + least):
            raise TransientError(f"{name}: its turn comes in {wait:.0f} s, after this run's time; not sent", wait)
        if wait > 0:
            lent.sleep(wait)

    def _time_left(self) -> tuple[float, float]:
        deadline = runtime.current().deadline
        left = max(0.05, deadline - monotonic()) if deadline is not None else max(self._timeout)
        return min(self._timeout[0], left), min(self._timeout[1], left)

    def _no_answer(self, name: str, broken: Exception, writes: bool) -> HubError:
        why, host = type(broken).__name__, urlsplit(self._base).netloc
        if isinstance(broken, _NOT_SENDABLE):
            return ConfigError(f"{name}: cannot be sent ({why}); check base_url and the characters of the credentials")
        if isinstance(broken, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(broken):
            return ConfigError(f"{name}: the certificate of {host} is not trusted; check base_url")
        if _never_connected(broken):
            return TransientError(f"{name}: no connection to {host} ({why}); nothing was sent")
        if writes:
            return UnansweredError(f"{name}: no whole answer ({why}); the effect is unknown, read back first")
        return TransientError(f"{name}: no whole answer ({why})")

    def _judge(self, name: str, response: requests.Response, writes: bool) -> HubError | None:
        """None for an answer that the caller may have: success, or a definite no."""
        error = self._classify(response) or self._standard(name, response, writes)
        if isinstance(error, TransientError) and not isinstance(error, UnansweredError):
            if error.retry_after is None:
                error.retry_after = self._retry_after(response)
            pause = PAUSE if error.retry_after is None and response.status_code == 429 else error.retry_after
            if pause:
                self.rest(pause, error.lane)
        return error

    def _standard(self, name: str, response: requests.Response, writes: bool) -> HubError | None:
        status = response.status_code
        if status == 429:
            return TransientError(f"{name}: too many requests (429)")
        if status >= 500 or status == 408:
            if writes:
                why = f"{name}: {status} after a write; the effect is unknown, read back first"
                return UnansweredError(why, self._retry_after(response))
            return TransientError(f"{name}: the vendor fails ({status})")
        if status == 401:
            return ConfigError(f"{name}: credentials not accepted (401); put valid ones in the connection's secrets")
        if 300 <= status < 400 and status != 304:
            where = urlsplit(response.headers.get("Location", "")).netloc or "another page"
            message = f"{name}: redirected ({status}) to {where}; check base_url"
            return ContractError(message) if writes else ConfigError(message)
        return None

    def _remember(self, method: str, path: str, status: int | None) -> None:
        """Count an answered failure towards the breaker; other processes learn of an open one by the paused bucket."""
        if self._breaker is None or status is None or status < 400:
            return
        kind = (str(status),) if status == 429 else (method, path, str(status))
        if failures_of(self._account).add(self._breaker, *kind):
            runtime.current().bucket.pause(self._account, self._breaker.rest)


_NOT_SENDABLE = (ValueError, requests.exceptions.InvalidHeader)
"""Raised before a byte leaves: http.client's refusals of odd characters, and requests' of an impossible address."""


def _never_connected(broken: Exception) -> bool:
    if isinstance(broken, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = broken.args[0] if broken.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _asked_or_back_off(state: RetryCallState) -> float:
    """What the vendor asked for wins over the jittered back-off."""
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return _back_off(state) if asked is None else float(asked)


def _too_long(wait: float) -> bool:
    deadline = runtime.current().deadline
    return wait > PATIENCE or (deadline is not None and monotonic() + wait >= deadline)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _charset(response: requests.Response) -> str:
    """Only what the vendor states counts; requests would guess Latin-1 for text without a charset."""
    stated = response.headers.get("Content-Type", "")
    return (response.encoding or "utf-8") if "charset=" in stated.lower() else "utf-8"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _words(reply: Reply) -> str:
    return sample(reply.text, reply.secrets) or "without a word"


def _inside(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, Mapping) else None
    return body
