"""Goods: one product row per variant; stock and price of a "model" do not exist."""

from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from mappings.canonical.base import Canonical, Currency, Identifier, Text


class Product(Canonical):
    """A variant as its system of record states it. `external_id` is that system's id, bound to `sku`."""

    entity: ClassVar[str] = "product"
    external_id: Identifier
    sku: Identifier
    parent_sku: Identifier | None = None
    name: Text
    name_kk: Text | None = None
    brand: Text | None = None
    category: Text | None = None
    barcodes: tuple[str, ...] = ()
    unit: str | None = None
    weight_g: Decimal | None = Field(default=None, ge=0)
    vat_rate: Decimal | None = None
    status: Literal["active", "archived"] = "active"
    attributes: dict[str, Any] = Field(default_factory=dict)
    images: tuple[str, ...] = ()


class Location(Canonical):
    """A place that holds or hands out goods. `external_id` is renamed by the connection's `locations` setting."""

    entity: ClassVar[str] = "location"
    external_id: Identifier
    name: Text
    kind: Literal["warehouse", "store", "pickup_point", "transit"] = "warehouse"
    city: str | None = None
    address: str | None = None


class VariantRef(Canonical):
    """How a record names a variant. At least one is given; a binding of `variant` wins, then `sku`, then `barcode`."""

    entity: ClassVar[str] = "variant_ref"
    variant: Identifier | None = None
    sku: Identifier | None = None
    barcode: str | None = None


class StockLevel(VariantRef):
    """Physical count of a variant in a location. Negative counts stay negative here; the store shows 0 and reports.

    `as_of` None: the report does not say; it is the moment of asking, which the hub knows and fills in.
    """

    entity: ClassVar[str] = "stock_level"
    location: Identifier
    on_hand: Decimal
    reserved_by_source: Decimal | None = None
    as_of: AwareDatetime | None = None


class Price(VariantRef):
    """A base price in major units. `price_type`: retail, wholesale, purchase, minimum, recommended or one's own."""

    entity: ClassVar[str] = "price"
    price_type: Text
    amount: Decimal = Field(ge=0)
    currency: Currency
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None


class Listing(VariantRef):
    """A variant as offered on a channel, as the channel shows it (read-back)."""

    entity: ClassVar[str] = "listing"
    external_id: Identifier
    title: str | None = None
    url: str | None = None
    status: str | None = None
    observed_price: Decimal | None = None
    observed_stock: Decimal | None = None
    currency: Currency | None = None
