"""The `kaspi_catalog` price list: the whole catalogue in one file that Kaspi fetches (contract kaspi 5)."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from connectors.kaspi.cities import city_id
from connectors.kaspi.config import KaspiConfig
from connectors.sdk import ConfigError, HubBug, Offer, Snapshot
from mappings.canonical.money import exact, rounded
from mappings.tables import convert

log = logging.getLogger(__name__)

ALMATY = ZoneInfo("Asia/Almaty")
LONGEST_SKU = 64
PLAIN_SKU = re.compile(r"[A-Za-z0-9]{1,20}")
POINT = re.compile(r"(?:PP)?\d+")
LONGEST_MODEL = 250
LONGEST_WAIT = 30

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<kaspi_catalog date="{date}" xmlns="kaspiShopping" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="kaspiShopping http://kaspi.kz/kaspishopping.xsd">
<company>{company}</company>
<merchantid>{merchant}</merchantid>
<offers>
"""
TAIL = "</offers>\n</kaspi_catalog>\n"


def render(config: KaspiConfig, snapshot: Snapshot) -> bytes:
    """The price list. An offer without a price is left out: the format knows no such row, and a price is never made up.

    Raises ConfigError where a setting makes every row wrong: no merchant id, an unknown point or city.
    """
    if not config.merchant_id:
        raise ConfigError(
            f"{config.connection}: set merchant_id, the store's id in Kaspi's cabinet, for the price list"
        )
    offers = [offer for offer in snapshot.offers if belongs(config, offer.sku, offer.about) is None]
    points = all_points(config, offers)
    rows = "".join(_rows(config, offers, points))
    if not rows:
        raise ConfigError(f"{config.connection}: no offer has a price; an empty price list would close the store")
    head = HEAD.format(
        date=snapshot.made_at.astimezone(ALMATY).strftime("%Y-%m-%d %H:%M"),
        company=escape(config.company or config.merchant_id),
        merchant=escape(config.merchant_id),
    )
    return f"{head}{rows}{TAIL}".encode()


def _rows(config: KaspiConfig, offers: Sequence[Offer], points: Sequence[str]) -> Iterator[str]:
    last, odd = None, []
    for offer in offers:
        if offer.sku == last:
            raise HubBug(f"{config.connection}: SKU {offer.sku} stands twice in one snapshot")
        last = offer.sku
        if not PLAIN_SKU.fullmatch(offer.sku):
            odd.append(offer.sku)
        price = prices(config, offer.values.get("price.push"))
        if price:
            yield _row(config, offer, price, points)
    if odd:
        log.warning(
            "%s: %d SKUs are longer than 20 or hold more than Latin letters and digits, which Kaspi's guide does not "
            "promise to take, e.g. %s", config.connection, len(odd), ", ".join(odd[:3]),
        )  # fmt: skip


def _row(config: KaspiConfig, offer: Offer, price: str, points: Sequence[str]) -> str:
    """Children in the order of the schema: model, brand, availabilities, price."""
    name, brand = _model(offer.about), convert.text(offer.about.get("brand") or "")
    return (
        f"<offer sku={quoteattr(offer.sku)}><model>{escape(name or '')}</model>"
        f"{f'<brand>{escape(brand)}</brand>' if brand else ''}"
        f"<availabilities>{_availabilities(config, offer, points)}</availabilities>{price}</offer>\n"
    )


def _availabilities(config: KaspiConfig, offer: Offer, points: Sequence[str]) -> str:
    """Every point on every row: what is out of stock is switched off by name, not left out (contract kaspi 5)."""
    counts = {_bare(config, name): count for name, count in (offer.values.get("stock.push") or {}).items()}
    days = _wait(offer.about)
    wait = f' preOrder="{days}"' if days else ""
    return "".join(_availability(place, whole(counts.get(place)), wait) for place in points)


def _availability(place: str, count: int, wait: str) -> str:
    if count <= 0:
        return f'<availability available="no" storeId="{place}" stockCount="0"/>'
    return f'<availability available="yes" storeId="{place}"{wait} stockCount="{count}"/>'


