"""How Meta's Graph API is called, and what its errors mean (contract messengers-and-audiences, A2 and B)."""

from collections.abc import Mapping
from typing import Any

import requests

from connectors.meta_audiences.config import Meaning, MetaAudiencesConfig
from connectors.sdk import (
    Bearer,
    ConfigError,
    ContractError,
    Http,
    HubError,
    RejectedError,
    Reply,
    TransientError,
    UnansweredError,
    sample,
)

NAMED: Mapping[int, Meaning] = {190: "token", 130429: "rate", 80007: "rate"}
"""Code → what it means, as the contract has it."""
SUPPOSED: Mapping[int, Meaning] = {
    **dict.fromkeys((102, 463, 467), "token"),
    **dict.fromkeys((3, 10, 294, *range(200, 300)), "rights"),
    **dict.fromkeys((4, 17, 32, 341, 613, *range(80000, 80015)), "rate"),
    **dict.fromkeys((1, 2), "unwell"),
}
"""[U] Codes of the Graph API at large, which the contract does not name: `errors` of the settings corrects them."""
REST = 60.0
"""Seconds to wait where Meta does not say."""


def http(config: MetaAudiencesConfig, *, writes: bool = False) -> Http:
    return Http(
        f"{str(config.base_url).rstrip('/')}/{config.api_version}",
        account=f"meta:{config.rate_account}",
        auth=Bearer(config.token),
        per_second=config.per_second,
        timeout=(10, 120),
        classify=lambda response: _refused(config, response, writes),
    )


def read(config: MetaAudiencesConfig, path: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return _object(http(config).get(path, params))


def write(config: MetaAudiencesConfig, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer to a write that is none but a success. Raises RejectedError for a definite no."""
    reply = http(config, writes=True).send(method, path, json=body)
    if not reply.ok:
        raise RejectedError(f"{reply.request}: {reply.status} {sample(reply.text, reply.secrets)}", str(reply.status))
    return _object(reply)


def _object(reply: Reply) -> Mapping[str, Any]:
    body = reply.json()
    if not isinstance(body, dict):
        raise ContractError(f"{reply.request}: the answer is no object", sample(reply.text, reply.secrets))
    return body


def _refused(config: MetaAudiencesConfig, response: requests.Response, writes: bool) -> HubError | None:
    """`{"error": {message, code, is_transient…}}`, whatever the status, told apart by who must act."""
    said = _error(response)
    if said is None or response.status_code >= 500:
        return None
    code, words = int(said.get("code") or 0), sample(str(said.get("message") or ""), (config.token,))
    why = f"{config.connection}: Meta answers {code}: {words}"
    means = meaning(config, code)
    if means == "token" or response.status_code == 401:
        return ConfigError(f"{why}; make a new token in Business settings > System users for the secret `token`")
    if means == "rights":
        return ConfigError(f"{why}; give the system user the ad account, and its token the right `ads_management`")
    if means == "rate" or response.status_code == 429:
        return TransientError(why, REST)
    if means == "unwell" or (means is None and said.get("is_transient")):
        return UnansweredError(f"{why}; the effect is unknown") if writes else TransientError(why)
    return RejectedError(why, str(code))


def meaning(config: MetaAudiencesConfig, code: int) -> Meaning | None:
    """None for a code that nobody knows: a refusal of this one request."""
    return config.errors.get(code) or NAMED.get(code) or SUPPOSED.get(code)


def _error(response: requests.Response) -> Mapping[str, Any] | None:
    if b'"error"' not in response.content[:2000]:
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, dict) and str(said.get("code") or 0).isdigit() else None
