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

    `numbers`, `moments`: targets written in a notation; `days`: moments without a time. `sums`: those that a total row
    adds up. `lines`: those told by a nested line of a document. `parts`: a target told by several columns, joined.
    `prefix`: begins targets that a merchant makes up.
    """

    entity: str
    targets: Mapping[str, Names]
    required: tuple[Names, ...]
    numbers: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset()
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
BUYER = _names(
    "код клиента, код покупателя, id клиента, id покупателя, customer, customer id, client id, contact id, user id, "
    "external id, клиент коды, сатып алушы коды"
)
CONTACT = _names(
    "контакт, телефон, номер телефона, e-mail, email, почта, эл почта, электронная почта, адрес почты, phone, mobile, "
    "identifier, recipient, получатель, телефоны, пошта"
)
WHEN = _names("дата и время, дата/время, at, datetime, date time, timestamp, occurred at, event time, күні мен уақыты")
DAY_AND_TIME = (_names("дата, date, күні"), _names("время, time, уақыты"))
CHANNEL = _names("канал, канал связи, channel, арна")
REFERENCE = _names("документ, основание, номер заказа, заказ, reference, ref, order, order id, message id, құжат")

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
        "external_id": BUYER + _names("код, id"),
        "name": _names("фио, имя и фамилия, клиент, покупатель, name, full name, аты-жөні, аты жөні, тұтынушы"),
        "last_name": _names("фамилия, last name, surname, тегі"),
        "first_name": _names("имя, first name, аты"),
        "middle_name": _names("отчество, middle name, patronymic, әкесінің аты"),
        "phone": _names("телефон, мобильный телефон, phone, mobile, телефоны"),
        "phone2": _names(
            "телефон 2, телефон2, доп телефон, доп. телефон, дополнительный телефон, phone2, phone 2, қосымша телефон"
        ),
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
    days=frozenset({"birth_date"}),
    prefix="ref.",
)

EVENTS = Layout(
    "contact_event",
    {
        "event": _names("id события, номер события, код события, event id, оқиға нөмірі"),
        "external_id": BUYER,
        "identifier": CONTACT,
        "at": WHEN,
        "channel": CHANNEL,
        "kind": _names("событие, тип события, вид события, тип, kind, event, event type, type, оқиға, оқиға түрі"),
        "direction": _names("направление, direction, бағыты"),
        "campaign": _names("кампания, рассылка, campaign, campaign name, utm campaign, науқан"),
        "reference": REFERENCE,
        "value": _names("значение, оценка, ответ, value, score, rating, answer, мәні, баға"),
    },
    required=(("external_id", "identifier"), ("at",), ("channel",), ("kind",)),
    numbers=frozenset({"value"}),
    moments=frozenset({"at"}),
    parts={"at": DAY_AND_TIME},
)

CONSENTS = Layout(
    "consent_event",
    {
        "external_id": BUYER,
        "identifier": CONTACT,
        "channel": CHANNEL,
        "purpose": _names("цель, назначение, purpose, мақсаты"),
        "state": _names("согласие, состояние, статус, state, status, consent, келісім, күйі"),
        "at": WHEN + _names("дата согласия, consented at, given at"),
        "expires_at": _names("действует до, срок согласия, expires at, expires, valid until, дейін жарамды"),
        "text_version": _names("версия текста, версия, text version, version, мәтін нұсқасы"),
        "source": _names("источник, где дано, source, көзі"),
    },
    required=(("identifier", "external_id"), ("channel",), ("state",), ("at",)),
    moments=frozenset({"at", "expires_at"}),
    parts={"at": DAY_AND_TIME},
)

POINTS = Layout(
    "loyalty_entry",
    {
        "entry": _names("номер операции, id операции, операция, номер записи, entry, entry id, transaction, id, жазба"),
        "external_id": BUYER,
        "loyalty_id": LOYALTY + _names("номер карты"),
        "at": WHEN,
        "points": _names("баллы, бонусы, сумма баллов, points, bonus, amount, ұпай, ұпайлар, бонустар"),
        "reason": _names("причина, тип, вид операции, reason, type, себебі, түрі"),
        "reference": REFERENCE + _names("чек, номер чека, receipt"),
    },
    required=(("entry",), ("external_id", "loyalty_id"), ("at",), ("points",)),
    numbers=frozenset({"points"}),
    moments=frozenset({"at"}),
    sums=frozenset({"points"}),
    parts={"at": DAY_AND_TIME},
)

CARTS = Layout(
    "cart",
    {
        "cart": _names("корзина, id корзины, номер корзины, cart, cart id, basket, basket id, себет, себет нөмірі"),
        "external_id": BUYER,
        "channel": CHANNEL,
        "updated_at": _names("обновлена, обновлено, дата изменения, изменена, updated at, modified at, жаңартылды")
        + WHEN,
        "sku": SKU,
        "quantity": _names("кол-во, кол, количество, quantity, qty, саны"),
        "state": _names("состояние, статус, state, status, күйі, мәртебесі"),
    },
    required=(("cart",), ("updated_at",), ("sku",), ("quantity",)),
    numbers=frozenset({"quantity"}),
    moments=frozenset({"updated_at"}),
    sums=frozenset({"quantity"}),
    parts={"updated_at": DAY_AND_TIME},
)

LAYOUTS: Mapping[str, Layout] = {
    "receipts": RECEIPTS,
    "products": PRODUCTS,
    "stock": STOCK,
    "prices": PRICES,
    "customers": CUSTOMERS,
    "events": EVENTS,
    "consents": CONSENTS,
    "points": POINTS,
    "carts": CARTS,
}
