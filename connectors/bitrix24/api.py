"""How Bitrix24 is called, and whom its refusals concern (contract bitrix24 1-5).

All travels by POST as JSON, so that what is looked for (phones, e-mails) stands in no log of addresses. Reads may be
repeated; writes leave once. The webhook stands in the path and is a secret.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import requests

from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.notation import Params, command, plain
from connectors.bitrix24.operating import lane, rest
from connectors.bitrix24.refusals import meaning, refused, secrets_of
from connectors.sdk import (
    ConfigError,
    ContractError,
    Http,
    HubBug,
    HubError,
    Record,
    Reply,
    Rotating,
    TransientError,
    sample,
)

PAGE = 50
"""Rows of a list, and commands of a batch."""
ASKED = 20
"""Values in one list of a filter."""


@dataclass(frozen=True)
class Call:
    """One command of a batch."""

    method: str
    params: Params


@dataclass(frozen=True)
class Answer:
    """What became of one command: its result, or the vendor's error. Neither: the batch ended before it."""

    result: Any = None
    error: HubError | None = None
    ran: bool = True


def account(config: Bitrix24Config) -> str:
    return f"bitrix24:{config.rate_account}"


def http(config: Bitrix24Config) -> Http:
    """The portal's client. Raises ConfigError where the secret is no webhook's address."""
    hook = config.webhook.get_secret_value() if config.webhook else ""
    if config.webhook and hook.count("/") != 1:
        raise ConfigError(
            f"{config.connection}: `webhook` is the whole address of the webhook, or its end: <user>/<code>"
        )
    return Http(
        f"{str(config.base_url).rstrip('/')}/rest/{hook}".rstrip("/"),
        account=account(config),
        auth=None if config.webhook else application(config),
        per_second=config.per_second,
        burst=config.burst,
        classify=lambda response: refused(config, response),
        secrets=secrets_of(config),
    )


def application(config: Bitrix24Config) -> Rotating:
    """Access as an application; its token expires every hour and is refreshed only when refused (contract 1)."""
    client, secret, first, keep = config.client_id, config.client_secret, config.refresh_token, config.token_file
    if client is None or secret is None or first is None or keep is None:
        raise HubBug("settings without a webhook were not checked")
    return Rotating(
        str(config.oauth_url), client, secret, first, Path(keep),
        expired=lambda response: response.status_code == 401 and b"expired_token" in response.content,
        place=_in_query,
    )  # fmt: skip


def _in_query(request: requests.PreparedRequest, token: str) -> None:
    request.prepare_url(request.url, {"auth": token})


def ask(config: Bitrix24Config, method: str, params: Params | None = None) -> Record:
    """The whole body of one answer: `result`, perhaps `next`, and `time`."""
    asked = {name: plain(value) for name, value in (params or {}).items()}
    body = opened(http(config).ask(method, json=asked, lanes=[lane(method)]))
    note(config, method, body.get("time"))
    return body


def note(config: Bitrix24Config, method: str, time: Any) -> None:
    """Lets the method rest as long as its answer advises."""
    if seconds := rest(time, config.operating):
        http(config).rest(seconds, lane(method))


def lanes_of(calls: Mapping[str, Call]) -> list[str]:
    return sorted({lane(call.method) for call in calls.values()})


def opened(reply: Reply) -> Record:
    """The envelope. Raises ContractError where it is none."""
    body = reply.json()
    if not isinstance(body, dict) or "result" not in body:
        raise ContractError(f"{reply.request}: answered without `result`", sample(reply.text, reply.secrets))
    return body


def rows_of(result: Any) -> list[Record]:
    """The rows of a list's result: older methods give the list itself, newer ones wrap it. Raises ContractError."""
    if isinstance(result, list):
        return result
    wrapped = [value for value in result.values() if isinstance(value, list)] if isinstance(result, dict) else []
    if len(wrapped) != 1:
        raise ContractError("Bitrix24 answered a list without one list in it", sample(json.dumps(result)))
    rows: list[Record] = wrapped[0]
    return rows


# ── batches ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def look_up(config: Bitrix24Config, calls: Mapping[str, Call]) -> dict[str, Any]:
    """Key → result of each read, fifty in a request. Raises what the first refused one means."""
    found: dict[str, Any] = {}
    waiting = iter(calls.items())
    while asked := dict(islice(waiting, PAGE)):
        reply = http(config).ask("batch", json=batch(asked), lanes=lanes_of(asked))
        for key, answer in walked(config, reply, asked).items():
            if answer.error:
                raise answer.error
            if not answer.ran:
                raise ContractError(f"{reply.request}: the batch says nothing of {calls[key].method}")
            found[key] = answer.result
    return found


