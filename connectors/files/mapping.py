"""One table per layout: text cells → canonical fields. Notations come from the connection's settings."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.files.columns import Columns, normal
from connectors.files.config import FilesConfig
from connectors.files.words import known, words
from mappings.canonical import Customer, Price, Product, StockLevel
from mappings.canonical.money import rounded
from mappings.tables import Constant, Derived, Field, FieldMap, Unusable, at, convert
from mappings.tables.notation import SCIENTIFIC, Moments, Numbers, identifier, somebodys
from mappings.tables.receipts import ReceiptLine

Cells = Mapping[str, str | None]
DAY_FIRST, MONTH_FIRST = (
    tuple(Moments(sign.join(parts)) for sign in "./-") for parts in (("d", "M", "yyyy"), ("M", "d", "yyyy"))
)

KINDS = words(
    sale="продажа, розничная продажа, приход, sale, sell, сату, 2",
    back="возврат, возврат продажи, возврат прихода, возврат от покупателя, return, refund, sale return, қайтару, 3",
)
"""Numbers are the operation types of Kazakh cash registers (contract pos 5)."""
WAYS = words(
    cash="наличные, наличными, нал, cash, қолма-қол",
    card="карта, картой, банковская карта, безнал, безналичные, card, карточка",
    mobile="мобильный, мобильный платеж, qr, mobile",
    bonus="бонусы, bonus",
)
STATES = words(
    active="active, активен, активный, да, 1, true, белсенді",
    archived="archived, архив, архивный, неактивен, нет, 0, false, мұрағат",
)
PRICE_TYPES = words(
    retail="розничная, розничная цена, розница, бөлшек",
    wholesale="оптовая, опт",
    purchase="закупочная, закупка",
    minimum="минимальная",
    recommended="рекомендованная",
)
GENDERS = words(male="м, муж, мужской, мужчина, male, m, ер, еркек", female="ж, жен, женский, женщина, female, f, әйел")


def told(field_map: FieldMap, columns: Columns) -> FieldMap:
    """Without the fields whose (first) column a file lacks: they must not overwrite what others know."""
    fields = {
        name: field for name, field in field_map.fields.items() if not field.reads or field.reads[0] in columns.targets
    }
    return replace(field_map, fields=fields)


def receipt_lines(config: FilesConfig, columns: Columns) -> FieldMap:
    """Till lines. Where tills are named their numbers restart every day, so the id says place, till and day as well;
    `partition: receipt` says that the number alone is unique."""
    numbers, moments = _numbers(config), _moments(config)
    restarts = "till" in columns.targets and config.partition != "receipt"
    return FieldMap(
        ReceiptLine,
        {
            "receipt": Field("receipt", identifier), "line": Field("line", identifier),
            "location": Field("location", identifier), "till": Field("till", identifier),
            "placed_at": Field("placed_at", moments), "day": Field("placed_at", lambda text: moments.local(text).day),
            "clock_change": Field("placed_at", lambda text: moments.local(text).clock_change),
            "external_id": _whole_id(moments) if restarts else Field("receipt", identifier),
            "returned": Field("kind", lambda text: KINDS[normal(text)] == "back"), "sku": Field("sku", identifier),
            "barcode": Derived(_barcode, ("barcode", "sku")), "name": Field("name", convert.text),
            "quantity": Field("quantity", numbers.quantity), "unit_price": Field("unit_price", numbers.amount),
            "discount": Field("discount", numbers.amount), "total": _total(numbers, columns),
            "receipt_total": Field("receipt_total", numbers.amount), "payment": Field("payment", _ways),
            "customer": Field("customer", somebodys), "loyalty_id": Field("loyalty_id", somebodys),
            "fiscal_sign": Field("fiscal_sign", identifier),
        },
    )  # fmt: skip


def _whole_id(moments: Moments) -> Derived:
    """Place, till, day and number."""

    def made(cells: Cells, _: Any) -> str:
        place, till = (identifier(at(cells, name) or "") for name in ("location", "till"))
        day, receipt = moments.local(_there(cells, "placed_at")).day, identifier(_there(cells, "receipt"))
        return "/".join(part for part in (place, till, day.isoformat(), receipt) if part)

    return Derived(made, ("receipt", "location", "till", "placed_at"))


def _total(numbers: Numbers, columns: Columns) -> Field | Derived:
    """As the file states it; from price, quantity and discount only where no column does."""

    def made(cells: Cells, _: Any) -> Decimal:
        price, quantity = numbers(_there(cells, "unit_price")), numbers(_there(cells, "quantity"))
        discount = abs(numbers(at(cells, "discount") or "0"))
        return rounded(price * quantity - discount.copy_sign(quantity))

    if "total" in columns.targets:
        return Field("total", numbers.amount)
    return Derived(made, ("unit_price", "quantity", "discount"))


def products(config: FilesConfig) -> FieldMap:
    """A product without a name goes by its article."""
    return FieldMap(
        Product,
        {
            "sku": Field("sku", identifier), "external_id": Field("sku", identifier),
            "parent_sku": Field("parent_sku", identifier),
            "name": Derived(lambda cells, _: convert.text(at(cells, "name") or at(cells, "sku") or ""), ("sku",
            "name")),
            "brand": Field("brand", convert.text), "category": Field("category", convert.text),
            "barcodes": Field("barcode", _barcodes), "unit": Field("unit", convert.text), "status": Field("status",
            known(STATES)),
        },
    )  # fmt: skip


def stock(config: FilesConfig) -> FieldMap:
    """Counts. A count that states no moment is as of the file."""
    return FieldMap(
        StockLevel,
        {
            "sku": Derived(lambda cells, _: identifier(_there(cells, "sku")), ("sku",)), "location": Field("location",
            identifier),
            "on_hand": Field("on_hand", _numbers(config).quantity), "as_of": Field("as_of", _moments(config)),
        },
    )  # fmt: skip


def prices(config: FilesConfig) -> FieldMap:
    """Base prices."""
    moments = _moments(config)
    return FieldMap(
        Price,
        {
            "sku": Derived(lambda cells, _: identifier(_there(cells, "sku")), ("sku",)),
            "price_type": Field("price_type", lambda text: PRICE_TYPES.get(normal(text), convert.text(text))),
            "amount": Field("amount", _numbers(config).amount), "currency": Constant(config.currency),
            "valid_from": Field("valid_from", moments), "valid_to": Field("valid_to", moments),
        },
    )  # fmt: skip


def customers(config: FilesConfig, columns: Columns, birthdays: Iterable[str | None] = ()) -> FieldMap:
    """What one system says of a buyer. A birthday, gender or contact that cannot be read does not cost the buyer.

    `birthdays`: those of the file, which tell whether it writes the month first.
    """
    moments = _moments(config)
    refs = tuple(target for target in columns.targets if target.startswith("ref."))
    texts = ("name", "last_name", "first_name", "middle_name", "city", "address")
    return FieldMap(
        Customer,
        {
            "external_id": Field("external_id", identifier), **{name: Field(name, convert.text) for name in texts},
            "phones": Derived(_phones, columns.those("phone", "phone2")),
            "emails": Field("email", lambda text: convert.emails(text) or None),
            "birth_date": Field("birth_date", _birthday(moments, birthdays)),
            "gender": Field("gender", lambda text: GENDERS.get(normal(text))),
            "loyalty_ids": Field("loyalty_id", _card), "account_id": Field("account_id", somebodys),
            "created_at": Field("created_at", moments),
            "masked": Constant(config.masked),
            "refs": Derived(lambda cells, _: _elsewhere(cells, refs), refs),
        },
    )  # fmt: skip


def _numbers(config: FilesConfig) -> Numbers:
    return Numbers(config.decimal, config.thousands, config.currency)


def _moments(config: FilesConfig) -> Moments:
    return Moments(config.date_format, config.timezone)


def _there(cells: Cells, name: str) -> str:
    text: str | None = at(cells, name)
    if text is None:
        raise Unusable("Field required", "missing_field")
    return text


def _ways(text: str) -> str:
    return "+".join(WAYS.get(normal(way), convert.text(way) or "") for way in text.split("+"))


def _barcode(cells: Cells, _: Any) -> str | None:
    """A code that a spreadsheet has rounded is no code; the article names the goods, if there is one."""
    code: str | None = at(cells, "barcode")
    if code is None or (at(cells, "sku") and SCIENTIFIC.fullmatch(code.strip())):
        return None
    return identifier(code)


def _barcodes(text: str) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(code for part in re.split(r"[\s,;|]+", text) if (code := convert.barcode(part)))) or None


def _birthday(moments: Moments, birthdays: Iterable[str | None]) -> Callable[[str], date | None]:
    """As dates of the file are written, else in ISO 8601, else in either order; else nothing.

    03.04 is a day of April, unless more of the file's birthdays can be read with the month first.
    """
    found = [text for text in birthdays if text]
    orders = sorted((DAY_FIRST, MONTH_FIRST), key=lambda order: -sum(_day(order, text) is not None for text in found))
    return partial(_day, (moments, Moments(), *(written for order in orders for written in order)))


def _day(notations: Iterable[Moments], text: str) -> date | None:
    for written in notations:
        with suppress(Unusable):
            return written.date(text)
    return None


def _card(text: str) -> tuple[str, ...] | None:
    card = somebodys(text)
    return (card,) if card else None


def _elsewhere(cells: Cells, refs: tuple[str, ...]) -> tuple[str, ...] | None:
    """`ref.crm: 7` → `crm`, unit separator, `7`: the same buyer's id in connection `crm`."""
    told = ((ref, somebodys(cells.get(ref) or "")) for ref in refs)
    return tuple(f"{ref.removeprefix('ref.')}\x1f{known}" for ref, known in told if known) or None


def _phones(cells: Cells, _: Any) -> tuple[str, ...] | None:
    found = (phone for name in ("phone", "phone2") for phone in convert.phones(at(cells, name) or ""))
    return tuple(dict.fromkeys(found)) or None
