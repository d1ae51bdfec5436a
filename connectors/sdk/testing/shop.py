"""One coherent invented shop for all sandboxes: the same goods, people and orders seen from every vendor's side.

Everything is made up: phones lie in a block nobody has, e-mails under example.com, barcodes in the in-store range.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import NamedTuple

from connectors.sdk.testing import words

CHANNELS = {"store": 42, "till": 8, "marketplace": 26, "bazaar": 12, "site": 12}
"""Channel → share of the orders, in percent. `till` is the last store's, which writes its receipts to files."""
AT_THE_TILL = frozenset({"store", "till"})
_STEPS = ("placed", "confirmed", "assembling", "ready", "shipped", "delivered")
_STEP = timedelta(hours=9)
"""An order of the demo moves one status in this time, so that the last days show every status."""


class Variant(NamedTuple):
    """Money in whole tenge; `minimum` is the lowest price the shop would sell at."""

    sku: str
    parent_sku: str
    name: str
    brand: str
    category: str
    barcode: str
    cost: Decimal
    retail: Decimal
    minimum: Decimal


class Place(NamedTuple):
    code: str
    name: str
    kind: str
    city: str
    address: str


class Person(NamedTuple):
    """`phone` in E.164."""

    id: str
    first_name: str
    last_name: str
    phone: str
    email: str | None
    loyalty_id: str | None
    city: str


class Line(NamedTuple):
    sku: str
    quantity: int
    price: Decimal


class Order(NamedTuple):
    """`status` is canonical; `person` is None for a buyer who gave no name at the till."""

    number: str
    channel: str
    person: str | None
    place: str
    placed_at: datetime
    status: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.price * line.quantity for line in self.lines), Decimal(0))


@dataclass(frozen=True)
class Shop:
    """Orders are sorted by `placed_at`. `stock` has an entry, possibly 0, for every variant and place."""

    variants: tuple[Variant, ...]
    places: tuple[Place, ...]
    stock: Mapping[tuple[str, str], int]
    people: tuple[Person, ...]
    orders: tuple[Order, ...]
    now: datetime

    @cached_property
    def by_sku(self) -> Mapping[str, Variant]:
        return {variant.sku: variant for variant in self.variants}

    @cached_property
    def by_person(self) -> Mapping[str, Person]:
        return {person.id: person for person in self.people}


def a_shop(
    seed: int = 1,
    variants: int = 5000,
    people: int = 20000,
    orders: int = 60000,
    days: int = 90,
    now: datetime | None = None,
) -> Shop:
    """The same shop for the same arguments. `now` ends the period of the orders."""
    now = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    goods = tuple(_goods(Random(f"goods {seed}"), variants))
    buyers = tuple(_people(Random(f"people {seed}"), people))
    sales = tuple(_orders(Random(f"orders {seed}"), goods, buyers, orders, days, now)) if goods and buyers else ()
    stock = _stock(Random(f"stock {seed}"), goods)
    return Shop(goods, PLACES, stock, buyers, sales, now)


PLACES = tuple(Place(*place) for place in words.PLACES)


def ean13(number: int) -> str:
    """A barcode of the in-store range (200…) with a valid check digit."""
    digits = f"200{number:09d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-weighted % 10)


def _goods(random: Random, count: int) -> list[Variant]:
    made: list[Variant] = []
    parent = 0
    while len(made) < count:
        parent += 1
        kind = random.choice(words.KINDS)
        brand = random.choice(words.BRANDS)
        retail = Decimal(random.randrange(*kind.price, 10))
        for nth, option in enumerate(random.sample(kind.options, random.randint(1, len(kind.options))), start=1):
            if len(made) < count:
                made.append(_variant(random, len(made) + 1, f"KR{parent:05d}", nth, kind, brand, option, retail))
    return made


def _variant(
    random: Random, number: int, parent: str, nth: int, kind: words.Kind, brand: str, option: str, retail: Decimal
) -> Variant:
    cost = (retail * random.randint(55, 75) / 100).quantize(Decimal(1))
    minimum = (cost * Decimal("1.08")).quantize(Decimal(1))
    name = f"{kind.noun} {brand} {option}"
    return Variant(f"{parent}{chr(64 + nth)}", parent, name, brand, kind.category, ean13(number), cost, retail, minimum)


