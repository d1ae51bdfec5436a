"""What a file may hold: the targets of each layout and the column names by which exports of this region are known.

Names are compared without case, trailing dots and `_` (contract pos 8.2). A merchant's `columns` come before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Names = tuple[str, ...]
SKU: Names = ("артикул", "sku", "код товара", "item code", "product id", "product code", "article", "тауар коды")
BARCODE: Names = ("штрихкод", "штрих-код", "шк", "barcode", "ean", "ean13", "gtin")
NAME: Names = (
    "наименование",
    "наименование товара",
    "товар",
    "номенклатура",
    "название",
    "name",
    "product name",
    "item name",
    "атауы",
)
PLACE: Names = (
    "магазин", "торговая точка", "точка продаж", "филиал", "склад", "store", "store code", "store id", "shop",
    "location",
    "outlet", "warehouse", "дүкен", "қойма",
)  # fmt: skip
LOYALTY: Names = (
    "карта лояльности",
    "бонусная карта",
    "дисконтная карта",
    "loyalty id",
    "loyalty card",
    "customer.card",
)


@dataclass(frozen=True)
class Layout:
    """`targets` → known names. `required`: of each group at least one. `lines`: targets told by a nested line of a
    document.

    `sums`: targets that a total row adds up. `parts`: a target told by several columns, joined. `prefix`: begins
    targets that a merchant makes up.
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


RECEIPTS = Layout(
    "order",
    {
        "receipt": ("чек №", "№ чека", "номер чека", "чек", "receipt", "receipt no", "receipt number", "receipt id",
        "check number",
                    "checknumber", "receipts.id", "чек нөмірі", "түбіртек", "түбіртек нөмірі"),
        "line": ("№ строки", "номер строки", "line", "line no", "lines.n", "n"),
        "location": PLACE,
        "till": ("касса", "№ кассы", "номер кассы", "till", "cashbox", "pos", "register", "касса нөмірі"),
        "placed_at": ("дата и время", "дата/время", "дата чека", "datetime", "date time", "timestamp", "placed at",
        "sold at",
                      "күні мен уақыты"),
        "kind": ("тип", "тип операции", "вид операции", "операция", "тип чека", "type", "operation", "operation type",
        "түрі"),
        "sku": SKU, "barcode": BARCODE, "name": NAME,
        "quantity": ("кол-во", "кол", "количество", "quantity", "qty", "саны"),
        "unit_price": ("цена", "цена за ед", "price", "unit price", "бағасы"),
        "discount": ("скидка", "сумма скидки", "discount", "жеңілдік"),
        "total": ("сумма", "сумма со скидкой", "total", "sum", "amount", "line total", "сомасы"),
        "receipt_total": ("сумма чека", "receipt total", "receipts.total"),
        "payment": ("оплата", "тип оплаты", "способ оплаты", "вид оплаты", "payment", "payment type", "payment method",
                    "payments.type", "төлем", "төлем түрі"),
        "customer": ("код клиента", "код покупателя", "customer", "customer id"),
        "loyalty_id": LOYALTY,
        "fiscal_sign": ("фп", "фпд", "фискальный признак", "fiscal sign", "фискалдық белгі"),
    },
    required=(("receipt",), ("placed_at",), ("quantity",), ("total", "unit_price"), ("sku", "barcode", "name")),
    numbers=frozenset({"quantity", "unit_price", "discount", "total", "receipt_total"}),
    moments=frozenset({"placed_at"}),
    sums=frozenset({"quantity", "discount", "total"}),
    lines=frozenset({"line", "sku", "barcode", "name", "quantity", "unit_price", "discount", "total"}),
    parts={"placed_at": (("дата", "дата продажи", "date", "күні"), ("время", "время продажи", "time", "уақыты"))},
    needs_currency=True,
)  # fmt: skip

PRODUCTS = Layout(
    "product",
    {
        "sku": (*SKU, "код", "id"), "parent_sku": ("артикул модели", "модель", "parent sku", "parent id"), "name": NAME,
        "brand": ("бренд", "марка", "торговая марка", "производитель", "brand", "vendor"),
        "category": ("категория", "группа", "группа товаров", "category", "санаты", "тобы"), "barcode": (*BARCODE,
        "barcodes", "штрихкоды"),
        "unit": ("ед", "ед изм", "единица", "единица измерения", "unit", "өлшем бірлігі"), "status": ("статус",
        "активен", "status", "мәртебесі"),
    },
    required=(("sku",),),
)  # fmt: skip

STOCK = Layout(
    "stock_level",
    {
        "sku": (*SKU, "код"), "location": PLACE,
        "on_hand": ("остаток", "остатки", "кол-во", "количество", "в наличии", "qty", "quantity", "stock", "on hand",
        "қалдық", "саны"),
        "as_of": ("дата", "дата остатка", "на дату", "обновлено", "updated at", "as of", "date", "күні"),
    },
    required=(("sku",), ("location",), ("on_hand",)),
    numbers=frozenset({"on_hand"}),
    moments=frozenset({"as_of"}),
    sums=frozenset({"on_hand"}),
)  # fmt: skip

PRICES = Layout(
    "price",
    {
        "sku": (*SKU, "код"), "price_type": ("тип цены", "вид цены", "прайс", "price type", "баға түрі"),
        "amount": ("цена", "price", "amount", "сумма", "бағасы"),
        "valid_from": ("действует с", "дата начала", "valid from", "from"), "valid_to": ("действует до",
        "действует по", "дата окончания", "valid to", "to"),
    },
    required=(("sku",), ("price_type",), ("amount",)),
    numbers=frozenset({"amount"}),
    moments=frozenset({"valid_from", "valid_to"}),
    needs_currency=True,
)  # fmt: skip

CUSTOMERS = Layout(
    "customer",
    {
        "external_id": ("код клиента", "код покупателя", "код", "id", "customer id", "external id", "клиент коды"),
        "name": ("фио", "имя и фамилия", "клиент", "покупатель", "name", "full name", "аты-жөні"),
        "last_name": ("фамилия", "last name", "surname", "тегі"), "first_name": ("имя", "first name", "аты"),
        "middle_name": ("отчество", "middle name", "patronymic", "әкесінің аты"),
        "phone": ("телефон", "мобильный телефон", "phone", "mobile", "телефоны"), "phone2": ("телефон 2",
        "доп телефон", "phone2", "phone 2"),
        "email": ("e-mail", "email", "эл почта", "электронная почта", "почта"),
        "birth_date": ("дата рождения", "день рождения", "birth date", "birthday", "туған күні"), "gender": ("пол",
        "gender", "sex", "жынысы"),
        "city": ("город", "city", "қала"), "address": ("адрес", "address", "мекенжай"),
        "loyalty_id": (*LOYALTY, "номер карты"), "account_id": ("аккаунт", "account id", "account"),
        "created_at": ("дата регистрации", "создан", "created at", "registered at", "тіркелген күні"),
    },
    required=(("external_id",),),
    moments=frozenset({"birth_date", "created_at"}),
    prefix="ref.",
)  # fmt: skip

LAYOUTS: Mapping[str, Layout] = {
    "receipts": RECEIPTS, "products": PRODUCTS, "stock": STOCK, "prices": PRICES, "customers": CUSTOMERS,
}  # fmt: skip
