"""The invented shop as MoySklad would hold it: goods, stores, people, till receipts and orders of the web shop."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from itertools import groupby
from uuid import NAMESPACE_URL, uuid5

from connectors.moysklad.config import STATES
from connectors.moysklad.simulator.books import Books, Fields, Row, Table, meta, ref, totals
from connectors.moysklad.source import moscow
from connectors.sdk.testing.shop import Line, Order, Person, Place, Shop, Variant

Items = Mapping[str, Fields]

NAMESPACE = uuid5(NAMESPACE_URL, "moysklad sandbox")
RETAIL_BUYER = "Розничный покупатель"
TYPES = {"Доставлен": "Successful", "Возврат": "Unsuccessful", "Отменен": "Unsuccessful"}
STATE_OF: dict[str, str] = {
    **{status: name for name, status in STATES.items()}, "assembling": "Подтвержден", "completed": "Доставлен"
}  # fmt: skip
PROMISED = ("placed", "confirmed", "assembling", "ready")
LAUNCHED = datetime(2024, 1, 9, 7, 0, tzinfo=UTC)
LAUNCH = moscow(LAUNCHED)
PACE = timedelta(minutes=7)
"""Between two rows that somebody typed in when the account was young."""
EVERY_RETURN = 150
"""One till receipt in so many comes back."""


@lru_cache(maxsize=50_000)
def uid(*name: str) -> str:
    """The same id for the same thing in every run."""
    return str(uuid5(NAMESPACE, ":".join(name)))


ACCOUNT, ORGANIZATION, TENGE, DOLLAR, PIECE, PARCEL = (
    uid(name) for name in ("account", "organization", "KZT", "USD", "piece", "parcel")
)
BUYER, SITE, RETAIL_PRICE, FRIENDS_PRICE = (uid(name) for name in ("buyer", "site", "retail", "friends"))


def opened(books: Books, shop: Shop) -> Books:
    """Fills the account."""
    for name in STATES:
        uuid = uid("state", name)
        where = meta("state", f"entity/customerorder/metadata/states/{uuid}")
        facts = {"accountId": ACCOUNT, "name": name, "color": 15106326, "stateType": TYPES.get(name, "Regular")}
        books.states[uuid] = {"meta": where, "id": uuid, **facts, "entityType": "customerorder"}
    kinds = {
        "organization": _plain("organization", [(ORGANIZATION, {"name": "ТОО «Керуен»", "companyType": "legalKZ"})]),
        "currency": _currencies(),
        "uom": _plain("uom", [(PIECE, {"name": "шт", "description": "Штука", "code": "796", "externalCode": "796"})]),
        "service": _plain("service", [(PARCEL, {"name": "Доставка", "externalCode": "delivery"})]),
        "saleschannel": _plain("saleschannel", [(SITE, {"name": "Сайт", "type": "ECOMMERCE"})]),
        "store": [row_of("store", uid("store", place.code), LAUNCH, partial(_store, place)) for place in shop.places],
        "counterparty": _people(shop.people),
    }
    products, variants = _goods(shop.variants)
    tables = kinds | {"product": products, "variant": variants, "bundle": []}
    tables |= _sales(shop, {**items_of(products), **items_of(variants)})
    books.tables.update({kind: Table(rows) for kind, rows in tables.items()})
    _count(books, shop)
    return books


def row_of(kind: str, uuid: str, updated: str, build: Callable[[], Fields]) -> Row:
    own = {"meta": meta(kind, f"entity/{kind}/{uuid}"), "id": uuid, "accountId": ACCOUNT}
    return Row(uuid, kind, updated, lambda: own | build())


def typed(number: int) -> str:
    """When the row of that number was last changed."""
    return moscow(LAUNCHED + number * PACE)


def _plain(kind: str, entries: Iterable[tuple[str, Fields]]) -> list[Row]:
    return [row_of(kind, uuid, LAUNCH, partial(dict, fields)) for uuid, fields in entries]


def _currencies() -> list[Row]:
    """The dollar is archived: default lists do not show it, and old prices still name it."""
    tenge = {"name": "тенге", "code": "398", "isoCode": "KZT", "rate": 1.0, "multiplicity": 1, "default": True}
    dollar = {"name": "доллар", "code": "840", "isoCode": "USD", "rate": 512.3, "multiplicity": 1, "default": False}
    rows = _plain("currency", [(TENGE, tenge), (DOLLAR, dollar)])
    rows[1].archived = True
    return rows


def _store(place: Place) -> Fields:
    return {
        "name": place.name, "code": place.code, "externalCode": place.code, "shared": True, "pathName": "",
        "address": f"{place.city}, {place.address}", "addressFull": {"city": place.city, "addInfo": place.address},
    }  # fmt: skip


# ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _goods(variants: Iterable[Variant]) -> tuple[list[Row], list[Row]]:
    """A model with one variant is a product; one with several is a product that only heads its variants."""
    products: list[Row] = []
    children: list[Row] = []
    for parent, group in groupby(variants, key=lambda variant: variant.parent_sku):
        family = list(group)
        if len(family) == 1:
            products.append(
                row_of("product", uid("item", family[0].sku), typed(len(products)), partial(_single, family[0]))
            )
            continue
        when = typed(len(products))
        products.append(row_of("product", uid("item", parent), when, partial(_heading, family)))
        children += [row_of("variant", uid("item", one.sku), when, partial(_variant, one)) for one in family]
    return products, children


def price(value: Decimal) -> Fields:
    return {"value": float(value * 100), "currency": ref("currency", TENGE)}


def prices(variant: Variant) -> Fields:
    """A price type nobody filled is shown as 0."""
    values = (variant.retail, Decimal(0))
    sale = [price(value) | {"priceType": kind} for value, kind in zip(values, price_types(), strict=True)]
    return {"salePrices": sale, "buyPrice": price(variant.cost), "minPrice": price(variant.minimum)}


def price_types() -> list[Fields]:
    """The account's price types, the first of them the default."""
    where = "context/companysettings/pricetype"
    named = {"Цена продажи": RETAIL_PRICE, "Цена для друзей": FRIENDS_PRICE}
    return [
        {"meta": meta("pricetype", f"{where}/{uuid}"), "id": uuid, "name": name, "externalCode": uuid}
        for name, uuid in named.items()
    ]


