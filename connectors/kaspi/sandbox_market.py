"""The simulated marketplace: its orders, who buys and what happens to them meanwhile."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import Any

from connectors.kaspi.sandbox_front import Fetch, Front
from connectors.kaspi.sandbox_orders import Buyer, Line, Sale, milliseconds
from connectors.sdk import Change
from connectors.sdk.testing.sandbox import Sandbox
from connectors.sdk.testing.shop import Order, Person, Shop

MERCHANT = "30000000"
LOGIN, PASSWORD = "kaspi-feed", "sandbox-feed-password"
POINTS = {"Almaty-1": "PP1", "Almaty-2": "PP2", "Astana-1": "PP3", "Almaty-W": "PP4"}
"""The shop's places as Kaspi names them."""
MODES = ((True, "DELIVERY_PICKUP"), (False, "DELIVERY_PICKUP"), (True, "DELIVERY_LOCAL"), (False, "DELIVERY_LOCAL"))
"""(by Kaspi, mode): how orders go out, in turn."""


@dataclass
class Kaspi:
    """The marketplace's state, for tests to change.

    `hang`: seconds a request with a library's User-Agent waits for nothing. `short_lists`: lists include one entry less
    than an order of several has. `old_entries`: entries come without `offer`, as in old answers.
    """

    clock: Callable[[], datetime]
    merchant: str = MERCHANT
    hang: float = 300.0
    short_lists: bool = False
    old_entries: bool = False
    sales: dict[str, Sale] = field(default_factory=dict)
    skus: dict[str, tuple[str, int]] = field(default_factory=dict)
    sandbox: Sandbox = field(init=False)
    front: Front = field(init=False)
    _by_time: list[tuple[int, str]] = field(default_factory=list)
    _codes: Any = field(default_factory=lambda: count(800_000_001))
    _random: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.front = Front(self.merchant)

    def add(self, sale: Sale) -> Sale:
        self.sales[sale.code] = sale
        insort(self._by_time, (sale.created, sale.code))
        return sale

    def sell(self, lines: Iterable[tuple[str, int]] = (), *, at: datetime | None = None, **facts: Any) -> Sale:
        """A buyer orders `(sku, quantity)`; without any, something the shop front has on sale, else any known SKU.

        Prices are the front's. `at`: when, the sandbox's clock by default. `facts`: fields of `Sale`.
        """
        chosen = tuple(self._line(sku, quantity) for sku, quantity in lines or [(self._any_sku(), 1)])
        code = next(self._codes)
        mode = dict(zip(("by_kaspi", "mode"), MODES[code % len(MODES)], strict=True))
        facts = {"buyer": Buyer("Айдана", "Тестова", f"700{code % 10_000_000:07d}", "Алматы"), **mode, **facts}
        return self.add(Sale(str(code), milliseconds(at or self.clock()), lines=chosen, **facts))

    def _line(self, sku: str, quantity: int) -> Line:
        name, price = self.skus.get(sku, (sku, 1000))
        shown = self.front.offers.get(sku)
        if shown:
            price = shown.price if isinstance(shown.price, int) else next(iter(shown.price.values()))
        return Line(sku, name, quantity, price)

    def _any_sku(self) -> str:
        on_sale = [sku for sku, shown in self.front.offers.items() if any(shown.stock.values())]
        return self._random.choice(on_sale or list(self.skus) or ["SKU-1"])

    def courier_takes(self, code: str) -> None:
        """Kaspi's courier has the parcel."""
        self.sales[code].handed_over = milliseconds(self.clock())

    def buyer_takes(self, code: str) -> None:
        self.sales[code].end("COMPLETED")

    def buyer_cancels(self, code: str, reason: str = "TIMEOUT_BUYER_PICKUP") -> None:
        """What the courier has, travels back first."""
        sale = self.sales[code]
        if sale.handed_over:
            sale.status, sale.cancel_reason = "CANCELLING", reason
        else:
            sale.end("CANCELLED", reason)

    def buyer_returns(self, code: str) -> None:
        self.sales[code].end("KASPI_DELIVERY_RETURN_REQUESTED")

    def buyer_signs(self, code: str) -> None:
        self.sales[code].state = "NEW"

    def fetch_feed(self, url: str, login: tuple[str, str] | None = None) -> Fetch:
        """Kaspi's hourly visit to the merchant's price list; the shop front changes by it."""
        return self.front.fetch(url, login)

    def changes(self, capability: str) -> list[Change]:
        """What the conformance kit may write here: an acceptance, and all that a person may ask of an order."""
        if capability != "order.status":
            return []
        taken = {"state": "KASPI_DELIVERY", "status": "ACCEPTED_BY_MERCHANT", "by_kaspi": True}
        two = [(self._any_sku(), 2), (self._any_sku(), 1)]
        fewer = {"status": "confirmed", "reason": "out_of_stock"}
        wanted = [
            (self.sell(), {"status": "confirmed"}),
            (self.sell(), {"status": "cancelled", "reason": "buyer"}),
            (self.sell(two), {**fewer, "keep": {"0": {"quantity": 1}}}),
            (self.sell(two, **taken), {**fewer, "keep": {"0": {"quantity": 1}, "1": {"quantity": 0}}}),
            (self.sell(**taken, pre_order=True), {"status": "confirmed", "arrived": True}),
            (self.sell(**{**taken, "status": "CANCELLING"}), {"status": "returned"}),
        ]
        return [Change(capability, f"kaspi:{one.code}", one.code, value, key=one.code) for one, value in wanted]

    def created_between(self, start: int, end: int) -> list[Sale]:
        """Newest first, so that a new order shifts the pages."""
        found = self._by_time[bisect_left(self._by_time, (start, "")) : bisect_right(self._by_time, (end, "~"))]
        return [self.sales[code] for _, code in reversed(found)]


