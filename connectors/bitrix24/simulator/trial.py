"""Changes that the conformance kit may send to the sandbox."""

from connectors.sdk import Change
from connectors.sdk.testing.builders import a_line, an_order
from connectors.sdk.testing.shop import Order, Shop

MOST = 6


def trial(shop: Shop | None, capability: str) -> list[Change]:
    """One subject each; people and orders of the shop that the portal does not know yet, and some that it does."""
    if shop is None:
        return []
    if capability == "order.push":
        return [_copy(sale) for sale in shop.orders if sale.channel == "marketplace"][:MOST]
    # segments list those who have a card: the buyers of the site
    among = [sale for sale in shop.orders if sale.person and (capability != "segment.push" or sale.channel == "site")]
    people = list({sale.person: shop.by_person[sale.person] for sale in among if sale.person}.values())
    return [_about(capability, place, *person) for place, person in enumerate(people[:MOST])]


def _copy(sale: Order) -> Change:
    lines = tuple(a_line(line.sku, line.quantity, int(line.price)) for line in sale.lines)
    order = an_order(sale.number, lines, placed_at=sale.placed_at, contact_phone="+77000000001")
    return Change("order.push", f"market:{sale.number}", "", order.model_dump(mode="json"), key=f"kit:{sale.number}")


def _about(
    capability: str, place: int, key: str, first: str, last: str, phone: str, email: str | None, *rest: object
) -> Change:
    if capability == "segment.push":
        facts = {"phone": phone, "email": email, "first_name": first, "last_name": last}
        member = {"audience": "vip", "member": True}
        return Change(capability, f"vip/{key}", "", member, key=f"kit:vip:{key}", about=facts)
    value = {"first_name": first, "last_name": last, "phones": [phone], "emails": [email] if email else []}
    return Change(capability, f"{key}-{place}", "", value, key=f"kit:{key}")
