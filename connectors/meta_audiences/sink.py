"""Who is in a custom audience: people join and leave it as hashes (contract messengers-and-audiences, B).

Meta shows nobody who is in an audience, so nothing is read back; a row that is sent again changes nothing there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

from connectors.meta_audiences.api import read, write
from connectors.meta_audiences.config import MetaAudiencesConfig
from connectors.meta_audiences.people import Row, payload, receipt, row_of, uploaded
from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    ContractError,
    Deferred,
    Outcome,
    Rejected,
    RejectedError,
    Step,
    in_turn,
)

ROWS = 10_000
"""Rows of one request."""
FLAGGED = 471
Rows = Sequence[tuple[Change, Row]]


def push_segment(config: MetaAudiencesConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One request for those who join an audience, one for those who leave it: by the row that was uploaded."""
    if not changes:
        return
    joins: dict[str, list[tuple[Change, Row]]] = defaultdict(list)
    leaves: dict[str, list[tuple[Change, Row]]] = defaultdict(list)
    for change in changes:
        member, was = change.value["member"], uploaded(change)
        row = row_of(config, change) if member else was or row_of(config, change)
        if member and not row:
            yield Rejected(change, "no_address", "the person has neither e-mail nor phone")
        elif not row:
            yield Accepted(change)
        else:
            (joins if member else leaves)[change.value["audience"]].append((change, row))
    yield from in_turn([*_leaves(config, leaves), *_joins(config, joins)])


def _leaves(config: MetaAudiencesConfig, by_audience: Mapping[str, Rows]) -> Iterator[Step]:
    """First, because a refusal is more urgent than an addition. Nobody is in an audience that does not exist."""
    for name, rows in by_audience.items():
        yield Step([change for change, _ in rows], partial(_left, config, name, rows))


def _left(config: MetaAudiencesConfig, name: str, rows: Rows) -> Iterator[Outcome]:
    audience = find_audience(config, name)
    if audience is None:
        yield from (Accepted(change) for change, _ in rows)
    else:
        yield from sent(config, "DELETE", str(audience["id"]), rows, lambda row: None)


def _joins(config: MetaAudiencesConfig, by_audience: Mapping[str, Rows]) -> Iterator[Step]:
    """Whoever is there with another row (the phone has changed) leaves with it first. Nobody joins an audience that
    Meta has flagged: they wait alone, as others may come and whoever refused must go."""
    for name, rows in by_audience.items():
        yield Step([change for change, _ in rows], partial(_joined, config, name, rows))


def _joined(config: MetaAudiencesConfig, name: str, rows: Rows) -> Iterator[Outcome]:
    there = find_audience(config, name)
    if there and flagged(there):
        title = there.get("name")
        why = f"{config.connection}: Meta has flagged the audience {title!r}; look into Ads Manager > Audiences"
        yield from (Deferred(change, why=why, alone=True) for change, _ in rows)
    else:
        yield from _put(config, str(there["id"]) if there else made(config, name), rows)


def _put(config: MetaAudiencesConfig, audience: str, rows: Rows) -> Iterator[Outcome]:
    former = [(change, was) for change, row in rows if (was := uploaded(change)) and was != row]
    stays = {outcome.change.subject for outcome in sent(config, "DELETE", audience, former, receipt)
             if not isinstance(outcome, Accepted)} if former else set()  # fmt: skip
    yield from (Rejected(change, "former_row", "Meta did not take back the row uploaded before")
                for change, _ in former if change.subject in stays)  # fmt: skip
    fresh = [(change, row) for change, row in rows if change.subject not in stays]
    yield from sent(config, "POST", audience, fresh, receipt) if fresh else ()


