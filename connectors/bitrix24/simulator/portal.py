"""The portal's own data, as its API shows it: older methods in upper case and text, newer ones in camel case."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from mappings.tables import convert

Row = dict[str, Any]

ZONE = ZoneInfo("Asia/Almaty")
GOODS, OFFERS, LINK = 23, 24, 97
"""Catalogues of goods and of their variations, and the property that links these to their parent."""
KINDS = ("CONTACT", "COMPANY", "LEAD", "DEAL", "ACTIVITY")
STAGES = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "LOSE", "APOLOGY")
SEMANTICS = {"WON": "S", "LOSE": "F", "APOLOGY": "F"}
MULTI = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
"""Fields of several values, each with an id of its own."""
OWN_FIELDS = {"UF_CRM_SEGMENTS": True, "UF_CRM_CITY": False}
"""Field of the merchant's own → whether it holds several values."""
SAME: dict[str, Callable[[Any], str | None]] = {"PHONE": convert.phone, "EMAIL": convert.email}
"""Which values of a multi-field are one contact, however they are written."""


@dataclass
class Portal:
    """`crm`: kind → id → row, kinds as in events. `catalogue`: list → rows. `queue`: offline events;
    `reserved`: those that a process took and has not confirmed.

    `bearers`: (kind, PHONE or EMAIL, normalised value) → ids of the cards that bear it, or once did.
    """

    clock: Callable[[], datetime]
    crm: dict[str, dict[int, Row]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    rows: dict[int, list[Row]] = field(default_factory=dict)
    catalogue: dict[str, list[Row]] = field(
        default_factory=lambda: {"products": [], "prices": [], "stores": [], "storeProducts": [], "orders": []}
    )
    queue: dict[tuple[str, int], Row] = field(default_factory=dict)
    reserved: dict[str, dict[tuple[str, int], Row]] = field(default_factory=dict)
    bearers: dict[tuple[str, str, str | None], set[int]] = field(default_factory=lambda: defaultdict(set))
    required: tuple[str, ...] = ()
    numbers: dict[str, "count[int]"] = field(default_factory=dict)

    def next(self, kind: str) -> int:
        return next(self.numbers.setdefault(kind, count(1)))

    def stamp(self) -> str:
        return self.clock().astimezone(ZONE).isoformat(timespec="seconds")

    def add(self, kind: str, fields: Row) -> int:
        """A new card; times are the portal's, phones and e-mails get ids of their own."""
        key = self.next(kind)
        given = {name: value for name, value in fields.items() if name not in MULTI}
        row = {"ID": str(key), **BLANK[kind], "DATE_CREATE": self.stamp(), "DATE_MODIFY": self.stamp(), **given}
        self.crm[kind][key] = row
        for name in MULTI:
            for element in fields.get(name) or ():
                self.multi(kind, row, name, element)
        self.happened(kind, "ADD", key)
        return key

    def change(self, kind: str, key: int, fields: Row) -> None:
        """A save without a difference does not move the time."""
        row = self.crm[kind][key]
        before = repr(row)
        for name, value in fields.items():
            if name in MULTI:
                for element in value:
                    self.multi(kind, row, name, element)
            else:
                row[name] = value
        if repr(row) != before:
            row["DATE_MODIFY"] = self.stamp()
            self.happened(kind, "UPDATE", key)

    def delete(self, kind: str, key: int) -> None:
        del self.crm[kind][key]
        self.happened(kind, "DELETE", key)

    def multi(self, kind: str, row: Row, name: str, element: Row) -> None:
        """With an ID an element is edited or, emptied, deleted; without one it is added, however often it comes."""
        there: list[Row] = row.setdefault(name, [])
        key = str(element.get("ID") or "")
        found = next((one for one in there if one["ID"] == key), None)
        if found is None and not key and element.get("VALUE"):
            use = element.get("VALUE_TYPE") or "WORK"
            there.append({"ID": str(self.next("FM")), "VALUE_TYPE": use, "VALUE": element["VALUE"], "TYPE_ID": name})
        elif found is not None and (element.get("DELETE") == "Y" or not element.get("VALUE")):
            there.remove(found)
        elif found is not None:
            found.update({part: element[part] for part in ("VALUE", "VALUE_TYPE") if element.get(part)})
        if name not in SAME:
            return
        row["HAS_PHONE" if name == "PHONE" else "HAS_EMAIL"] = "Y" if there else "N"
        self.bearers[kind, name, SAME[name](element.get("VALUE"))].add(int(row["ID"]))

    def bearing(self, kind: str, name: str, values: Iterable[Any]) -> list[int]:
        """Ids of the cards of a kind that bear one of the values now, by rising id."""
        wanted = {SAME[name](value) for value in values} - {None}
        cards = self.crm[kind]
        once = {key for value in wanted for key in self.bearers[kind, name, value] if key in cards}
        return sorted(
            key for key in once if wanted & {SAME[name](element["VALUE"]) for element in cards[key].get(name) or ()}
        )

    def called(self, contact: str, phone: str, *, incoming: bool = True, **facts: Any) -> int:
        """A call with somebody who has a card; `facts` are fields of the activity."""
        key, stamp = self.next("ACTIVITY"), self.stamp()
        times = dict.fromkeys(("CREATED", "LAST_UPDATED", "START_TIME", "END_TIME", "DEADLINE"), stamp)
        talked = {"ID": str(key), "TYPE": "PHONE", "VALUE": phone, "ENTITY_ID": contact, "ENTITY_TYPE_ID": "3"}
        self.crm["ACTIVITY"][key] = {
            "ID": str(key), **BLANK["ACTIVITY"], **times, "OWNER_ID": contact, "DIRECTION": "1" if incoming else "2",
            "COMMUNICATIONS": [talked], **facts,
        }  # fmt: skip
        self.happened("ACTIVITY", "ADD", key)
        return key

    def happened(self, kind: str, what: str, key: int) -> None:
        """The queue keeps the last state of each object only."""
        number = str(self.next("EVENT"))
        self.queue.pop((kind, key), None)
        self.queue[kind, key] = {
            "ID": number, "TIMESTAMP_X": self.stamp(), "EVENT_NAME": f"ONCRM{kind}{what}", "MESSAGE_ID": number,
            "EVENT_DATA": {"FIELDS": {"ID": key}}, "EVENT_ADDITIONAL": False,
        }  # fmt: skip

    def set_rows(self, deal: int, rows: list[Row]) -> list[Row]:
        """All rows of a deal anew; its sum follows unless it was set by hand. The deal's own time does not move."""
        self.rows[deal] = [self._row(deal, row) for row in rows]
        card = self.crm["DEAL"][deal]
        if card["IS_MANUAL_OPPORTUNITY"] != "Y":
            card["OPPORTUNITY"] = f"{sum(float(row['price']) * float(row['quantity']) for row in rows):.2f}"
        return self.rows[deal]

    def _row(self, deal: int, row: Row) -> Row:
        price, off = float(row["price"]), float(row.get("discountSum") or 0)
        product = int(row.get("productId") or 0)
        name = next((one["name"] for one in self.catalogue["products"] if one["id"] == product), None)
        return {
            "id": self.next("ROW"), "ownerId": deal, "ownerType": "D", "productId": product,
            "productName": row.get("productName") or name or "", "price": price, "priceAccount": price,
            "priceExclusive": price, "priceNetto": price + off, "priceBrutto": price + off,
            "quantity": float(row["quantity"]), "discountTypeId": int(row.get("discountTypeId") or 2),
            "discountRate": 0, "discountSum": off, "taxRate": row.get("taxRate"),
            "taxIncluded": row.get("taxIncluded") or "N", "customized": "Y", "measureCode": 796,
            "measureName": "шт", "sort": int(row.get("sort") or 10), "xmlId": "", "type": 4 if product else 1,
        }  # fmt: skip

    def add_lead(self, names: Row, phone: str, email: str | None) -> int:
        elements = {"PHONE": [{"VALUE": phone}], "EMAIL": [{"VALUE": email}] if email else []}
        return self.add("LEAD", {**names, **elements, "TITLE": f"Лид {names['NAME']}"})

    def advance(self, random: Random) -> None:
        """One open deal goes a stage further."""
        going = [key for key, deal in self.crm["DEAL"].items() if deal["STAGE_ID"] in STAGES[:5]]
        if going:
            key = random.choice(going)
            stage = STAGES[STAGES.index(self.crm["DEAL"][key]["STAGE_ID"]) + 1]
            self.change("DEAL", key, {"STAGE_ID": stage, "STAGE_SEMANTIC_ID": SEMANTICS.get(stage, "P")})


UTM = ("SOURCE", "MEDIUM", "CAMPAIGN", "CONTENT", "TERM")
EVERY: Row = {"ASSIGNED_BY_ID": "1", "CREATED_BY_ID": "1", "MODIFY_BY_ID": "1", "OPENED": "Y", "COMMENTS": None,
              "ORIGINATOR_ID": None, "ORIGIN_ID": None, "SOURCE_ID": None, "SOURCE_DESCRIPTION": None,
              **dict.fromkeys(f"UTM_{part}" for part in UTM)}  # fmt: skip
PERSON: Row = {"HAS_PHONE": "N", "HAS_EMAIL": "N", "HAS_IMOL": "N", "ORIGIN_VERSION": None}
BLANK: dict[str, Row] = {
    "CONTACT": {
        **EVERY, **PERSON, "NAME": "", "SECOND_NAME": None, "LAST_NAME": None, "HONORIFIC": None, "BIRTHDATE": "",
        "TYPE_ID": "CLIENT", "EXPORT": "Y", "POST": None, "LEAD_ID": None, "COMPANY_ID": None,
    },
    "COMPANY": {
        **EVERY, **PERSON, "TITLE": "", "COMPANY_TYPE": "CUSTOMER", "INDUSTRY": None, "REVENUE": "0",
        "CURRENCY_ID": "KZT", "EMPLOYEES": None, "LEAD_ID": None, "IS_MY_COMPANY": "N",
    },
    "LEAD": {
        **EVERY, **PERSON, "TITLE": "", "NAME": "", "SECOND_NAME": None, "LAST_NAME": None, "HONORIFIC": None,
        "BIRTHDATE": "", "STATUS_ID": "NEW", "STATUS_SEMANTIC_ID": "P", "COMPANY_TITLE": None, "COMPANY_ID": None,
        "CONTACT_ID": None, "CURRENCY_ID": "KZT", "OPPORTUNITY": "0.00", "IS_MANUAL_OPPORTUNITY": "N",
        "DATE_CLOSED": "",
    },
    "ACTIVITY": {
        "OWNER_TYPE_ID": "3", "TYPE_ID": "2", "PROVIDER_ID": "VOXIMPLANT_CALL", "PROVIDER_TYPE_ID": "CALL",
        "SUBJECT": "Звонок", "COMPLETED": "Y", "STATUS": "2", "DESCRIPTION": "", "SETTINGS": [], "PROVIDER_PARAMS": [],
        "PROVIDER_DATA": None, "RESPONSIBLE_ID": "1", "AUTHOR_ID": "1",
    },
    "DEAL": {
        **EVERY, "TITLE": "", "TYPE_ID": "SALE", "CATEGORY_ID": "0", "STAGE_ID": "NEW", "STAGE_SEMANTIC_ID": "P",
        "OPPORTUNITY": "0.00", "IS_MANUAL_OPPORTUNITY": "N", "CURRENCY_ID": "KZT", "TAX_VALUE": "0.00",
        "CONTACT_ID": None, "COMPANY_ID": None, "LEAD_ID": None, "BEGINDATE": None, "CLOSEDATE": None, "CLOSED": "N",
        "PROBABILITY": None,
    },
}  # fmt: skip
