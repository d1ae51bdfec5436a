"""Changes for the kit to send, made from what a connector reads in its own sandbox."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.sdk.deliver import Change
from connectors.sdk.spec import Sink
from connectors.sdk.testing.builders import a_line, an_order
from mappings.tables import Mapped

if TYPE_CHECKING:
    from connectors.sdk.testing.kit import Kit, Vendor

MOST = 6


def changes(kit: "Kit", vendor: "Vendor", sink: Sink) -> list[Change]:
    """At most `MOST` changes of the sink's first capability. Raises DoesNotApply where none can be made."""
    from connectors.sdk.testing.kit import DoesNotApply

    capability = sink.capabilities[0]
    offered = getattr(vendor.state, "changes", None)
    made = offered(capability) if offered else [*_MAKERS.get(capability, _none)(kit, vendor)][:MOST]
    if not made or sink.by_point:
        raise DoesNotApply(f"the kit cannot make changes of {capability}; let the sandbox's state offer `changes`")
    return list(made)


def _listed(kit: "Kit", vendor: "Vendor") -> Iterator[tuple[str, Any]]:
    """(sku, listing) as the connector reads and maps them."""
    for listing in _canonical(kit, vendor, "listing"):
        if listing.sku:
            yield listing.sku, listing


def _stock(kit: "Kit", vendor: "Vendor") -> Iterator[Change]:
    for number, (sku, listing) in enumerate(_listed(kit, vendor), start=1):
        yield _change("stock.push", sku, listing.external_id, number + 2, listing.title)


def _price(kit: "Kit", vendor: "Vendor") -> Iterator[Change]:
    for sku, listing in _listed(kit, vendor):
        amount = (listing.observed_price or Decimal(1000)) + 10
        yield _change("price.push", sku, listing.external_id, str(amount), listing.title)


def _status(kit: "Kit", vendor: "Vendor") -> Iterator[Change]:
    for order in _canonical(kit, vendor, "order"):
        if order.status == "placed":
            subject = f"{vendor.config.connection}:{order.external_id}"
            yield _change("order.status", subject, order.external_id, {"status": "confirmed"}, order.number)


def _copies(kit: "Kit", vendor: "Vendor") -> Iterator[Change]:
    from connectors.sdk.testing.kit import small_shop

    shop = small_shop()
    for sale in [order for order in shop.orders if order.channel == "marketplace"][:MOST]:
        lines = tuple(a_line(line.sku, line.quantity, int(line.price)) for line in sale.lines)
        order = an_order(sale.number, lines, placed_at=sale.placed_at, contact_phone="+77000000001")
        yield _change("order.push", f"market:{sale.number}", "", order.model_dump(mode="json"), sale.number)


def _none(kit: "Kit", vendor: "Vendor") -> Iterator[Change]:
    return iter(())


_MAKERS = {"stock.push": _stock, "price.push": _price, "order.status": _status, "order.push": _copies}


def _change(capability: str, subject: str, external_id: str, value: Any, name: str | None) -> Change:
    about = {"name": name or subject, "brand": "Самал", "currency": "KZT"}
    return Change(
        capability, subject, external_id, value, key=f"kit:{capability}:{external_id or subject}:1", about=about
    )


def _canonical(kit: "Kit", vendor: "Vendor", entity: str) -> Iterator[Any]:
    from connectors.sdk.testing.kit import records

    for resource in kit.spec.resources:
        if entity in resource.maps:
            for record in records(resource, vendor.config):
                made = resource.maps[entity](record, vendor.config)
                if isinstance(made, Mapped):
                    yield from made.records