def _stock(random: Random, goods: tuple[Variant, ...]) -> dict[tuple[str, str], int]:
    """A warehouse that holds most of it, stores that hold some; one position in eight is sold out."""
    most = {place.code: 120 if place.kind == "warehouse" else 20 for place in PLACES}
    return {
        (variant.sku, place): 0 if random.random() < 0.125 else random.randint(1, limit)
        for variant in goods
        for place, limit in most.items()
    }


def _people(random: Random, count: int) -> list[Person]:
    return [_person(random, number) for number in range(1, count + 1)]


def _person(random: Random, number: int) -> Person:
    gender = random.choice("fm")
    first = random.choice(words.FIRST_NAMES[gender])
    last = random.choice(words.LAST_NAMES) + ("а" if gender == "f" else "")
    email = f"buyer{number}@example.com" if random.random() < 0.6 else None
    loyalty = f"KL{number:06d}" if random.random() < 0.4 else None
    return Person(f"P{number:06d}", first, last, f"+7700{number:07d}", email, loyalty, random.choice(words.CITIES))


def _orders(
    random: Random, goods: tuple[Variant, ...], people: tuple[Person, ...], count: int, days: int, now: datetime
) -> list[Order]:
    """A few goods and a few people make most of the turnover, as in any shop."""
    popular = list(accumulate(1 / (rank + 20) for rank in range(len(goods))))
    loyal = list(accumulate(1 / (rank + 200) for rank in range(len(people))))
    hours = random.choices(range(24), words.HOURS, k=count)
    moments = sorted(_moment(random, hour, days, now) for hour in hours)
    buyers = random.choices(people, cum_weights=loyal, k=count)
    sizes = random.choices((1, 2, 3, 5), (60, 25, 10, 5), k=count)
    picks = iter(random.choices(goods, cum_weights=popular, k=sum(sizes)))
    return [
        _order(random, number, moment, buyer, tuple(_line(random, next(picks)) for _ in range(size)), now)
        for number, (moment, buyer, size) in enumerate(zip(moments, buyers, sizes, strict=True), start=1)
    ]


def _moment(random: Random, hour: int, days: int, now: datetime) -> datetime:
    """`hour` in UTC+5, the shop's own clock."""
    day = now - timedelta(days=random.randrange(days) + 1)
    moment = day.replace(hour=hour, minute=random.randrange(60), second=random.randrange(60)) - timedelta(hours=5)
    return moment + timedelta(days=1) if moment + timedelta(days=1) <= now else moment


def _line(random: Random, variant: Variant) -> Line:
    return Line(variant.sku, 1 if random.random() < 0.85 else random.randint(2, 4), variant.retail)


def _order(random: Random, number: int, at: datetime, buyer: Person, lines: tuple[Line, ...], now: datetime) -> Order:
    """Lines of one variant are joined: every vendor counts a variant once in an order."""
    joined: dict[str, Line] = {}
    for line in lines:
        had = joined.get(line.sku)
        joined[line.sku] = Line(line.sku, line.quantity + (had.quantity if had else 0), line.price)
    channel = random.choices(tuple(CHANNELS), tuple(CHANNELS.values()))[0]
    place = PLACES[-1] if channel == "till" else random.choice(PLACES[1:] if channel == "store" else PLACES)
    known = channel not in AT_THE_TILL or random.random() < 0.4
    numbered = {
        "marketplace": f"{700_000_000 + number}", "bazaar": f"{500_000 + number}", "site": f"S-{number:06d}"
    }  # fmt: skip
    text = numbered.get(channel, f"{place.code}-{number:06d}")
    status = _status(random, channel, now - at)
    return Order(text, channel, buyer.id if known else None, place.code, at, status, tuple(joined.values()))


def _status(random: Random, channel: str, age: timedelta) -> str:
    if channel in AT_THE_TILL:
        return "completed"
    if random.random() < 0.06:
        return "cancelled"
    step = age // _STEP
    if step < len(_STEPS):
        return _STEPS[step]
    return "returned" if random.random() < 0.02 else "completed"
