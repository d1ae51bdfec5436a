"""Deals with product rows → canonical orders (contract bitrix24 6.2 and 6.3)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.mapping import UTM
from mappings.canonical import Order, OrderLine
from mappings.canonical.money import CENT, currency_code, exact, rounded
from mappings.tables import Derived, Field, FieldMap, Unusable, at, convert

Payload = Mapping[str, Any]

BY_SEMANTICS = {"S": "completed", "F": "cancelled"}
NOTHING = (None, "", 0, "0")


def status(deal: Payload, config: Bitrix24Config) -> str:
    """By the merchant's table, whole or without the pipeline; else by what the stage ends in. No stage is guessed."""
    stage = str(deal["STAGE_ID"])
    named = config.stages.get(stage) or config.stages.get(stage.rpartition(":")[2])
    found = named or BY_SEMANTICS.get(str(deal.get("STAGE_SEMANTIC_ID")))
    if found is None:
        raise Unusable(f"the stage {stage} is not in the setting `stages`; say what it means", "unknown_status")
    return found


def customer(deal: Payload, config: Bitrix24Config) -> str | None:
    """The main contact, else the company, else the lead that it came from; 0 is nobody."""
    for field, prefix in (("CONTACT_ID", ""), ("COMPANY_ID", "CO_"), ("LEAD_ID", "L_")):
        if deal.get(field) not in NOTHING:
            return f"{prefix}{deal[field]}"
    return None


def channel(deal: Payload, config: Bitrix24Config) -> str:
    return config.channels.get(str(deal.get("SOURCE_ID")), config.channel)


def is_copy(deal: Payload, config: Bitrix24Config) -> bool:
    return deal.get("ORIGINATOR_ID") == config.originator and bool(deal.get("ORIGIN_ID"))


def copy_of(deal: Payload, config: Bitrix24Config) -> str | None:
    """The origin's `connection:id`, where the hub made this deal."""
    return str(deal["ORIGIN_ID"]) if is_copy(deal, config) else None


def number(deal: Payload, config: Bitrix24Config) -> str:
    """A copy bears its origin's number as its title; what people write there is no number."""
    return str(deal["TITLE"] if is_copy(deal, config) and deal.get("TITLE") else deal["ID"])


# ── lines and sums ────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(deal: Payload, config: Bitrix24Config) -> tuple[OrderLine, ...]:
    """Product rows. A deal of which only the sum is known has one line of no quantity that bears it."""
    rows = deal.get("PRODUCT_ROWS")
    if rows:
        return tuple(map(line, rows))
    total = stated(deal)
    words = "without products" if rows == [] else "product rows are not in this reply"
    return (OrderLine(line="sum", name=words, quantity=Decimal(0), total=total),) if total else ()


def line(row: Payload) -> OrderLine:
    """`price` is what a piece costs in the end: after the discount, the tax within."""
    quantity, price = exact(row["quantity"]), exact(row["price"])
    off = exact(row.get("discountSum") or 0)
    total = rounded(price * quantity)
    return OrderLine(
        line=str(row["id"]),
        variant=None if row.get("productId") in NOTHING else str(row["productId"]),
        name=convert.text(row.get("productName") or ""),
        quantity=convert.quantity(quantity),
        unit_price=rounded(price + off) if quantity else None,
        discount=rounded((price + off) * quantity) - total,
        total=total,
        vat_rate=None if row.get("taxRate") in (None, "") else exact(row["taxRate"]),
    )


def stated(deal: Payload) -> Decimal:
    return rounded(exact(deal["OPPORTUNITY"]))


def by_rows(deal: Payload) -> Decimal | None:
    rows = deal.get("PRODUCT_ROWS")
    return sum((line(row).total for row in rows), Decimal(0)) if rows else None


def total(deal: Payload, config: Bitrix24Config) -> Decimal:
    """The sum that people set by hand counts; else the rows' own, which may differ from the portal's by a cent each."""
    made = by_rows(deal)
    if made is None or deal.get("IS_MANUAL_OPPORTUNITY") == "Y":
        return stated(deal)
    if at(deal, "OPPORTUNITY") is not None and abs(made - stated(deal)) > CENT * len(deal["PRODUCT_ROWS"]):
        raise Unusable(f"the rows make {made}, the deal says {stated(deal)}", "does_not_add_up")
    return made


def discount(deal: Payload, config: Bitrix24Config) -> Decimal:
    """What people took off the rows' sum by hand. What they put on top nobody can explain: it is set aside."""
    made = by_rows(deal)
    off = Decimal(0) if made is None else made - total(deal, config)
    if off < 0:
        raise Unusable(f"the rows make {made}, a sum set by hand says {stated(deal)}", "does_not_add_up")
    return off


to_order = FieldMap(
    Order,
    {
        "external_id": Field("ID", str),
        "number": Derived(number, ("TITLE",)),
        "channel": Derived(channel, ("SOURCE_ID",)),
        "placed_at": Field("DATE_CREATE", convert.aware),
        "updated_at": Field("DATE_MODIFY", convert.aware),
        "status": Derived(status, ("STAGE_ID", "STAGE_SEMANTIC_ID")),
        "status_raw": Field("STAGE_ID", str),
        "customer": Derived(customer, ("CONTACT_ID", "COMPANY_ID", "LEAD_ID")),
        "discount": Derived(discount),
        "total": Derived(total, ("OPPORTUNITY", "IS_MANUAL_OPPORTUNITY")),
        "currency": Derived(
            lambda deal, config: currency_code(deal.get("CURRENCY_ID") or config.currency), ("CURRENCY_ID",)
        ),
        "copy_of": Derived(copy_of, ("ORIGINATOR_ID", "ORIGIN_ID")),
        "lines": Derived(lines, ("PRODUCT_ROWS",)),
    },
    ignored=frozenset(UTM) | {
        "TYPE_ID", "CATEGORY_ID", "PROBABILITY", "TAX_VALUE", "BEGINDATE", "CLOSEDATE", "CLOSED", "OPENED", "COMMENTS",
        "ASSIGNED_BY_ID", "CREATED_BY_ID", "MODIFY_BY_ID", "MOVED_BY_ID", "MOVED_TIME", "LAST_ACTIVITY_BY",
        "LAST_ACTIVITY_TIME", "LAST_COMMUNICATION_TIME", "IS_NEW", "IS_RECURRING", "IS_RETURN_CUSTOMER",
        "IS_REPEATED_APPROACH", "QUOTE_ID", "LOCATION_ID", "SOURCE_DESCRIPTION", "ADDITIONAL_INFO", "CONTACT_IDS",
    },
    when=lambda deal, config: not config.pipelines or int(deal.get("CATEGORY_ID") or 0) in config.pipelines,
)  # fmt: skip
