"""What is read from Kaspi: orders. It has no updated-since filter and no webhooks: the plan of polling is ours.

Everything here is section 3.1 of the contract, where not said otherwise.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from connectors.kaspi.api import read
from connectors.kaspi.config import KaspiConfig
from connectors.kaspi.mapping import OPEN_STATES
from connectors.kaspi.records import in_order, is_whole, joined, to_id
from connectors.sdk import ConfigError, ContractError, Page, Record, RejectedError, Since, TransientError
from mappings.tables import at

log = logging.getLogger(__name__)

WINDOW = timedelta(days=13, hours=23)
"""The filter takes 14 days; whether the bound counts is not stated, so we stay an hour short."""
HEAD = timedelta(hours=72)
WIDE = timedelta(days=45)
PAGE = 100
ROUNDS = 3
RE_READS = 40
"""Unfinished orders asked for one by one in an ordinary poll; once an hour, and in a full run, it is all of them."""


@dataclass(frozen=True)
class Window:
    """Orders of one tab created in a span of at most 14 days, both ends included, in epoch milliseconds."""

    state: str
    start: int
    end: int

    def params(self, page: int) -> dict[str, Any]:
        return {
            "page[number]": page,
            "page[size]": PAGE,
            "filter[orders][state]": self.state,
            "filter[orders][creationDate][$ge]": self.start,
            "filter[orders][creationDate][$le]": self.end,
            "include[orders]": "entries",
        }


def orders(config: KaspiConfig, since: Since) -> Iterator[Page]:
    """Orders with their lines: new ones by windows of creation time, unfinished ones that no window shows by id.

    The cursor is the moment the poll began: with no updated-since filter, all there is to remember.
    """
    reading, began = Reading(config), since.now.astimezone(UTC).isoformat(timespec="milliseconds")
    for window in windows(since):
        for found in reading.window(window):
            yield Page(found, cursor=began)
    unseen = [code for code in since.open_keys if code not in reading.seen]
    for code in unseen if is_wide(since) else unseen[:RE_READS]:
        yield Page(reading.order(code), cursor=began)


def windows(since: Since) -> Iterator[Window]:
    """What one poll reads.

    First or full: every tab, archive included, as far as the backfill goes. Else the last days of the unfinished tabs,
    and with the first poll of an hour also their last weeks and the head of the archive: what a buyer took, or
    cancelled, between two polls was never seen open. A poll after a silence starts where the last one ended.
    """
    if since.first:
        yield from _tiles((*OPEN_STATES, "ARCHIVE"), since.now - max(since.backfill, WINDOW), since.now)
        return
    head = min(since.now - HEAD, _last(since))
    yield from _tiles(OPEN_STATES, head, since.now)
    if is_wide(since):
        yield from _tiles(OPEN_STATES, min(since.now - WIDE, head), head)
        yield from _tiles(("ARCHIVE",), head, since.now)


def is_wide(since: Since) -> bool:
    """Whether this is the first poll of its clock hour, or a full one."""
    return since.first or _hour(_last(since)) != _hour(since.now)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _last(since: Since) -> datetime:
    """When the last poll began."""
    return datetime.fromisoformat(since.value or "").astimezone(since.now.tzinfo)


def _tiles(states: tuple[str, ...], start: datetime, end: datetime) -> Iterator[Window]:
    """Oldest span first; within it the tabs as an order goes through them: one that moves on meanwhile is still met."""
    while start < end:
        stop = min(start + WINDOW, end)
        yield from (Window(state, _ms(start), _ms(stop)) for state in states)
        start = stop


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Reading:
    """One poll: what it has met, so that an order met twice, in two windows or on two pages, is given twice only if it
    changed in between."""

    def __init__(self, config: KaspiConfig):
        self.config = config
        self.seen: dict[str, bytes] = {}
        self._skus: dict[str, Record | None] = {}

    def window(self, window: Window) -> Iterator[list[Record]]:
        """New or changed orders of a window.

        Pages shift while they are read, so the head is read again after the last one; if the window has grown or shrunk
        meanwhile, all of it is. What still slips through is met by the next poll.
        """
        for _ in range(ROUNDS):
            page, pages, count = 0, 1, None
            while page < pages:
                reply = read(self.config, "orders", window.params(page))
                pages, total = _extent(reply)
                count = total if count is None else count
                yield from self._fresh(reply)
                page += 1
            if pages <= 1:
                return
            again = read(self.config, "orders", window.params(0))
            yield from self._fresh(again)
            if _extent(again)[1] == count:
                return

    def order(self, code: str) -> list[Record]:
        """One order by its number; none where Kaspi no longer shows it."""
        try:
            reply = read(self.config, f"orders/{to_id(code)}")
        except RejectedError as error:
            if error.code != "404":
                raise
            log.warning("%s: Kaspi no longer shows order %s; its last known state stays", self.config.connection, code)
            return []
        return [self._whole(order) for order in joined([reply["data"]], reply.get("included") or ())]

    def _fresh(self, reply: dict[str, Any]) -> Iterator[list[Record]]:
        found = []
        for order in joined(reply["data"], reply.get("included") or ()):
            code, mark = str(at(order, "attributes.code")), _mark(order)
            if self.seen.get(code) != mark:
                self.seen[code] = mark
                found.append(self._whole(order))
        if found:
            yield found

    def _whole(self, order: Record) -> Record:
        """With every line, and every line with the seller's SKU: asked for where the list was short of them."""
        if not is_whole(order):
            order = {**order, "entries": self._entries(order)}
        return {**order, "entries": [self._with_sku(entry) for entry in order["entries"]]}

    def _entries(self, order: Record) -> list[Record]:
        code = at(order, "attributes.code")
        try:
            return in_order(read(self.config, f"orders/{order.get('id') or to_id(str(code))}/entries")["data"])
        except RejectedError as error:
            # Lands without lines and is set aside for not adding up: one order must not stop the rest.
            log.warning("%s: no lines of order %s: %s", self.config.connection, code, error)
            return []

    def _with_sku(self, entry: Record) -> Record:
        """Old answers have no `offer`: the seller's product is two steps away (contract kaspi 3.3)."""
        if at(entry, "attributes.offer.code"):
            return entry
        product = str(at(entry, "relationships.product.data.id") or entry["id"])
        if product not in self._skus:
            self._skus[product] = self._merchant_product(entry["id"])
        found = self._skus[product]
        return {**entry, "merchantProduct": found} if found else entry

    def _merchant_product(self, entry_id: str) -> Record | None:
        try:
            product = read(self.config, f"orderentries/{entry_id}/product")["data"]
            found: Record = read(self.config, f"masterproducts/{product['id']}/merchantProduct")["data"]
        except RejectedError:
            return None
        return found


def _extent(reply: dict[str, Any]) -> tuple[int, int]:
    """Pages and orders of a window. Raises ContractError: without them its end is unknown."""
    try:
        return int(reply["meta"]["pageCount"]), int(reply["meta"]["totalCount"])
    except (KeyError, TypeError, ValueError):
        raise ContractError("Kaspi's list of orders says neither its pages nor its count") from None


def _mark(order: Record) -> bytes:
    return blake2b(json.dumps(order, sort_keys=True).encode(), digest_size=12).digest()


def check(config: KaspiConfig) -> None:
    """One cheap read. Raises ConfigError in words for the merchant."""
    try:
        read(config, "orders", {"page[number]": 0, "page[size]": 1, "filter[orders][code]": "0"})
    except TransientError as error:
        raise ConfigError(f"{config.connection}: Kaspi does not answer: {error}") from error
    except RejectedError as error:
        raise ConfigError(f"{config.connection}: Kaspi answered the check with {error}") from error
