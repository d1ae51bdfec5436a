"""MoySklad's calls to us: hints without data and without a signature, so a secret in their address proves them.

A call that fails four times is lost for good (contract moysklad 8): what is heard only makes the next read come sooner.
"""

import hmac
import json
from collections.abc import Iterator

from connectors.moysklad.config import MoySkladConfig
from connectors.sdk import Call, ConfigError, ContractError, Heard, RejectedError

RESOURCES = {
    "product": "products", "variant": "products", "bundle": "products", "store": "stores",
    "counterparty": "counterparties", "customerorder": "customer_orders", "retaildemand": "retail_sales",
    "retailsalesreturn": "retail_returns", "salesreturn": "sales_returns", "stock": "stock",
}  # fmt: skip
"""Type of what changed → the resource that reads it."""


def heard(config: MoySkladConfig, call: Call) -> Iterator[Heard]:
    """Resources to read at once. What changed is found by `updated`, not by the ids that are named.

    A deletion is only found by the nightly full read. Raises as `connectors.sdk.calls.Hear` has it.
    """
    if config.webhook_secret is None:
        raise ConfigError(f"{config.connection}: set the secret `webhook_secret`, and put it at the end of the address")
    if not hmac.compare_digest(call.path.encode(), config.webhook_secret.get_secret_value().encode()):
        raise RejectedError(f"{config.connection}: a call does not bear the secret of its address", code="secret")
    named = {RESOURCES[kind] for kind in _types(call.body) if kind in RESOURCES}
    yield from (Heard(resource, keys=("",)) for resource in sorted(named))


def _types(body: bytes) -> set[str]:
    """Types of what a call says has changed; a stock hook says nothing but that stock did."""
    try:
        said = json.loads(body)
        return {"stock"} if "reportUrl" in said else {str(event["meta"]["type"]) for event in said["events"]}
    except (ValueError, KeyError, TypeError):
        raise ContractError("a call of MoySklad without `events` and their `meta.type`") from None
