"""The simulated shop front: fetches the price list as Kaspi does, checks it, shows what it says (contract kaspi 5)."""

import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.kaspi.cities import CITIES

NAMESPACE = "{kaspiShopping}"
CHILDREN = ("model", "brand", "availabilities", "price", "cityprices")
POINT = re.compile(r"\w+")


@dataclass(frozen=True)
class Shown:
    """One offer on the shop front. `stock`: point → units on sale; `price` in tenge, or by city."""

    model: str
    stock: dict[str, int]
    price: int | dict[str, int]
    pre_order: int = 0


@dataclass(frozen=True)
class Fetch:
    """One visit. `problems` are what the cabinet would show; a file refused whole leaves the front as it was."""

    status: int | None
    offers: int = 0
    problems: tuple[str, ...] = ()
    taken: bool = False


class Wrong(ValueError):
    """Something in the file that Kaspi does not take."""


def download(url: str, login: tuple[str, str] | None, seconds: float = 10) -> tuple[int | None, bytes]:
    """As Kaspi fetches: a plain GET, with HTTP Basic where the cabinet holds a login. No status: nobody answered."""
    request = urllib.request.Request(url, headers={"User-Agent": "KaspiPriceList/1.0"})
    if login:
        request.add_header("Authorization", "Basic " + b64encode(":".join(login).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, b""
    except (OSError, HTTPException):
        return None, b""


def read_catalog(content: bytes, merchant: str) -> tuple[dict[str, Shown], list[str]]:
    """Offers and the problems of single rows. Raises Wrong where the file as a whole is not a price list."""
    try:
        root = fromstring(content)
    except (ParseError, DefusedXmlException) as error:
        raise Wrong(f"not well-formed XML: {error}") from None
    if root.tag != f"{NAMESPACE}kaspi_catalog":
        raise Wrong(f"the root is {root.tag}, not kaspi_catalog of kaspiShopping")
    if not _text(root, "company") or _text(root, "merchantid") != merchant:
        raise Wrong("company is empty or merchantid is another's")
    shown: dict[str, Shown] = {}
    problems = []
    for offer in root.iterfind(f"{NAMESPACE}offers/{NAMESPACE}offer"):
        sku = offer.get("sku") or ""
        try:
            if not 1 <= len(sku) <= 64 or sku in shown:
                raise Wrong("sku is empty, too long or there twice")
            shown[sku] = _offer(offer)
        except Wrong as error:
            problems.append(f"{sku}: {error}")
    if not shown:
        raise Wrong("no offer in it")
    return shown, problems


def _offer(offer: Element) -> Shown:
    names = [child.tag.removeprefix(NAMESPACE) for child in offer]
    if names != sorted(names, key=lambda name: CHILDREN.index(name) if name in CHILDREN else 9):
        raise Wrong(f"children out of order: {', '.join(names)}")
    if set(names) - set(CHILDREN) or ("price" in names) == ("cityprices" in names):
        raise Wrong(f"either price or cityprices, and nothing unknown: {', '.join(names)}")
    model = _text(offer, "model")
    if not model:
        raise Wrong("no model")
    places = list(offer.iterfind(f"{NAMESPACE}availabilities/{NAMESPACE}availability"))
    if not places:
        raise Wrong("no availability")
    days = max(_number(place.get("preOrder") or "0") for place in places)
    if days > 30:
        raise Wrong(f"preOrder of {days} days")
    return Shown(model, dict(map(_availability, places)), _price(offer), days)


def _availability(place: Element) -> tuple[str, int]:
    point, available = place.get("storeId") or "", place.get("available")
    if not POINT.fullmatch(point) or available not in {"yes", "no"}:
        raise Wrong(f"availability of {point!r} is {available!r}")
    count = _number(place.get("stockCount") or "0")
    return point.rpartition("_")[2], count if available == "yes" else 0


def _price(offer: Element) -> int | dict[str, int]:
    single = offer.find(f"{NAMESPACE}price")
    if single is not None:
        return _tenge(single.text)
    return dict(_city_prices(offer))


def _city_prices(offer: Element) -> Iterator[tuple[str, int]]:
    for city in offer.iterfind(f"{NAMESPACE}cityprices/{NAMESPACE}cityprice"):
        if city.get("cityId") not in CITIES:
            raise Wrong(f"no city {city.get('cityId')!r}")
        yield city.get("cityId") or "", _tenge(city.text)


def _tenge(text: str | None) -> int:
    price = _number(text or "")
    if price < 1:
        raise Wrong("a price of nothing")
    return price


def _number(text: str) -> int:
    """Whole; exports of the cabinet write `50.0`."""
    if not re.fullmatch(r"\d+(?:\.0+)?", text):
        raise Wrong(f"{text!r} is no whole number")
    return int(text.partition(".")[0])


def _text(parent: Element, name: str) -> str:
    return (parent.findtext(f"{NAMESPACE}{name}") or "").strip()


class Front:
    """What buyers see. Whether an offer that the file omits is withdrawn or stays is told both ways: `omitted` says."""

    def __init__(self, merchant: str, omitted: Literal["withdrawn", "stays"] = "withdrawn"):
        self.merchant = merchant
        self.omitted = omitted
        self.offers: dict[str, Shown] = {}
        self.fetches: list[Fetch] = []

    def fetch(self, url: str, login: tuple[str, str] | None = None) -> Fetch:
        """One visit to the merchant's address; the front changes only by a whole, valid file."""
        status, content = download(url, login)
        self.fetches.append(self._taken(content) if status == 200 else Fetch(status))
        return self.fetches[-1]

    def _taken(self, content: bytes) -> Fetch:
        try:
            shown, problems = read_catalog(content, self.merchant)
        except Wrong as error:
            return Fetch(200, problems=(str(error),))
        self.offers = shown if self.omitted == "withdrawn" else {**self.offers, **shown}
        return Fetch(200, len(shown), tuple(problems), taken=True)