def sent(
    config: MetaAudiencesConfig, method: str, audience: str, rows: Rows, receipt_of: Callable[[Row], str | None]
) -> Iterator[Outcome]:
    """One request. Meta counts invalid rows and shows samples of them: where these do not name all, halves tell.

    A half is sent again after a definite answer, and the same row twice is there once.
    """
    body = {"session": session(method, audience, rows), "payload": payload(config, [row for _, row in rows])}
    answer = write(config, method, f"{audience}/users", body)
    if "num_received" not in answer:
        raise ContractError(f"{config.connection}: Meta answered an upload without num_received")
    invalid = int(answer.get("num_invalid_entries") or 0)
    named = _named(rows, answer.get("invalid_entry_samples")) if invalid else set()
    rest = [(change, row) for change, row in rows if change.subject not in named]
    yield from (Rejected(change, "invalid_entry", "Meta calls the row invalid")
                for change, _ in rows if change.subject in named)  # fmt: skip
    if invalid <= len(named):
        yield from (Accepted(change, receipt_of(row)) for change, row in rest)
    elif len(rest) == 1:
        yield Rejected(rest[0][0], "invalid_entry", "Meta calls the row invalid")
    elif rest:
        middle = len(rest) // 2
        for half in (rest[:middle], rest[middle:]):
            yield from sent(config, method, audience, half, receipt_of)


def _named(rows: Rows, samples: Any) -> set[str]:
    """Subjects of rows whose hash a sample quotes; what form samples have is not written, so their text is searched.

    A hash that several rows bear, as of a family's phone, names none of them: a row that Meta took would count as
    refused, and nobody would ever take it back.
    """
    text = str(samples or "")
    hashes = [(change, [value for name, value in row.items() if name != "EXTERN_ID"]) for change, row in rows]
    borne = Counter(value for _, values in hashes for value in values)
    return {change.subject for change, values in hashes if any(borne[one] == 1 and one in text for one in values)}


def session(method: str, audience: str, rows: Rows) -> dict[str, Any]:
    """A session of one batch. Its number follows from what is sent, so a repeat is the same session."""
    said = blake2b(f"{method} {audience}".encode(), digest_size=8)
    for change, row in rows:
        said.update(f"\n{change.key} {receipt(row)}".encode())
    return {
        "session_id": int.from_bytes(said.digest(), "big") >> 1,
        "batch_seq": 1,
        "last_batch_flag": True,
        "estimated_num_total": len(rows),
    }


# ── audiences ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_audience(config: MetaAudiencesConfig, name: str) -> Mapping[str, Any] | None:
    """The audience as Meta lists it: id, name, operation_status."""
    wanted = config.audiences.get(name, name)
    return next((one for one in listed(config) if wanted in (str(one.get("id")), one.get("name"))), None)


def flagged(audience: Mapping[str, Any]) -> bool:
    status = audience.get("operation_status") or {}
    return int(status.get("code") or 0) == FLAGGED


def listed(config: MetaAudiencesConfig) -> Iterator[Mapping[str, Any]]:
    """Custom audiences of the ad account."""
    path, asked = f"act_{config.ad_account}/customaudiences", {"fields": "id,name,operation_status", "limit": 200}
    after: str | None = None
    while True:
        body = read(config, path, {**asked, **({"after": after} if after else {})})
        rows = body.get("data")
        if not isinstance(rows, list):
            raise ContractError(f"{config.connection}: the audiences came without `data`")
        yield from rows
        paging = body.get("paging") or {}
        following = (paging.get("cursors") or {}).get("after") if paging.get("next") else None
        if not following or following == after:
            return
        after = following


def made(config: MetaAudiencesConfig, name: str) -> str:
    """A new audience. Raises ConfigError where the merchant must make it."""
    title = config.audiences.get(name, name)
    if not config.create_audiences or title.isdigit():
        raise ConfigError(
            f"{config.connection}: there is no custom audience {title!r}; make it in Ads Manager, or name another one"
        )
    asked = {"name": title, "subtype": "CUSTOM", "customer_file_source": config.customer_file_source}
    body = write(config, "POST", f"act_{config.ad_account}/customaudiences", asked)
    if not body.get("id"):
        raise ContractError(f"{config.connection}: Meta made an audience and gave no id")
    return str(body["id"])


def check(config: MetaAudiencesConfig) -> None:
    """One cheap read. Raises ConfigError in words for the merchant."""
    try:
        next(iter(listed(config)), None)
    except RejectedError as error:
        raise ConfigError(f"{config.connection}: {error}; check `ad_account`") from error
