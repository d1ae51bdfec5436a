"""What is written to Satu.kz. A write succeeded for exactly the ids in `processed_ids` (contract satu, 1)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.satu.api import http, read, said
from connectors.satu.config import SatuConfig
from connectors.satu.mapping import amount, observed_stock, status
from connectors.sdk import Accepted, Change, ConfigError, ContractError, Outcome, Rejected, RejectedError, Unknown
from mappings.canonical import PROGRESS

WRITABLE = {"confirmed": "received", "completed": "delivered", "cancelled": "canceled"}

UNSPOKEN = ("assembling", "ready", "shipped", "delivered")
"""Steps between accepting and completing: the platform has no status for them, an accepted order stays as it is."""

CANCEL_REASONS = {
    "out_of_stock": "not_available",
    "buyer": "buyers_request",
    "duplicate": "duplicate",
    "price_changed": "price_changed",
    "unreachable": "invalid_phone_number",
}
"""Canonical reason → the platform's; others go as `another` with a text (contract satu, 2)."""

TEXT_NEEDED = {"price_changed", "not_enough_fields", "another"}


def push_price(config: SatuConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Prices of listed products in one bare array."""
    return _edit(config, changes, lambda change: {"price": number(change.value)})


def push_stock(config: SatuConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Counts with presence: a count of zero alone may leave a product on sale, and `quantity` would be ignored."""
    return _edit(config, changes, lambda change: stock_fields(config, number(change.value)))


def stock_fields(config: SatuConfig, left: int | float) -> dict[str, Any]:
    return {"presence": "available" if left > 0 else config.out_of_stock, "quantity_in_stock": left}


def number(value: Any) -> int | float:
    """A JSON number: whole where it is whole."""
    exact = Decimal(str(value))
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _edit(
    config: SatuConfig, changes: Sequence[Change], fields: Callable[[Change], dict[str, Any]]
) -> Iterator[Outcome]:
    if not changes:
        return
    products = [{"id": int(change.external_id), **fields(change)} for change in changes]
    reply = http(config).send("POST", "products/edit", json=products)
    if not reply.ok:
        yield from (Rejected(change, str(reply.status), reply.text[:300]) for change in changes)
        return
    yield from _walked(changes, reply.json())


def _walked(changes: Sequence[Change], body: Any) -> Iterator[Outcome]:
    """One outcome per change from an answer that can be a refusal, a success, or some of both."""
    if (words := said(body)) is not None:
        yield from (Rejected(change, "error", words) for change in changes)
        return
    if not isinstance(body, dict) or not isinstance(body.get("processed_ids"), list):
        raise ContractError("Satu.kz answered a write without processed_ids")
    done = {str(one) for one in body["processed_ids"]}
    errors = body.get("errors") or {}
    for change in changes:
        if change.external_id in done:
            yield Accepted(change)
        elif change.external_id in errors:
            yield Rejected(change, "refused", _words(errors[change.external_id]))
        else:
            yield Unknown(change, "Satu.kz named it neither as processed nor as refused")


def _words(error: Any) -> str:
    return "; ".join(map(str, error.values())) if isinstance(error, dict) else str(error)


def shown(config: SatuConfig, changes: Sequence[Change], value: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    """Subject → what the platform shows now; a product it does not know is left out."""
    found = {}
    for change in changes:
        try:
            product = read(config, f"products/{change.external_id}")["product"]
        except RejectedError:
            continue
        found[change.subject] = value(product)
    return found


def shown_price(config: SatuConfig, changes: Sequence[Change]) -> dict[str, Any]:
    return shown(config, changes, lambda product: _plain(amount(product.get("price"), config)))


def shown_stock(config: SatuConfig, changes: Sequence[Change]) -> dict[str, Any]:
    return shown(config, changes, lambda product: _plain(observed_stock(product, config)))


def _plain(value: Decimal | None) -> int | float | None:
    return None if value is None else number(value)


def move_order(config: SatuConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One order a request: the answer names orders, not statuses."""
    for change in changes:
        wanted = change.value["status"]
        if wanted in UNSPOKEN and reached(change.value, _standing(config, change)):
            yield Accepted(change, "Satu.kz has no such step")
            continue
        if wanted not in WRITABLE and wanted not in UNSPOKEN:
            yield Rejected(change, "not_writable", f"Satu.kz takes no status {wanted!r}")
            continue
        reply = http(config).send("POST", "orders/set_status", json=status_body(change))
        if reply.ok:
            yield from _walked([change], reply.json())
        else:
            yield Rejected(change, str(reply.status), reply.text[:300])


def status_body(change: Change) -> dict[str, Any]:
    """`canceled` (so spelt) needs a reason, and some reasons a text."""
    body: dict[str, Any] = {"status": WRITABLE[_spoken(change.value["status"])], "ids": [int(change.external_id)]}
    if body["status"] != "canceled":
        return body
    body["cancellation_reason"] = CANCEL_REASONS.get(change.value.get("reason", ""), "another")
    text = change.value.get("comment")
    if body["cancellation_reason"] in TEXT_NEEDED and not text:
        text = "Отмена продавцом"
    return {**body, "cancellation_text": text} if text else body


def shown_status(config: SatuConfig, changes: Sequence[Change]) -> dict[str, Any]:
    return {change.subject: _standing(config, change) for change in changes}


def _standing(config: SatuConfig, change: Change) -> dict[str, Any]:
    return {"status": status(read(config, f"orders/{change.external_id}")["order"], config)}


def _spoken(wanted: str) -> str:
    """The step before it that the platform has a word for, where it has none for this one."""
    return "confirmed" if wanted in UNSPOKEN else wanted


def reached(wanted: Any, seen: Any) -> bool:
    """An order at or past the wanted status needs no write; cancelled is met by cancelled only."""
    goal, now = _spoken(wanted["status"]), seen["status"]
    return bool(goal == now or (goal in PROGRESS and now in PROGRESS and PROGRESS.index(now) >= PROGRESS.index(goal)))


def check(config: SatuConfig) -> None:
    """One cheap read. Raises ConfigError in words for the merchant."""
    try:
        read(config, "orders/list", {"limit": 1})
    except RejectedError as error:
        raise ConfigError(f"{config.connection}: Satu.kz answered the check with: {error}") from error