def _common(variant: Variant) -> Fields:
    """What products have and variants do not."""
    where = meta("attributemetadata", f"entity/product/metadata/attributes/{uid('brand')}")
    own_field = {"meta": where, "id": uid("brand"), "name": "Бренд", "type": "string", "value": variant.brand}
    return {
        "shared": True, "pathName": variant.category, "uom": ref("uom", PIECE), "attributes": [own_field],
        "weight": 0.0, "volume": 0.0, "vat": 16, "vatEnabled": True, "effectiveVat": 16, "effectiveVatEnabled": True,
        "useParentVat": False, "trackingType": "NOT_TRACKED", "discountProhibited": False,
    }  # fmt: skip


def _single(variant: Variant) -> Fields:
    own = {"name": variant.name, "code": variant.sku, "externalCode": uid("external", variant.sku)[:22]}
    return _common(variant) | own | prices(variant) | {"variantsCount": 0, "barcodes": [{"ean13": variant.barcode}]}


def _heading(family: list[Variant]) -> Fields:
    first = family[0]
    name = first.name[: first.name.index(first.brand) + len(first.brand)]
    own = {"name": name, "code": first.parent_sku, "externalCode": uid("external", first.parent_sku)[:22]}
    return _common(first) | own | prices(first) | {"variantsCount": len(family)}


def _variant(variant: Variant) -> Fields:
    """No prices of its own, so the product's are shown; purchase and minimum prices are the product's alone."""
    option = variant.name[variant.name.index(variant.brand) + len(variant.brand) :].strip()
    colour = meta("attributemetadata", f"entity/variant/metadata/characteristics/{uid('option')}")
    return {
        "name": f"{variant.name.removesuffix(option).strip()} ({option})", "code": variant.sku,
        "externalCode": uid("external", variant.sku)[:22], "barcodes": [{"ean13": variant.barcode}],
        "characteristics": [{"meta": colour, "id": uid("option"), "name": "Вариант", "value": option}],
        "salePrices": prices(variant)["salePrices"], "product": ref("product", uid("item", variant.parent_sku)),
        "discountProhibited": False,
    }  # fmt: skip


def items_of(rows: Iterable[Row]) -> Items:
    """Reference of each item by its id."""
    return {row.id: ref(row.kind, row.id) for row in rows}


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _people(people: Iterable[Person]) -> list[Row]:
    anonymous = {"name": RETAIL_BUYER, "companyType": "legal", "tags": [], "created": LAUNCH, "externalCode": "retail"}
    known = [
        row_of("counterparty", uid("person", one.id), typed(number), partial(_person, one))
        for number, one in enumerate(people, start=1)
    ]
    return [*_plain("counterparty", [(BUYER, anonymous)]), *known]


def _person(person: Person) -> Fields:
    optional = {"email": person.email, "discountCardNumber": person.loyalty_id}
    fields = {
        "name": f"{person.last_name} {person.first_name}", "companyType": "individualKZ", "created": LAUNCH,
        "legalFirstName": person.first_name, "legalLastName": person.last_name, "phone": person.phone,
        "actualAddress": person.city, "actualAddressFull": {"city": person.city}, "tags": ["покупатели"],
        "externalCode": person.id, "bonusPoints": 0, "salesAmount": 0.0,
        "mod__requisites__kz": {"iin": f"0000{person.id[1:]:0>8}", "kbe": "19"},
    }  # fmt: skip
    return fields | {name: value for name, value in optional.items() if value}


