"""What a file may hold: the targets of each layout and the column names by which exports of this region are known.

Names are compared without case, trailing dots and `_` (contract pos 8.2). A merchant's `columns` come before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Names = tuple[str, ...]


def _names(listed: str) -> Names:
    return tuple(name.strip() for name in listed.split(","))


@dataclass(frozen=True)
class Layout:
    """`targets` → known names. `required`: of each group at least one.

    `numbers`, `moments`: targets written in a notation. `sums`: those that a total row adds up. `lines`: those told by
    a nested line of a document. `parts`: a target told by several columns, joined. `prefix`: begins targets that a
    merchant makes up.
    """

    entity: str
    targets: Mapping[str, Names]
    required: tuple[Names, ...]
    numbers: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    sums: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()
    parts: Mapping[str, tuple[Names, ...]] = field(default_factory=dict)
    needs_currency: bool = False
    prefix: str | None = None


SKU = _names("артикул, sku, код товара, item code, product id, product code, article, тауар коды")
BARCODE = _names("штрихкод, штрих-код, шк, barcode, ean, ean13, gtin")
NAME = _names("наименование, наименование товара, товар, номенклатура, название, name, product name, item name, атауы")
PLACE = _names(
    "магазин, торговая точка, точка продаж, филиал, склад, store, store code, store id, shop, location, outlet, "
    "warehouse, дүкен, қойма"
)
LOYALTY = _names("карта лояльности, бонусная карта, дисконтная карта, loyalty id, loyalty card, customer.card")

RECEIPTS = Layout(
    "order",
    {
        "receipt": _names(
            "чек №, № чека, номер чека, чек, receipt, receipt no, receipt number, receipt id, check number, "
            "checknumber, receipts.id, чек нөмірі, түбіртек, түбіртек нөмірі"
        ),
        "line": _names("№ строки, номер строки, line, line no, lines.n, n"),
        "location": PLACE,
        "till": _names("касса, № кассы, номер кассы, till, cashbox, pos, register, касса нөмірі"),
        "placed_at": _names(
            "дата и время, дата/время, дата чека, datetime, date time, timestamp, placed at, sold at, күні мен уақыты"
        ),
        "kind": _names("тип, тип операции, вид операции, операция, тип чека, type, operation, operation type, түрі"),
        "sku": SKU,
        "barcode": BARCODE,
        "name": NAME,
        "quantity": _names("кол-во, кол, количество, quantity, qty, саны"),
        "unit_price": _names("цена, цена за ед, price, unit price, бағасы"),
        "discount": _names("скидка, сумма скидки, discount, жеңілдік"),
        "total": _names("сумма, сумма со скидкой, total, sum, amount, line total, сомасы"),
        "receipt_total": _names("сумма чека, receipt total, receipts.total"),
        "payment": _names(
            "оплата, тип оплаты, способ оплаты, вид оплаты, payment, payment type, payment method, payments.type, "
            "төлем, төлем түрі"
        ),
        "customer": _names("код клиента, код покупателя, customer, customer id"),
        "loyalty_id": LOYALTY,
        "fiscal_sign": _names("фп, фпд, фискальный признак, fiscal sign, фискалдық белгі"),
    },
    required=(("receipt",), ("placed_at",), ("quantity",), ("total", "unit_price"), ("sku", "barcode", "name")),
    numbers=frozenset({"quantity", "unit_price", "discount", "total", "receipt_total"}),
    moments=frozenset({"placed_at"}),
    sums=frozenset({"quantity", "discount", "total"}),
    lines=frozenset({"line", "sku", "barcode", "name", "quantity", "unit_price", "discount", "total"}),
    parts={
        "placed_at": (_names("дата, дата продажи, date, күні"), _names("время, время продажи, time, уақыты")),
    },
    needs_currency=True,
)

PRODUCTS = Layout(
    "product",
    {
        "sku": SKU + _names("код, id"),
        "parent_sku": _names("артикул модели, модель, parent sku, parent id"),
        "name": NAME,
        "brand": _names("бренд, марка, торговая марка, производитель, brand, vendor"),
        "category": _names("категория, группа, группа товаров, category, санаты, тобы"),
        "barcode": BARCODE + _names("barcodes, штрихкоды"),
        "unit": _names("ед, ед изм, единица, единица измерения, unit, өлшем бірлігі"),
        "status": _names("статус, активен, status, мәртебесі"),
    },
    required=(("sku",),),
)

STOCK = Layout(
    "stock_level",
    {
        "sku": SKU + _names("код"),
        "location": PLACE,
        "on_hand": _names(
            "остаток, остатки, кол-во, количество, в наличии, qty, quantity, stock, on hand, қалдық, саны"
        ),
        "as_of": _names("дата, дата остатка, на дату, обновлено, updated at, as of, date, күні"),
    },
    required=(("sku",), ("location",), ("on_hand",)),
    numbers=frozenset({"on_hand"}),
    moments=frozenset({"as_of"}),
    sums=frozenset({"on_hand"}),
)

PRICES = Layout(
    "price",
    {
        "sku": SKU + _names("код"),
        "price_type": _names("тип цены, вид цены, прайс, price type, баға түрі"),
        "amount": _names("цена, price, amount, сумма, бағасы"),
        "valid_from": _names("действует с, дата начала, valid from, from"),
        "valid_to": _names("действует до, действует по, дата окончания, valid to, to"),
    },
    required=(("sku",), ("price_type",), ("amount",)),
    numbers=frozenset({"amount"}),
    moments=frozenset({"valid_from", "valid_to"}),
    needs_currency=True,
)

CUSTOMERS = Layout(
    "customer",
    {
        "external_id": _names("код клиента, код покупателя, код, id, customer id, external id, клиент коды"),
        "name": _names("фио, имя и фамилия, клиент, покупатель, name, full name, аты-жөні"),
        "last_name": _names("фамилия, last name, surname, тегі"),
        "first_name": _names("имя, first name, аты"),
        "middle_name": _names("отчество, middle name, patronymic, әкесінің аты"),
        "phone": _names("телефон, мобильный телефон, phone, mobile, телефоны"),
        "phone2": _names("телефон 2, доп телефон, phone2, phone 2"),
        "email": _names("e-mail, email, эл почта, электронная почта, почта"),
        "birth_date": _names("дата рождения, день рождения, birth date, birthday, туған күні"),
        "gender": _names("пол, gender, sex, жынысы"),
        "city": _names("город, city, қала"),
        "address": _names("адрес, address, мекенжай"),
        "loyalty_id": LOYALTY + _names("номер карты"),
        "account_id": _names("аккаунт, account id, account"),
        "created_at": _names("дата регистрации, создан, created at, registered at, тіркелген күні"),
    },
    required=(("external_id",),),
    moments=frozenset({"birth_date", "created_at"}),
    prefix="ref.",
)

LAYOUTS: Mapping[str, Layout] = {
    "receipts": RECEIPTS,
    "products": PRODUCTS,
    "stock": STOCK,
    "prices": PRICES,
    "customers": CUSTOMERS,
}
