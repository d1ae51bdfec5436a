"""How Kaspi is called: the headers it insists on, and what its refusals and its silence mean (contract kaspi 1)."""

from typing import Any

import requests

from connectors.kaspi.config import KaspiConfig
from connectors.sdk import ApiKey, ConfigError, ContractError, Http, HubError, Reply, TransientError, sample

JSON_API = "application/vnd.api+json"

SILENCE = (
    "Kaspi is silent where others refuse: check that the token is right, that API access is activated in the cabinet, "
    "and that `user_agent` names no programming library; some say that it serves addresses in Kazakhstan only"
)


def http(config: KaspiConfig) -> Http:
    """The account's client. Without the two JSON:API headers Kaspi may answer with an HTML page."""
    merchant = {"X-Merchant-Uid": config.merchant_id} if config.merchant_id else {}
    return Http(
        str(config.base_url),
        account=f"kaspi:{config.rate_account}",
        auth=ApiKey("X-Auth-Token", config.token),
        headers={"Accept": JSON_API, "Content-Type": JSON_API, "User-Agent": config.user_agent, **merchant},
        per_second=config.per_second,
        timeout=(min(10.0, config.timeout), config.timeout),
        classify=lambda response: _refused(config, response),
        secrets=tuple(filter(None, (config.feed_password, config.pseudonym_key))),
        attempts=3,
    )


def _refused(config: KaspiConfig, response: requests.Response) -> HubError | None:
    if response.status_code not in {401, 403}:
        return None
    return ConfigError(
        f"{config.connection}: Kaspi refused the token ({response.status_code}). The head of the company makes a new "
        "one in the cabinet, Настройки > Токен API; put it in the secret `token`."
    )


def read(config: KaspiConfig, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """One JSON:API document. Raises TransientError that explains Kaspi's silence, ContractError on HTML."""
    try:
        body = http(config).get(path, params).json()
    except TransientError as error:
        if "Timeout" not in str(error):
            raise
        raise TransientError(f"{error}. {SILENCE}", error.retry_after) from None
    if not isinstance(body, dict) or "data" not in body:
        raise ContractError(f"{config.connection}: {path} answered without `data`")
    return body


def words(reply: Reply) -> str:
    """What a refusal says: `errors[].title` (detail and code are not promised), else the text, HTML included."""
    try:
        errors = reply.json().get("errors") or ()
        titles = [str(error["title"]) for error in errors if isinstance(error, dict) and error.get("title")]
    except (ContractError, AttributeError, TypeError):
        titles = []
    return sample("; ".join(titles) or reply.text, reply.secrets)
