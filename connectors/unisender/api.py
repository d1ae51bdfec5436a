"""How UniSender is called, and what its answers mean: HTTP 200 is not success (contract email-platforms, 1)."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.sdk import (
    ConfigError,
    ContractError,
    Http,
    HubError,
    Record,
    RejectedError,
    Reply,
    TransientError,
    UnansweredError,
    sample,
)  # fmt: skip
from connectors.unisender.config import UniSenderConfig

MINUTE = 60.0
"""Seconds after which a limit counted by the minute lets everybody in again; UniSender does not say how long."""
EXPORTS = 20
"""Exports that may begin in a minute, of the 1200 requests."""
POLLS = 40
"""Looks at an export that is being made, with growing pauses: some eight minutes."""
TOO_OFTEN = {"api_call_limit_exceeded_for_api_key", "api_call_limit_exceeded_for_ip"}
FAILED = {"failed", "error", "cancelled", "canceled"}

Arguments = Mapping[str, Any]


def http(config: UniSenderConfig, *, writes: bool = False, attempts: int = 3, pending: bool = False) -> Http:
    """The account's client. The key travels in the body, so no address ever holds it."""
    return Http(
        str(config.base_url),
        account=f"unisender:{config.rate_account}",
        per_second=config.per_second,
        timeout=(10, 60),
        classify=lambda response: _refused(config, response, writes) or (_unfinished(response) if pending else None),
        secrets=tuple(filter(None, (config.api_key, config.go_key, config.pseudonym_key))),
        attempts=attempts,
    )


def form(config: UniSenderConfig, arguments: Arguments) -> list[tuple[str, str]]:
    """The body: `data[0][1]=…` for what is nested, as PHP reads it."""
    known = {"format": "json", "api_key": config.api_key.get_secret_value()}
    return [pair for name, value in {**known, **arguments}.items() for pair in _flat(name, value)]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _flat(f"{name}[{inner}]", one)
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _flat(f"{name}[{place}]", one)
    else:
        yield name, str(value)


def ask(config: UniSenderConfig, method: str, arguments: Arguments | None = None, *, cost: float = 1.0) -> Any:
    """The result of a method that only reads; tried again as reads are."""
    path = f"{config.language}/api/{method}"
    return _result(config, http(config).ask(path, data=form(config, arguments or {}), cost=cost))


def write(config: UniSenderConfig, method: str, arguments: Arguments) -> Any:
    """The result of a method that changes something, sent once. Raises RejectedError for a definite no."""
    reply = http(config, writes=True).send("POST", f"{config.language}/api/{method}", data=form(config, arguments))
    if not reply.ok:
        raise RejectedError(f"{reply.request}: {reply.status} {sample(reply.text, reply.secrets)}", str(reply.status))
    return _result(config, reply)


def exported(config: UniSenderConfig, columns: list[str], filters: Arguments | None = None) -> list[Record]:
    """Contacts as an export gives them, empty cells left out."""
    asked = {"field_names": columns, **(filters or {})}
    task = ask(config, "async/exportContacts", asked, cost=config.per_second * MINUTE / EXPORTS)
    return download(config, task, "email")


def download(config: UniSenderConfig, task: Any, column: str) -> list[Record]:
    """Rows of the file that a task makes. Raises TransientError where it takes too long: the next run asks anew."""
    uuid = task.get("task_uuid") if isinstance(task, dict) else None
    if not uuid:
        raise ContractError(f"{config.connection}: UniSender began an export and gave no task_uuid")
    path = f"{config.language}/api/async/getTaskResult"
    waiting = http(config, attempts=POLLS, pending=True)
    link = _link(_result(config, waiting.ask(path, data=form(config, {"task_uuid": uuid}))))
    # The file may lie on another host, which must not see the key: a client of its own, without credentials.
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(link))
    files = Http(origin, account=f"unisender:{config.rate_account}", per_second=config.per_second, timeout=(10, 300))
    return rows(files.get(link).text, column)


def rows(text: str, column: str) -> list[Record]:
    """Records of a CSV with a header, by comma or semicolon. Raises ContractError where `column` is no part of it."""
    header = text.removeprefix("\ufeff").partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    if column not in (table.fieldnames or ()):
        raise ContractError(f"UniSender's file has no column {column!r}", sample(header))
    return [{name: value for name, value in row.items() if name and value} for row in table]


def _result(config: UniSenderConfig, reply: Reply) -> Any:
    body = reply.json()
    if not isinstance(body, dict) or "result" not in body:
        raise ContractError(f"{reply.request}: an answer without `result`", sample(reply.text, reply.secrets))
    return body["result"]


def _refused(config: UniSenderConfig, response: requests.Response, writes: bool) -> HubError | None:
    """The refusal inside an answer, told apart by who must act."""
    if response.status_code in {401, 403}:
        return ConfigError(f"{config.connection}: UniSender refused the key ({response.status_code}); {_MEND}")
    said = _said(response)
    if said is None:
        return None
    code, words = str(said.get("code") or "unspecified"), sample(str(said["error"]), (config.api_key,))
    why = f"{config.connection}: UniSender answers {code}: {words}"
    if code in {"invalid_api_key", "access_denied"}:
        return ConfigError(f"{why}; {_MEND}")
    if code == "not_enough_money":
        return ConfigError(f"{why}; top up the account or change its tariff")
    if code in TOO_OFTEN:
        return TransientError(why, MINUTE)
    if code == "retry_later":
        return TransientError(why)
    if code == "unspecified":
        return UnansweredError(f"{why}; the effect is unknown, read back first") if writes else TransientError(why)
    if code == "unknown_method":
        return ContractError(why)
    return RejectedError(why, code)


_MEND = "put a valid one (Настройки аккаунта > Интеграция и API) into the secret `api_key`"


def _said(response: requests.Response) -> dict[str, Any] | None:
    """The body, where it is a refusal. Large answers are not parsed twice for it."""
    if response.status_code >= 400 or b'"error"' not in response.content[:2000]:
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("error"), str) and "result" not in body else None


def _unfinished(response: requests.Response) -> HubError | None:
    """A task without its link is being worked on, unless it says otherwise."""
    try:
        result = response.json().get("result")
    except (ValueError, AttributeError):
        return None
    if not isinstance(result, dict) or _link(result, required=False):
        return None
    status = str(result.get("status"))
    if status in FAILED:
        return RejectedError(f"UniSender could not make the export ({status}); it is asked anew next time", status)
    return TransientError(f"UniSender still makes the export ({status})")


def _link(result: Any, *, required: bool = True) -> str:
    """The contract does not name the member that holds it: whichever is an address."""
    values = result.values() if isinstance(result, dict) else ()
    found = next((one for one in values if isinstance(one, str) and one.startswith(("https://", "http://"))), "")
    if required and not found:
        raise ContractError("UniSender finished an export and gave no link to its file")
    return found