# ── documents ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sales(shop: Shop, items: Items) -> dict[str, list[Row]]:
    """Till receipts and orders of the site; marketplaces keep their orders to themselves."""
    tills = [order for order in shop.orders if order.channel == "store"]
    site = [order for order in shop.orders if order.channel == "site"]
    back = [order for order in site if order.status == "returned"]
    wanted: tuple[tuple[str, list[Order], Callable[[Order, Items], Fields]], ...] = (
        ("retaildemand", tills, _receipt),
        ("retailsalesreturn", tills[::EVERY_RETURN], _till_return),
        ("customerorder", site, site_order),
        ("demand", back, _shipment),
        ("salesreturn", back, _return),
    )
    return {kind: [document(kind, order, items, build) for order in orders] for kind, orders, build in wanted}


def document(kind: str, order: Order, items: Items, build: Callable[[Order, Items], Fields]) -> Row:
    changed = moscow(order.placed_at + timedelta(minutes=1))
    return row_of(kind, uid(kind, order.number), changed, partial(build, order, items))


def receipt_row(order: Order, items: Items) -> Row:
    return document("retaildemand", order, items, _receipt)


def _head(order: Order, items: Items, kind: str, lines: Iterable[Line], **more: object) -> Fields:
    """What all documents share. Their date has no seconds."""
    reserve = kind == "customerorder" and order.status in PROMISED
    start = uid(kind, order.number)[:-4]
    positions = [_position(f"{start}{place:04x}", line, items, reserve) for place, line in enumerate(lines)]
    return {
        "name": order.number, "externalCode": start, "shared": True, "applicable": True, "printed": False,
        "moment": f"{moscow(order.placed_at)[:16]}:00.000", "created": moscow(order.placed_at), "positions": positions,
        "rate": {"currency": ref("currency", TENGE)}, "organization": ref("organization", ORGANIZATION),
        "store": ref("store", uid("store", order.place)), "vatEnabled": True, "vatIncluded": True, "published": False,
        "agent": ref("counterparty", uid("person", order.person) if order.person else BUYER),
        **totals(positions), **more,
    }  # fmt: skip


def _position(uuid: str, line: Line, items: Items, reserve: bool) -> Fields:
    return {
        "id": uuid, "accountId": ACCOUNT, "quantity": float(line.quantity), "price": float(line.price * 100),
        "discount": 0.0, "vat": 16, "vatEnabled": True, "assortment": items[uid("item", line.sku)],
    } | ({"reserve": float(line.quantity)} if reserve else {})  # fmt: skip


def _receipt(order: Order, items: Items) -> Fields:
    return _at_till(order, items, "retaildemand", order.lines)


def _till_return(order: Order, items: Items) -> Fields:
    """The first line comes back a moment later."""
    sale = {"demand": ref("retaildemand", uid("retaildemand", order.number))}
    return _at_till(order, items, "retailsalesreturn", order.lines[:1]) | sale


def _at_till(order: Order, items: Items, kind: str, lines: Iterable[Line]) -> Fields:
    fields = _head(order, items, kind, lines)
    cash = order.placed_at.minute % 3 == 0
    return fields | {
        "retailStore": ref("retailstore", uid("till", order.place)), "qrSum": 0.0, "payedSum": fields["sum"],
        "retailShift": ref("retailshift", uid("shift", order.place, str(order.placed_at.date()))),
        "cashSum": fields["sum"] if cash else 0.0, "noCashSum": 0.0 if cash else fields["sum"],
    }  # fmt: skip


def site_order(order: Order, items: Items) -> Fields:
    fields = _head(order, items, "customerorder", order.lines, salesChannel=ref("saleschannel", SITE))
    state = meta("state", f"entity/customerorder/metadata/states/{uid('state', STATE_OF[order.status])}")
    return fields | {"state": {"meta": state}, "payedSum": fields["sum"], "shippedSum": 0.0, "invoicedSum": 0.0}


def _shipment(order: Order, items: Items) -> Fields:
    sale = ref("customerorder", uid("customerorder", order.number))
    return _head(order, items, "demand", order.lines, customerOrder=sale)


def _return(order: Order, items: Items) -> Fields:
    sale = ref("demand", uid("demand", order.number))
    return _head(order, items, "salesreturn", order.lines, demand=sale, salesChannel=ref("saleschannel", SITE))


# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _count(books: Books, shop: Shop) -> None:
    long_ago = dict.fromkeys(("stock", "reserve", "quantity", "freeStock"), LAUNCH)
    for (sku, place), quantity in shop.stock.items():
        count = books.counts[uid("item", sku), uid("store", place)]
        count.stock, count.since = Decimal(quantity), dict(long_ago)
    for order in shop.orders:
        if order.channel == "site" and order.status in PROMISED:
            for line in order.lines:
                books.counts[uid("item", line.sku), uid("store", order.place)].reserve += line.quantity
