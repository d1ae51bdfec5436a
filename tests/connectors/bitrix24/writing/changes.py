"""What the hub asks Bitrix24 to write."""

from typing import Any

from connectors.sdk import Change
from connectors.sdk.testing.builders import a_line, an_order

ALIYA = {"first_name": "Әлия", "last_name": "Бейсенова", "phones": ["+77000000001"], "emails": ["aliya@example.com"]}


def person(key: str = "p-1", bound: str = "", was: Any = None, **facts: Any) -> Change:
    return Change("customer.push", key, bound, {**ALIYA, **facts}, was=was, key=f"k:{key}")


def member(key: str = "p-1", segment: str = "vip", into: bool = True, bound: str = "") -> Change:
    about = {"phone": "+77000000001", "first_name": "Әлия"}
    value = {"audience": segment, "member": into}
    return Change("segment.push", f"{segment}/{key}", bound, value, key=f"k:{segment}:{key}", about=about)


def ordered(number: str = "700000123", **facts: Any) -> Change:
    lines = facts.pop("lines", (a_line("KR00001A", 2, 1500), a_line("KR00002A", 1, 990)))
    order = an_order(number, lines, **{"contact_phone": "+77000000001", "contact_name": "Әлия Бейсенова", **facts})
    value = {**order.model_dump(mode="json"), "connection": "market"}
    return Change("order.push", f"market:{number}", "", value, key=f"k:{number}")