def pieces(values: Sequence[str]) -> list[list[str]]:
    unique = list(dict.fromkeys(values))
    return [unique[start : start + ASKED] for start in range(0, len(unique), ASKED)]


def numbered(calls: Iterable[Call]) -> dict[str, Call]:
    return {f"q{place}": call for place, call in enumerate(calls)}


def batch(calls: Mapping[str, Call]) -> Record:
    """The body; a command that is refused stops no other."""
    return {"halt": 0, "cmd": {key: command(call.method, call.params) for key, call in calls.items()}}


def write(config: Bitrix24Config, calls: Mapping[str, Call]) -> dict[str, Answer]:
    """Sends at most 50 commands in one POST, once; one answer for each (contract 5: not transactional)."""
    reply = http(config).send("POST", "batch", json=batch(calls), lanes=lanes_of(calls))
    return walked(config, reply, calls)


def walked(config: Bitrix24Config, reply: Reply, calls: Mapping[str, Call]) -> dict[str, Answer]:
    """The batch's answer, command by command. Empty maps come as `[]`."""
    envelope = opened(reply)
    body, now = envelope["result"], told_finish(envelope)
    if not isinstance(body, dict) or "result_error" not in body:
        raise ContractError(f"{reply.request}: no answer to a batch", sample(reply.text, reply.secrets))
    results, errors, times = (as_map(body.get(part)) for part in ("result", "result_error", "result_time"))
    for key, call in calls.items():
        note(config, call.method, times.get(key))
    refusals = {
        key: meaning(config, None, _said(errors[key]), secrets_of(config), call.method, now)
        for key, call in calls.items()
        if key in errors
    }
    for error in refusals.values():
        if isinstance(error, TransientError) and error.retry_after:
            http(config).rest(error.retry_after, error.lane)
    return {key: _answer(key, results, refusals) for key in calls}


def _said(error: Any) -> Record:
    return error if isinstance(error, dict) else {"error_description": str(error)}


def told_finish(envelope: Record) -> float | None:
    """The portal's clock at the end of an answer, in seconds."""
    finish = as_map(envelope.get("time")).get("finish")
    return float(finish) if isinstance(finish, int | float) else None


def _answer(key: str, results: Record, refusals: Mapping[str, HubError]) -> Answer:
    if key in refusals:
        return Answer(error=refusals[key])
    return Answer(results[key]) if key in results else Answer(ran=False)


def as_map(value: Any) -> Record:
    """A map of PHP: an empty one is serialised as a list, and one with the keys 0, 1, … too."""
    if isinstance(value, dict):
        return value
    return {str(place): one for place, one in enumerate(value)} if isinstance(value, list) else {}


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Listing:
    """A list that can be walked by id. `id`: as the method spells it, in filters and in rows.

    `at`: where rows stand in the result, for references between the steps of a batch.
    """

    method: str
    where: Params
    select: Sequence[str] = ()
    id: str = "ID"
    at: str = ""

    def step(self, after: str) -> Call:
        """The page of rows with larger ids. `start=-1` spares the portal the count (contract 4)."""
        params = {"order": {self.id: "ASC"}, "filter": {**self.where, f">{self.id}": after}, "start": -1}
        return Call(self.method, {**params, "select": list(self.select)} if self.select else params)

    def last_of(self, key: str) -> str:
        return f"$result[{key}]{self.at}[{PAGE - 1}][{self.id}]"


def walk(config: Bitrix24Config, listing: Listing, last: int = 0, length: int = 1) -> Iterator[list[Record]]:
    """All rows behind the id `last`: a page, then chains of pages in one batch, each twice as long as the one before.

    A step of a chain refers to the last id of the page before. Behind a short page the reference is empty and the
    portal may begin anew, so what is not beyond the last id seen is dropped (contract 4).
    """
    while True:
        for page in steps(config, listing, str(last), length):
            fresh = [row for row in page if int(row[listing.id]) > last]
            if fresh:
                yield fresh
                last = int(fresh[-1][listing.id])
            if len(page) < PAGE or not fresh:
                return
        length = min(length * 2, PAGE)


def steps(config: Bitrix24Config, listing: Listing, after: str, length: int) -> list[list[Record]]:
    """`length` pages behind `after`, in one request."""
    if length == 1:
        call = listing.step(after)
        return [rows_of(ask(config, call.method, call.params)["result"])]
    chain = {f"p{place}": listing.step(listing.last_of(f"p{place - 1}") if place else after) for place in range(length)}
    return [rows_of(result) for result in look_up(config, chain).values()]
