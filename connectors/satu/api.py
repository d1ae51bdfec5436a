"""How Satu.kz is called, and how its answers are read: HTTP 200 is not success (contract satu, 1)."""

from collections.abc import Iterator
from typing import Any

import requests

from connectors.satu.config import SatuConfig
from connectors.sdk import Bearer, ConfigError, ContractError, Http, HubError, RejectedError


def http(config: SatuConfig) -> Http:
    """The account's client. The gateway cuts near 60 s, so we read no longer."""
    return Http(
        str(config.base_url),
        account=f"satu:{config.rate_account}",
        auth=Bearer(config.token),
        headers={"X-LANGUAGE": config.language} if config.language else {},
        per_second=config.per_second,
        timeout=(10, 60),
        classify=lambda response: _refused(config, response),
        secrets=(config.token,),
    )


def _refused(config: SatuConfig, response: requests.Response) -> HubError | None:
    if response.status_code in {401, 403}:
        return ConfigError(
            f"{config.connection}: Satu.kz refused the token ({response.status_code}). In the cabinet, Настройки > "
            "Управление API-токенами, give it read-write on orders and products, or make a new one."
        )
    return None


def said(body: Any) -> str | None:
    """The refusal inside a 200, in the platform's words; None where the body holds no request-wide error."""
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    if isinstance(errors, dict) and isinstance(errors.get("error"), str):
        return errors["error"]
    return body["error"] if isinstance(body.get("error"), str) else None


def read(config: SatuConfig, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """One answer. Raises RejectedError where the platform refused inside a 200."""
    body = http(config).get(path, params).json()
    if (words := said(body)) is not None:
        raise RejectedError(f"{config.connection}: Satu.kz refused {path}: {words}", code="error")
    if not isinstance(body, dict):
        raise ContractError(f"{config.connection}: {path} answered with {type(body).__name__}, not an object")
    return body


def walk(config: SatuConfig, path: str, items: str, params: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Pages by `last_id`, newest first.

    Whether `last_id` is inclusive is not settled and a short page does not prove the end (contract satu, 1), so repeats
    are dropped and the walk stops when a page brings nothing new.
    """
    seen: set[int] = set()
    last: dict[str, Any] = {}
    while True:
        rows = read(config, path, {**params, "limit": config.page_size, **last}).get(items)
        if not isinstance(rows, list):
            raise ContractError(f"{config.connection}: {path} answered without {items!r}")
        fresh = [row for row in rows if row["id"] not in seen]
        if not fresh:
            return
        seen.update(row["id"] for row in fresh)
        yield fresh
        last = {"last_id": min(seen)}
