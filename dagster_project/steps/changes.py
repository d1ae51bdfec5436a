"""A stored row becomes a change for a connector, and its outcome becomes what the ledger records."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.sdk.deliver import Accepted, Change, Outcome, Rejected, Unknown
from dagster_project.store.ledger import Queue
from dagster_project.store.outbox import Row, Told
from dagster_project.store.people.sealing import opened_value
from mappings.sync.values import plain

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
LEAST_WAIT = timedelta(seconds=1)
RECEIPTS = frozenset({"segment.push", "customer.push"})
"""Capabilities whose receipt is how the channel calls the person from then on."""
_ADDRESS = re.compile(r".*@.*|\+?[78]7\d{9}|\+\d{8,15}")
"""A receipt by which anybody could find the person is not kept: the ledger holds nothing personal."""
_exactly = json.JSONDecoder(parse_float=Decimal).decode


def back_off(rounds: int) -> timedelta:
    """30 s, 1 min, 2 min … 15 min for the 0th, 1st, 2nd … repetition."""
    return min(FIRST_WAIT * 2 ** min(rounds, 10), LONGEST_WAIT)


def as_change(queue: Queue, row: Row) -> Change:
    """`value` as the SDK promises it: prices as decimal text, counts as numbers, whole where they are whole."""
    return Change(
        capability=queue.capability,
        subject=row.subject,
        external_id=row.external_id,
        value=value_of(queue.capability, row.becomes),
        was=value_of(queue.capability, row.was),
        key=row.key,
        about={} if row.about == "{}" else json.loads(row.about),
    )


def value_of(capability: str, stored: str | None) -> Any:
    """JSON text of the ledger → the value a connector sees. A price never passes through a binary float.

    The ledger holds the contacts of an order sealed; they are opened for the one who needs them.
    """
    if stored is None:
        return None
    is_price = capability == "price.push"
    if stored.isdecimal():  # nearly all of them; a JSON number has no leading zeros
        return stored if is_price else int(stored)
    value = _exactly(stored)
    if capability == "order.push" and isinstance(value, dict):
        value = opened_value("canonical.order", value)
    return plain(value) if is_price and isinstance(value, Decimal) else without_digest(_plain(value))


def without_digest(value: Any) -> Any:
    """A value without the digest that a membership has in the ledger: by which contacts the person is shown."""
    if not isinstance(value, dict) or "member" not in value:
        return value
    return {name: part for name, part in value.items() if name != "contact"}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def told(outcome: Outcome, row: Row, at: datetime, batch: int | None) -> Told:
    """What to record of an outcome, in the vendor's words, from which the SDK has taken people's data."""
    subject = outcome.change.subject
    match outcome:
        case Accepted(change=change, receipt=receipt):
            kept = kept_receipt(change.capability, receipt)
            message = kept if change.capability in RECEIPTS else receipt
            return Told(subject, "accepted", message, at=at, batch=batch, receipt=kept)
        case Rejected(code=code, message=message):
            return Told(subject, "rejected", message or code, code, at=at, batch=batch)
        case Unknown(why=why):
            return Told(subject, "unknown", why, at=at, batch=batch)
    wait = back_off(row.tries) if outcome.retry_after is None else timedelta(seconds=outcome.retry_after)
    return Told(subject, "deferred", outcome.why, not_before=at + max(wait, LEAST_WAIT), at=at, batch=batch)


def kept_receipt(capability: str, receipt: str | None) -> str | None:
    """What the ledger calls the person by from now on."""
    return receipt if receipt and capability in RECEIPTS and not _ADDRESS.fullmatch(receipt) else None


def agree(same: Callable[[Any, Any], bool], wanted: Any, seen: Any) -> bool:
    """Whether a channel shows what was wanted: numbers by worth ("1200" = 1200.00), the rest by the sink's `same`."""
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping) and wanted.keys() == seen.keys():
        numeric = {point: (_number(wanted[point]), _number(seen[point])) for point in wanted}
        if all(left is not None and left == right for left, right in numeric.values()):
            return True
    number = _number(wanted)
    return (number is not None and number == _number(seen)) or same(wanted, seen)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
