"""The invented shop as a portal keeps it: its goods, its site's buyers as contacts, its site's orders as deals."""

from decimal import Decimal

from connectors.bitrix24.simulator.portal import GOODS, LINK, OFFERS, SEMANTICS, Portal, Row
from connectors.sdk.testing.shop import Order, Shop

STAGE = {
    "placed": "NEW", "confirmed": "PREPARATION", "assembling": "EXECUTING", "ready": "FINAL_INVOICE",
    "shipped": "FINAL_INVOICE", "delivered": "WON", "completed": "WON", "cancelled": "LOSE", "returned": "APOLOGY",
}  # fmt: skip
SECOND_PIPELINE = 7
"""Every seventh deal stands in a pipeline of its own, whose stages bear its number."""

CALLED = 4
"""Every fourth contact has called or was called."""
ONLINE = 5
"""Every fifth order comes from the portal's own online store."""
ONLINE_STATUS = {
    "placed": "N", "confirmed": "P", "assembling": "P", "ready": "P", "shipped": "S", "delivered": "F",
    "completed": "F", "cancelled": "D", "returned": "D",
}  # fmt: skip


def seed(portal: Portal, shop: Shop) -> None:
    ids, contacts = _goods(portal, shop), dict[str, int]()
    _inventory(portal, shop, ids)
    for nth, sale in enumerate([order for order in shop.orders if order.channel == "site"]):
        if nth % ONLINE == ONLINE - 1:
            _online(portal, shop, sale, ids, contacts)
        else:
            _deal(portal, shop, sale, ids, contacts, second=nth % SECOND_PIPELINE == SECOND_PIPELINE - 1)
    _beside_contacts(portal, shop)
    for nth, (person, card) in enumerate(contacts.items()):
        if nth % CALLED == 0:
            portal.called(str(card), shop.by_person[person].phone, incoming=nth % 2 == 0)
    portal.queue.clear()


def _goods(portal: Portal, shop: Shop) -> dict[str, int]:
    """SKU → id."""
    stamp = shop.now.isoformat()
    parents = {parent: _product(portal, GOODS, 3, parent, parent, stamp)["id"]
               for parent in dict.fromkeys(variant.parent_sku for variant in shop.variants)}  # fmt: skip
    ids: dict[str, int] = {}
    for variant in shop.variants:
        made = _product(portal, OFFERS, 4, variant.sku, variant.name, stamp, purchasingPrice=float(variant.cost))
        made[f"property{LINK}"] = {"value": str(parents[variant.parent_sku]), "valueId": str(made["id"])}
        ids[variant.sku] = made["id"]
        _price(portal, made["id"], 1, variant.retail, stamp)
        _price(portal, made["id"], 2, variant.minimum, stamp)
    return ids


def _beside_contacts(portal: Portal, shop: Shop) -> None:
    """Companies and leads."""
    for nth in range(1, 4):
        phone = [{"VALUE": f"+7700555000{nth}"}]
        portal.add("COMPANY", {"TITLE": f"ТОО «Көкжиек {nth}»", "PHONE": phone})
    for person in shop.people[:5]:
        portal.add_lead({"NAME": person.first_name, "LAST_NAME": person.last_name}, person.phone, person.email)


def _product(portal: Portal, catalogue: int, kind: int, sku: str, name: str, stamp: str, **facts: object) -> Row:
    row: Row = {
        "id": portal.next("PRODUCT"), "iblockId": catalogue, "name": name, "code": None, "xmlId": sku, "active": "Y",
        "type": kind, "quantity": None, "quantityReserved": None, "measure": 9, "weight": None, "vatId": None,
        "vatIncluded": "Y", "purchasingPrice": None, "purchasingCurrency": "KZT", "timestampX": stamp,
        "dateCreate": stamp, "iblockSectionId": None, **facts,
    }  # fmt: skip
    portal.catalogue["products"].append(row)
    return row


