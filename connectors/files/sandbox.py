"""Tills on loopback: no API, only files that appear in an inbox, as a back office exports them."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, groupby
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from connectors.sdk.testing.sandbox import Demo, Limits, utc_now
from connectors.sdk.testing.shop import PLACES, Line, Order, Shop

ZONE = ZoneInfo("Asia/Almaty")
HEADER = (
    "Чек №",
    "Магазин",
    "Касса",
    "Дата",
    "Время",
    "Артикул",
    "Наименование",
    "Кол-во",
    "Цена",
    "Сумма",
    "Карта лояльности",
)
PULSES_A_FILE = 15

DEMO = Demo(
    settings={
        "path": "inbox/*.csv",
        "layout": "receipts",
        "delimiter": ";",
        "decimal": ",",
        "date_format": "dd.MM.yyyy HH:mm:ss",
        "timezone": "Asia/Almaty",
        "currency": "KZT",
        "partition": "receipt",
        "columns": {
            "receipt": "Чек №", "location": "Магазин", "till": "Касса", "placed_at": ["Дата", "Время"],
            "sku": "Артикул",
            "name": "Наименование", "quantity": "Кол-во", "unit_price": "Цена", "total": "Сумма",
            "loyalty_id": "Карта лояльности",
        },
    },
    secrets={},
    connection={"locations": {place.code: place.code for place in PLACES}},
)  # fmt: skip


@dataclass
class Tills:
    """The store whose till writes files. `sandbox` is None: nothing is served."""

    clock: Callable[[], datetime]
    shop: Shop | None = None
    sandbox: None = None

    def drop(self, folder: Path) -> None:
        """A file per month of the shop's past, in `folder`/inbox."""
        sales = [order for order in self.shop.orders if order.channel == "till"] if self.shop else []
        for month, orders in groupby(sales, key=lambda order: f"{order.placed_at.astimezone(ZONE):%Y%m}"):
            self.write(folder, f"receipts_{month}.csv", list(orders))

    def write(self, folder: Path, name: str, orders: Sequence[Order]) -> Path:
        """One file, whole at once: written beside and renamed, as a careful exporter does."""
        inbox = folder / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        part = inbox / f"{name}.part"
        part.write_text(self.text(orders), "utf-8-sig")
        return part.rename(inbox / name)

    def text(self, orders: Sequence[Order]) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\n")
        writer.writerow(HEADER)
        for order in orders:
            writer.writerows(self._row(order, line) for line in order.lines)
        return out.getvalue()

    def _row(self, order: Order, line: Line) -> tuple[object, ...]:
        assert self.shop is not None
        at = order.placed_at.astimezone(ZONE)
        buyer = self.shop.by_person.get(order.person or "")
        return (
            order.number, order.place, "1", f"{at:%d.%m.%Y}", f"{at:%H:%M:%S}", line.sku,
            self.shop.by_sku[line.sku].name,
            line.quantity, _comma(line.price), _comma(line.price * line.quantity), (buyer and buyer.loyalty_id) or "",
        )  # fmt: skip


def _comma(amount: object) -> str:
    return f"{amount:.2f}".replace(".", ",")


def sandbox(shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now) -> Tills:
    """Tills with the shop's receipts of channel `till`; `drop` puts them where the hub looks."""
    return Tills(clock, shop)


def life(tills: Tills, shop: Shop, *, folder: Path, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's days: each call sells something, each fifteenth exports what was sold since."""
    random, numbers, sold = Random(f"tills {seed}"), count(1), list[Order]()

    def pulse() -> None:
        number, variant = next(numbers), random.choice(shop.variants)
        lines = (Line(variant.sku, random.randint(1, 2), variant.retail),)
        now = tills.clock()
        name = f"{PLACES[-1].code}-{now:%y%m%d%H%M%S}-{number}"
        sold.append(Order(name, "till", random.choice(shop.people).id, PLACES[-1].code, now, "completed", lines))
        if number % PULSES_A_FILE == 0:
            tills.write(folder, f"receipts_{now:%Y%m%d_%H%M%S}.csv", sold)
            sold.clear()

    return pulse
