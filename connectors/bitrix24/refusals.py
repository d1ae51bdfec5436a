"""Whom a refusal of Bitrix24 concerns (contract 2): by status, code and words together, never by the code alone."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform
from typing import Any

import requests
from pydantic import SecretStr

from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.operating import blocked, lane
from connectors.sdk import ConfigError, ContractError, HubError, RejectedError, TransientError, UnansweredError, sample

FULL = "QUERY_LIMIT_EXCEEDED"
WORKED_OUT = "OPERATION_TIME_LIMIT"
WAIT = 600.0
"""Seconds to rest where the portal does not say until when: all ten baskets."""

SETTINGS = {
    "NO_AUTH_FOUND": "the webhook was removed or its address is wrong; make a new one and put it in the secrets",
    "EXPIRED_TOKEN": "the access has expired; install the application again",
    "INVALID_TOKEN": "the access is not valid; install the application again",
    "INVALID_CREDENTIALS": "the user behind the access lacks the right; give it to him in the CRM",
    "INSUFFICIENT_SCOPE": "the access lacks a scope; give it `crm` and `catalog`",
    "USER_ACCESS_ERROR": "the user behind the access may not use it; open the application to him",
    "ACCESS_DENIED": "the tariff has no REST, or the user behind the access lacks the right",
    "PAYMENT_REQUIRED": "the tariff has ended; renew it",
    "OVERLOAD_LIMIT": "Bitrix24 has blocked the portal's REST by hand; write to its support",
    "PORTAL_DELETED": "the portal was deleted",
    "ALLOWED_ONLY_INTRANET_USER": "the user behind the access must be an employee",
    "200040300010": "the user behind the access may not read the catalogue; give him the right",
    "200040300020": "the user behind the access may not change the catalogue; give him the right",
    "200040300030": "the user behind the access may not edit products; give him the right",
}
"""Code → what the merchant does. Numeric codes come as text or as number."""
OURS = {
    "INVALID_REQUEST", "ERROR_BATCH_LENGTH_EXCEEDED", "ERROR_BATCH_METHOD_NOT_ALLOWED",
    "MAX_IMPORT_BATCH_SIZE_EXCEEDED", "ENTITY_TYPE_NOT_SUPPORTED",
}  # fmt: skip
NO_METHOD = "ERROR_METHOD_NOT_FOUND"
CODE = re.compile(r"[A-Z0-9_]{1,80}")
UNSURE = {"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"}


class UnknownMethod(ContractError):
    """The portal has no such method."""


def refused(config: Bitrix24Config, response: requests.Response) -> HubError | None:
    """An answer's error; None leaves it to the standard rules."""
    if response.status_code < 400:
        return None
    said = _said(response)
    error = meaning(config, response.status_code, said, secrets_of(config), method_of(response), _now(response))
    return None if isinstance(error, UnansweredError) else error


def meaning(
    config: Bitrix24Config,
    status: int | None,
    said: Any,
    secrets: tuple[SecretStr, ...],
    method: str = "",
    now: float | None = None,
) -> HubError:
    """What an error says, of an answer or (`status` None) of one command in a batch."""
    code, words = code_of(said), _words(said, secrets)
    told = sample(f"{code}{': ' if code and words else ''}{words}", secrets) or "no word"
    what = " ".join(filter(None, (method or "a command", f"with {status}" if status else "")))
    says = f"{config.connection}: Bitrix24 answered {what}: {told}"
    if code in (FULL, WORKED_OUT) or status == 429:
        return _too_much(says, code, said, method, now)
    if cure := _cure(status, code, words):
        return ConfigError(f"{says}. What to do: {cure}.")
    if code == NO_METHOD:
        return UnknownMethod(f"{says}. The portal has no such method.", words)
    if code in OURS or status == 405:
        return ContractError(f"{says}. The connector's request is wrong: please report it.", words)
    if code in UNSURE or (status or 0) >= 500:
        return UnansweredError(f"{says}; the effect is unknown")
    return RejectedError(says, code or str(status or "refused"))


def _words(said: Any, secrets: tuple[SecretStr, ...]) -> str:
    """What it says beside the code, which may itself be a sentence."""
    parts = ("error_description",) if code_of(said) else ("error", "error_description")
    return sample(" ".join(str(said[part]) for part in parts if said.get(part)), secrets)


def _too_much(says: str, code: str, said: Any, method: str, now: float | None) -> TransientError:
    """How long to wait, by which of the limits was met."""
    if code == FULL:
        return TransientError(f"{says}; nothing was done", uniform(1.0, 2.0))
    if code != WORKED_OUT:
        return TransientError(f"{says}; nothing was done")
    until = blocked(said, datetime.now(UTC).timestamp() if now is None else now)
    return TransientError(
        f"{says}; nothing was done, the method rests", WAIT if until is None else until, lane=lane(method)
    )


def _cure(status: int | None, code: str, words: str) -> str | None:
    """The older methods say it in words only: code "" and `Access denied.`"""
    if code in SETTINGS:
        return SETTINGS[code]
    if status in (401, 403) or (not code and "access denied" in words.lower()):
        return SETTINGS["ACCESS_DENIED" if status != 401 else "NO_AUTH_FOUND"]
    return None


def code_of(said: Any) -> str:
    """The code as upper-case text; 0 and "" are no code, nor is a sentence."""
    code = said.get("error") if isinstance(said, dict) else None
    text = str(code).strip().upper() if isinstance(code, str | int) and not isinstance(code, bool) else ""
    return text if CODE.fullmatch(text) and text != "0" else ""


def secrets_of(config: Bitrix24Config) -> tuple[SecretStr, ...]:
    """The webhook whole, and its code, which the vendor may quote by itself."""
    hook = config.webhook.get_secret_value() if config.webhook else ""
    return tuple(SecretStr(one) for one in (hook, hook.rpartition("/")[2]) if one)


def method_of(response: requests.Response) -> str:
    return (response.request.path_url or "").split("?")[0].rpartition("/")[2]


def _said(response: requests.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _now(response: requests.Response) -> float | None:
    """The portal's clock: a reset is told in its time."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return None