def _price(portal: Portal, product: int, kind: int, amount: Decimal, stamp: str) -> None:
    portal.catalogue["prices"].append({
        "id": portal.next("PRICE"), "productId": product, "catalogGroupId": kind, "price": float(amount),
        "currency": "KZT", "quantityFrom": None, "quantityTo": None, "extraId": None, "timestampX": stamp,
    })  # fmt: skip


def _inventory(portal: Portal, shop: Shop, ids: dict[str, int]) -> None:
    places = {place.code: number for number, place in enumerate(shop.places, 1)}
    for place in shop.places:
        portal.catalogue["stores"].append({
            "id": places[place.code], "active": "Y", "address": place.address, "code": place.code,
            "title": place.name, "xmlId": None, "sort": 100, "issuingCenter": "N",
        })  # fmt: skip
    for (sku, code), amount in shop.stock.items():
        portal.catalogue["storeProducts"].append({
            "id": portal.next("STOCK"), "productId": ids[sku], "storeId": places[code],
            "amount": amount, "quantityReserved": 0,
        })  # fmt: skip


def _deal(
    portal: Portal, shop: Shop, sale: Order, ids: dict[str, int], contacts: dict[str, int], *, second: bool
) -> None:
    stage = STAGE.get(sale.status, "NEW")
    placed = sale.placed_at.isoformat()
    key = portal.add("DEAL", {
        "TITLE": sale.number, "CATEGORY_ID": "1" if second else "0", "STAGE_ID": f"C1:{stage}" if second else stage,
        "STAGE_SEMANTIC_ID": SEMANTICS.get(stage, "P"), "CONTACT_ID": _contact(portal, shop, sale, contacts),
        "DATE_CREATE": placed, "DATE_MODIFY": placed, "SOURCE_ID": "WEB",
    })  # fmt: skip
    lines = [{"productId": ids[line.sku], "price": line.price, "quantity": line.quantity} for line in sale.lines]
    portal.set_rows(key, lines)


def _online(portal: Portal, shop: Shop, sale: Order, ids: dict[str, int], contacts: dict[str, int]) -> None:
    key, contact = portal.next("ORDER"), _contact(portal, shop, sale, contacts)
    person, placed = shop.by_person.get(sale.person or ""), sale.placed_at.isoformat()
    said = {"FIO": f"{person.last_name} {person.first_name}", "PHONE": person.phone} if person else {}
    portal.catalogue["orders"].append({
        "id": key, "accountNumber": sale.number, "lid": "s1", "personTypeId": 3, "statusId": ONLINE_STATUS[sale.status],
        "canceled": "N", "payed": "N", "deducted": "N", "price": float(sale.total), "discountValue": 0, "taxValue": 0,
        "currency": "KZT", "dateInsert": placed, "dateUpdate": placed, "xmlId": f"bx_{key}", "externalOrder": "N",
        "clients": [{"entityId": int(contact), "entityTypeId": 3, "isPrimary": "Y"}] if contact else [],
        "propertyValues": [{"code": code, "value": value} for code, value in said.items()],
        "payments": [], "shipments": [],
        "basketItems": [
            {"id": str(portal.next("BASKET")), "productId": ids[line.sku], "name": shop.by_sku[line.sku].name,
             "price": float(line.price), "discountPrice": 0, "quantity": line.quantity, "currency": "KZT",
             "vatRate": None}
            for line in sale.lines
        ],
    })  # fmt: skip


def _contact(portal: Portal, shop: Shop, sale: Order, contacts: dict[str, int]) -> str | None:
    person = shop.by_person.get(sale.person or "")
    if person is None:
        return None
    if person.id not in contacts:
        contacts[person.id] = portal.add("CONTACT", {
            "NAME": person.first_name, "LAST_NAME": person.last_name, "PHONE": [{"VALUE": person.phone}],
            "EMAIL": [{"VALUE": person.email}] if person.email else [],
            "DATE_CREATE": sale.placed_at.isoformat(), "DATE_MODIFY": sale.placed_at.isoformat(),
        })  # fmt: skip
    return str(contacts[person.id])
