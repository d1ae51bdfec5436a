"""The canonical model: what every connector maps into and every decision reads."""

from mappings.canonical.base import Canonical, SourceRef
from mappings.canonical.contact import Cart, CartLine, ConsentEvent, ContactEvent, LoyaltyEntry
from mappings.canonical.customer import Customer
from mappings.canonical.money import Money
from mappings.canonical.order import PROGRESS, STATUSES, Order, OrderLine, is_final, may_follow
from mappings.canonical.product import Listing, Location, Price, Product, StockLevel

GOODS = (Product, Location, StockLevel, Price, Listing)
PEOPLE = (Customer, Order, ConsentEvent, ContactEvent, Cart, LoyaltyEntry)
ENTITIES: dict[str, type[Canonical]] = {model.entity: model for model in (*GOODS, *PEOPLE)}

__all__ = [
    "ENTITIES", "PROGRESS", "STATUSES", "Canonical", "Cart", "CartLine", "ConsentEvent", "ContactEvent", "Customer",
    "Listing", "Location", "LoyaltyEntry", "Money", "Order", "OrderLine", "Price", "Product", "SourceRef", "StockLevel",
    "is_final", "may_follow",
]  # fmt: skip
