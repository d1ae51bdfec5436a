"""What a record of UniSender is: a contact as exported, or the state of one letter. Both are named by a pseudonym."""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.sdk import ContractError, Record
from connectors.unisender.config import UniSenderConfig
from mappings.tables import convert

CONTACT = (
    "email", "email_status", "email_availability", "email_list_ids", "email_unsubscribed_list_ids", "email_add_time",
    "email_confirm_time", "email_confirm_ip", "phone", "phone_status", "phone_add_time", "phone_confirm_time",
    "phone_confirm_ip", "phone_unsubscribed_list_ids", "tags",
)  # fmt: skip
"""Columns to export, beside the account's own fields."""


def pseudonym(config: Any, address: object) -> str:
    """A contact's id. UniSender has no other than the address, and an id goes into logs and addresses.

    The key is `pseudonym_key`: without it the address is hidden from the eye, not from one who tries them all.
    """
    secret = getattr(config, "pseudonym_key", None)
    key = secret.get_secret_value() if secret else "unisender"
    return hmac.digest(key.encode(), key_of(address).encode(), "sha256").hex()[:32]


def key_of(address: object) -> str:
    """The address as UniSender compares it: trimmed and lower-cased; dots and +tags stay (contract, 0)."""
    text = str(address).strip().lower()
    return text if "@" in text else convert.phone(text) or text


def columns(config: UniSenderConfig) -> list[str]:
    return list(dict.fromkeys((*CONTACT, *config.fields.values())))


def contact(config: UniSenderConfig, row: Record, titles: Mapping[str, str]) -> Record:
    """A row with its id and the titles of its lists."""
    address = row.get("email") or row.get("phone")
    lists = [titles.get(one, one) for one in listed(row.get("email_list_ids"))]
    return {**({"id": pseudonym(config, address)} if address else {}), **row, **({"lists": lists} if lists else {})}


def listed(ids: Any) -> list[str]:
    """`"8,9"` → its parts."""
    return [one.strip() for one in str(ids or "").split(",") if one.strip()]


def letters(config: UniSenderConfig, campaign: Record, rows: Iterable[Record]) -> Iterator[Record]:
    """Rows of a campaign's statistics, each with what the campaign tells."""
    about = {name: campaign[name] for name in ("start_time", "subject", "list_id") if campaign.get(name)}
    for row in rows:
        person = pseudonym(config, row["email"]) if row.get("email") else None
        named = {"id": f"{campaign['id']}:{person}", "contact": person} if person else {}
        yield {**named, "campaign_id": str(campaign["id"]), **about, **row}


def table(result: Any) -> list[Record]:
    """`{fields: […], data: [[…]]}` → records. Raises ContractError."""
    names, data = (result.get("fields"), result.get("data")) if isinstance(result, Mapping) else (None, None)
    if not isinstance(names, list) or not isinstance(data, list):
        raise ContractError("UniSender's statistics have no `fields` and `data`")
    return [dict(zip(names, row, strict=False)) for row in data]


def saved(reply: Any, mark: str) -> Sequence[Record] | None:
    """Records of a saved reply: a list of them or one, told by the field `mark`; None where it is something else."""
    found = reply if isinstance(reply, list) else [reply]
    return found if found and all(isinstance(one, Mapping) and mark in one for one in found) else None


def saved_letters(reply: Any) -> Sequence[Record] | None:
    """Also an answer of getCampaignDeliveryStats, which does not say of which campaign."""
    result = reply.get("result") if isinstance(reply, Mapping) else None
    if isinstance(result, Mapping) and "send_result" in (result.get("fields") or ()):
        return [{"letter_id": result.get("letter_id"), **row} for row in table(result)]
    return saved(reply, "send_result")