def open_shop(kaspi: Kaspi, shop: Shop) -> None:
    """The shop's goods and its orders of channel `marketplace`."""
    kaspi.skus = {variant.sku: (variant.name, int(variant.retail)) for variant in shop.variants}
    for number, order in enumerate(one for one in shop.orders if one.channel == "marketplace"):
        kaspi.add(_past(shop, order, number))


def _past(shop: Shop, order: Order, number: int) -> Sale:
    """An order of the shop's past; ways of delivery take turns, one order in five is bought on credit."""
    person = shop.by_person[order.person or ""]
    by_kaspi, mode = MODES[number % len(MODES)]
    sale = Sale(
        order.number,
        milliseconds(order.placed_at),
        _buyer(person),
        tuple(Line(line.sku, shop.by_sku[line.sku].name, line.quantity, int(line.price)) for line in order.lines),
        point=POINTS[order.place],
        mode=mode,
        by_kaspi=by_kaspi,
        months=3 if number % 5 == 0 else None,
    )
    if order.status in {"completed", "cancelled", "returned"}:
        sale.end(order.status.upper(), "MERCHANT_OUT_OF_STOCK" if order.status == "cancelled" else None)
        return sale
    if order.status == "placed":
        sale.state = "SIGN_REQUIRED" if sale.months else "NEW"
        return sale
    sale.move({"status": "ACCEPTED_BY_MERCHANT"}, {})
    if by_kaspi and order.status in {"ready", "shipped", "delivered"}:
        sale.assembled, sale.waybill_in = True, 0
        sale.handed_over = sale.created + 86_400_000 if order.status != "ready" else None
    return sale


def life(kaspi: Kaspi, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's days: each call brings a sale and moves an older order on; each fifteenth is a visit to the feed."""
    random, calls = Random(f"kaspi {seed}"), count()

    def pulse() -> None:
        if feeds and next(calls) % 15 == 0:
            kaspi.fetch_feed(f"{feeds}/kaspi.xml", (LOGIN, PASSWORD))
        person = random.choice(shop.people)
        kaspi.sell(buyer=_buyer(person), point=random.choice(list(POINTS.values())))
        waiting = [
            sale for sale in list(kaspi.sales.values()) if sale.state in {"PICKUP", "DELIVERY", "KASPI_DELIVERY"}
        ]
        if waiting:
            _move_on(kaspi, random.choice(waiting))

    return pulse


def _move_on(kaspi: Kaspi, sale: Sale) -> None:
    """What others do: the courier takes what is assembled; the buyer takes what is brought or waits for him."""
    if sale.by_kaspi and not sale.assembled:
        return
    if sale.by_kaspi and not sale.handed_over:
        kaspi.courier_takes(sale.code)
    else:
        kaspi.buyer_takes(sale.code)


def _buyer(person: Person) -> Buyer:
    return Buyer(person.first_name, person.last_name, person.phone[-10:], person.city)
