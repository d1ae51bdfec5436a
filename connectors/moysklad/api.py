"""How MoySklad is called, what its budget allows, and whom its refusals concern (contract moysklad 1, 2 and 10)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from connectors.moysklad.config import MoySkladConfig, weight
from connectors.sdk import (
    Basic,
    Bearer,
    Breaker,
    ConfigError,
    ContractError,
    Http,
    HubError,
    Record,
    RejectedError,
    Reply,
    TransientError,
    redacted,
    standard_retry_after,
)

Params = Mapping[str, Any] | None
Headers = Mapping[str, str] | None
WINDOW = 3.0
"""Seconds in which the budget may be spent."""
BURST = 6 / 45
"""Share of the budget that may be spent at once; with the rest spread, no window holds more than the budget."""
HEAVY = {"report/stock/all": 5, "report/stock/bystore": 5}
"""Reports with a price of their own, whatever the token."""
BREAKER = Breaker(failures=50, window=60.0, rest=300.0)
"""MoySklad switches a user off after 200 such answers a minute; the hub may run in four processes."""
LISTED = 1000
LONGEST = 5000
"""Characters of one filter, as they stand in the address."""
EXPANDED = 100
"""Rows a page; with more than 100 `expand` is silently ignored."""

ACCESS = {
    1061: "the user has no access to the API; the administrator grants it in Настройки > Сотрудники",
    1070: "the tariff does not include this; see Подписка",
    47000: "the tariff does not include this; see Подписка",
    30006: "the tariff does not include this; see Подписка",
}
"""Codes of 403 with their own cure; the rest are missing permissions."""
OURS = {1002, 1005, 1014, 1034, 1035, 1062, 1063, 1089, 2016, 3042}
"""Codes that say that our query is wrong, not the merchant's data."""

_weights: dict[str, float] = {}
"""Account → units per request, as the vendor's own headers last said."""


def http(config: MoySkladConfig) -> Http:
    """The account's client. gzip is mandatory, and the region header brings the fields of Kazakhstan."""
    return Http(
        str(config.base_url),
        account=account(config),
        auth=Basic(config.login, config.token) if config.login else Bearer(config.token),
        headers={
            "Accept": "application/json;charset=utf-8",
            "Accept-Encoding": "gzip",
            "X-Lognex-Accept-Region": config.region,
        },
        per_second=config.budget * (1 - BURST) / WINDOW,
        burst=config.budget * BURST,
        retry_after=retry_after,
        classify=lambda response: refused(config, response),
        secrets=(config.token,),
        breaker=BREAKER,
    )


def account(config: MoySkladConfig) -> str:
    return f"moysklad:{config.rate_account}"


def cost(config: MoySkladConfig, path: str) -> float:
    """Units of one request: by the last answer's headers, else by the price list of the day."""
    return HEAVY.get(path) or _weights.get(account(config)) or weight(config.token_kind, datetime.now(UTC).date())


def read(config: MoySkladConfig, path: str, params: Params = None, headers: Headers = None) -> Any:
    """The body of one answer."""
    return http(config).get(path, params, headers=headers, cost=cost(config, path)).json()


def rows(
    config: MoySkladConfig, path: str, params: Params = None, headers: Headers = None
) -> tuple[list[Record], bool]:
    """One page of a list, and whether there is another."""
    body = read(config, path, params, headers)
    if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
        raise ContractError(f"{config.connection}: {path} answered without `rows`")
    return body["rows"], "nextHref" in body.get("meta", {})


def every(config: MoySkladConfig, path: str, headers: Headers = None, **params: Any) -> Iterator[Record]:
    """All rows of a list that does not move while it is read, by offset."""
    offset, more = 0, True
    while more:
        page, more = rows(config, path, {"limit": LISTED, "offset": offset, **params}, headers)
        yield from page
        offset += len(page)
        more = more and bool(page)


def write(config: MoySkladConfig, path: str, body: Any) -> Reply:
    """One POST. Webhooks of our own address stay silent, so that we do not hear our own echo."""
    silent = {"X-Lognex-WebHook-DisableByPrefix": str(config.webhook_prefix)} if config.webhook_prefix else {}
    return http(config).send("POST", path, json=body, headers=silent, cost=cost(config, path))


def is_any(field: str, values: Iterable[str]) -> list[str]:
    """Conditions on one field, which a filter joins by OR. A semicolon inside a value is escaped."""
    return [f"{field}={value.replace(';', chr(92) + ';')}" for value in values]


def any_of(field: str, values: Iterable[str]) -> str:
    """A filter of few conditions."""
    return ";".join(is_any(field, values))


def packed(parts: Iterable[str], joint: str = ";") -> Iterator[str]:
    """The parts, joined, in as few pieces as addresses hold: 8 KB with the headers, a Cyrillic letter taking six."""
    piece: list[str] = []
    size = 0
    for part in parts:
        length = len(quote(part + joint))
        if piece and size + length > LONGEST:
            yield joint.join(piece)
            piece, size = [], 0
        piece.append(part)
        size += length
    if piece:
        yield joint.join(piece)


def uuid_of(ref: Any) -> str | None:
    """The id at the end of a reference's path: hosts, queries and paths before it differ between old and new data."""
    href = ref["meta"].get("href") if isinstance(ref, Mapping) and isinstance(ref.get("meta"), Mapping) else None
    return href.split("?")[0].rstrip("/").rpartition("/")[2] if href else None


def retry_after(response: requests.Response) -> float | None:
    """Seconds; MoySklad counts in milliseconds (contract moysklad 2)."""
    for header in ("X-Lognex-Retry-After", "X-Lognex-Reset"):
        if response.headers.get(header, "").isdigit():
            return int(response.headers[header]) / 1000
    return standard_retry_after(response)


def first_error(body: Any) -> tuple[int | None, str]:
    """Code and words of a refusal; an answer without any gives (None, "")."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
    words = ": ".join(str(first[part]) for part in ("error", "error_message") if first.get(part))
    return first.get("code"), redacted(words)


def refused(config: MoySkladConfig, response: requests.Response) -> HubError | None:
    """Whom an answer concerns; None leaves it to the standard rules, or, for a write's definite no, to the sink."""
    _learn(config, response)
    status = response.status_code
    if status < 400 or status == 429:
        return None
    code, words = first_error(_json(response))
    says = f"{config.connection}: MoySklad answered {status}{f' ({code})' if code else ''}: {words or 'without a word'}"
    if status == 401:
        return ConfigError(f"{says}. Make a new token for a user with API access and put it in the secret `token`.")
    if status == 403:
        cure = ACCESS.get(code or 0, "the user's role lacks a permission; the administrator adds it in Сотрудники")
        return ConfigError(f"{says}. What to do: {cure}.")
    if code in (1074, 1095):
        return TransientError(f"{says}; nothing was done, it is tried again later")
    reading = response.request.method == "GET"
    if status in (410, 413, 414, 415) or (reading and code in OURS):
        return ContractError(f"{says}. The connector's request is wrong: please report it.")
    return RejectedError(says, str(code or status)) if reading and status < 500 else None


def _learn(config: MoySkladConfig, response: requests.Response) -> None:
    """`X-RateLimit-Limit` says how many of *our* requests fit in the window, hence what one of them costs."""
    limit = response.headers.get("X-RateLimit-Limit", "")
    if limit.isdigit() and int(limit):
        _weights[account(config)] = config.budget / int(limit)


def _json(response: requests.Response) -> Any:
    """415 comes with an empty body, and some refusals as HTML."""
    try:
        return response.json()
    except ValueError:
        return None
