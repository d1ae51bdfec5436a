"""A vendor in a process of its own whose product pages were rendered beforehand: only the client is measured."""

import json
import sys
from contextlib import AbstractContextManager
from random import Random

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sdk.testing.sandbox import Sandbox, served
from dagster_project.bench.apart import served_by

PER_PAGE = 500


def product(number: int, dice: Random) -> dict[str, object]:
    """A nested record of about 570 bytes, as ERPs give them."""
    name = " ".join(dice.choice(("кесе", "жеңіл", "күрте", "шай", "дәптер", "қалам", "ыдыс")) for _ in range(8))
    return {
        "id": f"{number:08d}-0000-4000-8000-{dice.randrange(16**12):012x}",
        "code": f"SKU-{number:06d}",
        "name": f"{name} {number}",
        "updated": f"2026-03-02 10:{number // 60 % 60:02d}:{number % 60:02d}.000",
        "archived": False,
        "href": f"https://vendor.example/api/entity/product/{number:08d}",
        "barcodes": [{"ean13": f"2{number:012d}"}],
        "uom": {"code": "796", "name": "шт"},
        "pathName": "Үй/Ас үй",
        "salePrices": [
            {"value": dice.randrange(100, 99_999) * 100.0, "currency": "KZT", "priceType": {"name": "retail"}},
            {"value": dice.randrange(100, 99_999) * 100.0, "currency": "KZT", "priceType": {"name": "minimum"}},
        ],
    }


def pages(count: int, seed: int) -> list[bytes]:
    """`count` answers as they go over the wire."""
    dice = Random(seed)
    numbers = range(count * PER_PAGE)
    records = [product(number, dice) for number in numbers]
    return [
        json.dumps({"rows": records[start : start + PER_PAGE]}, ensure_ascii=False).encode()
        for start in range(0, len(records), PER_PAGE)
    ]


def serving(count: int, seed: int) -> AbstractContextManager[str]:
    """The base url of a vendor with `count` pages, `GET /products?page=0…`; an empty page ends them."""
    return served_by("dagster_project.bench.vendor", count, seed)


def _serve(count: int, seed: int) -> None:
    rendered = [*pages(count, seed), b'{"rows": []}']

    async def products(request: Request) -> Response:
        page = min(int(request.query_params["page"]), count)
        return Response(rendered[page], media_type="application/json")

    with served(Sandbox("bench", [Route("/products", products)], limits="off")) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