def whole(quantity: Any) -> int:
    """Units that can be promised: a part of one is none, less than none is none, nothing known is none on offer."""
    return 0 if quantity is None else max(0, int(exact(quantity).to_integral_value(ROUND_FLOOR)))


def prices(config: KaspiConfig, value: Any) -> str | None:
    """`<price>`, or one `<cityprice>` per city; None where there is no price of at least a tenge."""
    if not isinstance(value, Mapping):
        amount = tenge(value)
        return f"<price>{amount}</price>" if amount else None
    named = {_city(config, str(city)): tenge(amount) for city, amount in value.items()}
    missing = {_city(config, city) for city in config.points.values()} - set(named)
    if missing:
        raise ConfigError(
            f"{config.connection}: there is a point in city {min(missing)} but no price for it; with city prices Kaspi "
            "wants one for each city that has a point"
        )
    if not named or not all(named.values()):
        return None
    each = "".join(f'<cityprice cityId="{city}">{amount}</cityprice>' for city, amount in sorted(named.items()))
    return f"<cityprices>{each}</cityprices>"


def _city(config: KaspiConfig, city: str) -> str:
    try:
        return city_id(city, config.more_cities)
    except ValueError as error:
        raise ConfigError(f"{config.connection}: {error}") from None


def tenge(value: Any) -> int:
    """Whole tenge, the only kind the price list takes; 0 for none."""
    return 0 if value is None else max(0, int(rounded(exact(value), Decimal(1))))


def all_points(config: KaspiConfig, offers: Sequence[Offer]) -> list[str]:
    """Points of the settings and of the stock. Raises ConfigError for a name that is in neither Kaspi's way nor set."""
    own = {_bare(config, name) for name in config.points}
    stocked = {_bare(config, name) for offer in offers for name in offer.values.get("stock.push") or ()}
    for name in sorted(stocked - own):
        if not POINT.fullmatch(name):
            raise ConfigError(
                f"{config.connection}: {name!r} is no pick-up point of Kaspi's cabinet (PP1, PP2 …); name yours in "
                "connections.yaml, e.g. locations: {PP1: Almaty-1}"
            )
    return sorted(own | stocked, key=lambda name: (len(name), name)) or ["PP1"]


def _bare(config: KaspiConfig, name: str) -> str:
    """`30000000_PP1` is PP1: Kaspi knows a point by both names."""
    return name.removeprefix(f"{config.merchant_id}_")


def belongs(config: KaspiConfig, sku: str, about: Mapping[str, Any]) -> str | None:
    """Why a SKU cannot stand in the price list; None where it can."""
    if len(sku) > LONGEST_SKU:
        return f"sku too long: Kaspi takes {LONGEST_SKU} characters, this has {len(sku)}"
    if not sku.isprintable():
        return "sku has control characters"
    if not _model(about):
        return "no name: Kaspi wants one for every offer"
    if _wait(about) is None:
        return f"pre_order is {about['pre_order']!r}: Kaspi takes 0 to {LONGEST_WAIT} whole days"
    return None


def _wait(about: Mapping[str, Any]) -> int | None:
    """Days of a pre-order, 0 for none; None where what is said of it is no number that Kaspi takes."""
    said = str(about.get("pre_order") or 0)
    return int(said) if re.fullmatch(r"\d{1,2}", said) and int(said) <= LONGEST_WAIT else None


def _model(about: Mapping[str, Any]) -> str | None:
    """The name, without what XML cannot hold; feeds in use are cut at 119 to 250 characters."""
    return convert.text(str(about.get("name") or "")[:LONGEST_MODEL])


def login(config: KaspiConfig) -> tuple[str, str] | None:
    """The pair Kaspi gives when it fetches, if the merchant set one."""
    if config.feed_login is None or config.feed_password is None:
        return None
    return config.feed_login, config.feed_password.get_secret_value()
