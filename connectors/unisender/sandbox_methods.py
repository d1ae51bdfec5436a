"""What the methods of UniSender's simulator do, with the traps of the contract (email-platforms, 1)."""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request

from connectors.unisender.sandbox_account import Contact, Refusal, UniSender
from connectors.unisender.source import stamp

EXPORTS_A_MINUTE = 20
ROWS, COLUMNS = 500, 50
ROLES = {"admin", "abuse", "info", "postmaster", "noreply", "spam"}
STATUSES = {"new", "active", "inactive", "unsubscribed"}
FIELD_TYPES = {"string", "text", "number", "date", "bool"}
CLICKED = {"ok_link_visited"}
READ = {"ok_read", *CLICKED}
DELIVERED = {"ok_delivered", "ok_spam_folder", "ok_unsubscribed", "ok_fbl", *READ}
"""Last states of a letter that arrived, was read, was followed."""
TAGS = 10
PARTS = (
    "status", "availability", "list_ids", "subscribe_times", "unsubscribed_list_ids", "excluded_list_ids", "add_time",
    "confirm_time", "confirm_ip",
)  # fmt: skip
SYSTEM = {"email", "phone", "tags", "delete", *(f"{kind}_{part}" for kind in ("email", "phone") for part in PARTS)}


def too_often(calls: deque[datetime], now: datetime, most: int) -> bool:
    """Whether one more call is more than a minute may have; one that is not is counted."""
    while calls and calls[0] <= now - timedelta(minutes=1):
        calls.popleft()
    if len(calls) >= most:
        return True
    calls.append(now)
    return False


def _get_lists(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    return [{"id": number, "title": title} for number, title in state.lists.items()]


def _create_list(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    if asked.get("title") in state.lists.values():
        raise Refusal("invalid_arg", "A list with this title exists")
    return {"id": state.listed(asked["title"])}


def _update_list(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    state.lists[_list_of(state, asked["list_id"])] = asked["title"]
    return {}


def _delete_list(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    number = _list_of(state, asked["list_id"])
    del state.lists[number]
    for one in state.contacts.values():
        one.lists.discard(number)
    return {}


def _list_of(state: UniSender, number: str) -> str:
    if number not in state.lists:
        raise Refusal("invalid_arg", "List not found")
    return number


def _get_fields(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    return [{"id": str(place), "name": name, "type": "string", "public_name": name}
            for place, name in enumerate(sorted(state.fields), 1)]  # fmt: skip


def _create_field(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    if asked["name"] in SYSTEM | state.fields or asked["type"] not in FIELD_TYPES:
        raise Refusal("invalid_arg", "The field is there already, or is of no known type")
    state.fields.add(asked["name"])
    return {"id": str(sorted(state.fields).index(asked["name"]) + 1)}


def _get_contact(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    found = _contact_of(state, "email", asked["email"])
    lists = [{"id": number, "title": state.lists[number]} for number in sorted(found.lists)]
    letters = [row for sent in state.letters.values() if (row := sent.get(found.email))]
    return {"email": {"email": found.email, "added_at": found.added, "status": found.status,
                      "availability": "available", **_last(letters), "rating": 0, "lists": lists,
                      "fields": dict(found.fields)}}  # fmt: skip


def _last(letters: Sequence[Sequence[str]]) -> dict[str, str | None]:
    """When the last letter was sent, delivered, read and clicked: its last state counts."""
    states = {"send": set(DELIVERED), "delivery": set(DELIVERED), "read": READ, "click": CLICKED}
    return {
        f"last_{what}_datetime": max((at for _, result, at in letters if result in some), default=None)
        for what, some in states.items()
    }


def _contact_of(state: UniSender, kind: str, address: str) -> Contact:
    """Who has the e-mail or the phone."""
    if kind not in ("email", "phone"):
        raise Refusal("invalid_arg", "contact_type is email or phone")
    found = state.contacts.get(_key(state, {kind: address}))
    if found is None:
        raise Refusal("invalid_arg", "Contact not found")
    return found


def _is_contact_in_lists(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    found = _contact_of(state, "email", asked["email"])
    wanted = set(_ids(asked["list_ids"]))
    return wanted <= found.lists if asked.get("condition") == "and" else bool(wanted & found.lists)


def _ids(text: Any) -> list[str]:
    return [one.strip() for one in str(text or "").split(",") if one.strip()]


def _import_contacts(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    columns, rows = _cells(asked, "field_names"), _cells(asked, "data")
    if len(rows) > ROWS or len(columns) > COLUMNS:
        raise Refusal("invalid_arg", f"At most {ROWS} rows and {COLUMNS} columns")
    if odd := next((one for one in columns.values() if one not in SYSTEM | state.fields), None):
        raise Refusal("invalid_arg", f"There is no field {odd}")
    log, counts = [], Counter[str]()
    for index, cells in enumerate(rows.values()):
        ragged = not isinstance(cells, Mapping) or cells.keys() != columns.keys()
        row = {} if ragged else {columns[place]: cell for place, cell in cells.items()}
        if problem := "The row has not a cell for each column" if ragged else _odd_row(state, row):
            log.append({"index": index, "code": "invalid_arg", "message": problem})
        else:
            counts.update(_put(state, row, asked))
    return {"total": len(rows), **{name: counts[name] for name in ("inserted", "updated", "deleted", "new_emails")},
            "invalid": len(log), "log": log}  # fmt: skip


def _cells(asked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = asked.get(name, {})
    if not isinstance(found, Mapping):
        raise Refusal("invalid_arg", f"{name} is no array")
    return found


def _odd_row(state: UniSender, row: Mapping[str, str]) -> str | None:
    """A contact has an e-mail, or a phone, or both."""
    email, phone = row.get("email", ""), row.get("phone", "")
    if not email and not phone:
        return "There is neither email nor phone"
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        return "Email is not valid"
    if phone and not 10 <= len(_digits(phone)) <= 15:
        return "Phone is not valid"
    if email.partition("@")[0].lower() in ROLES:
        return "Role address"
    if any(number not in state.lists for number in _ids(row.get("email_list_ids"))):
        return "List not found"
    return None


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)


def _key(state: UniSender, row: Mapping[str, str]) -> str:
    """By what a contact is kept: its e-mail, or the phone of one that has none. A phone finds whoever has it."""
    if email := row.get("email", "").strip().lower():
        return email
    phone = _digits(row.get("phone", ""))
    return next((key for key, one in state.contacts.items() if phone and one.phone == phone), phone)


def _put(state: UniSender, row: Mapping[str, str], asked: Mapping[str, Any]) -> list[str]:
    """What is counted of it. Trap: no status lifts `unsubscribed`. Trap: overwriting drops the lists not named."""
    key, email = _key(state, row), row.get("email", "").strip().lower()
    if row.get("delete") == "1":
        return ["deleted"] if state.contacts.pop(key, None) else []
    fresh = key not in state.contacts
    found = state.contacts.setdefault(key, Contact(email, "new", stamp(state.sandbox.clock())))
    if asked.get("overwrite_lists") == "1":
        found.lists.clear()
    if asked.get("overwrite_tags") == "1":
        found.tags.clear()
    found.tags.update(_ids(row.get("tags")))
    for kind in ("email", "phone"):
        found.lists.update(_ids(row.get(f"{kind}_list_ids")))
        found.left.update(_ids(row.get(f"{kind}_unsubscribed_list_ids")))
        found.lists -= {*_ids(row.get(f"{kind}_excluded_list_ids")), *found.left}
    if row.get("email_status") in STATUSES and found.status != "unsubscribed":
        found.status = row["email_status"]
    if row.get("phone_status") in STATUSES and found.phone_status != "unsubscribed":
        found.phone_status = row["phone_status"]
    found.phone = _digits(row["phone"]) if "phone" in row else found.phone
    # The contract does not say what an empty cell does; here it does the worst.
    found.fields.update({name: cell for name, cell in row.items() if name in state.fields})
    return [*(["inserted"] if fresh else ["updated"]), *(["new_emails"] if fresh and email else [])]


def _subscribe(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """Without a letter (3) it subscribes whoever it is told to: nothing here protects who refused."""
    person = {"email": "", "phone": "", **_cells(asked, "fields"), "email_list_ids": asked["list_ids"]}
    if problem := _odd_row(state, person):
        raise Refusal("invalid_arg", problem)
    if odd := next((one for one in person if one not in SYSTEM | state.fields), None):
        raise Refusal("invalid_arg", f"There is no field {odd}")
    if len(_ids(asked.get("tags"))) > TAGS:
        raise Refusal("invalid_arg", f"At most {TAGS} tags")
    key, email = _key(state, person), person["email"].strip().lower()
    fresh = Contact(email, "new", stamp(state.sandbox.clock()), phone=_digits(person["phone"]))
    found = state.contacts.setdefault(key, fresh)
    if asked.get("overwrite") == "1":
        found.lists.clear()
        found.tags.clear()
    found.lists.update(_ids(asked.get("list_ids")))
    found.tags.update(_ids(asked.get("tags")))
    found.fields.update({name: cell for name, cell in person.items() if name in state.fields})
    if asked.get("double_optin") == "3":
        found.status = "active"
    elif found.status != "active" and email:
        state.invited.append(email)
    return {"person_id": 2_500_000_000 + list(state.contacts).index(key)}


def _exclude(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """Trap: without list_ids the contact drops out of all lists."""
    found = _contact_of(state, asked.get("contact_type", "email"), asked["contact"])
    found.lists -= set(_ids(asked.get("list_ids"))) or set(found.lists)
    return {}


def _unsubscribe(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """A refusal: of the lists that are named, else of everything."""
    kind = asked.get("contact_type", "email")
    found, named = _contact_of(state, kind, asked["contact"]), set(_ids(asked.get("list_ids")))
    found.left |= named or found.lists
    found.lists -= named or set(found.lists)
    if not named:
        found.status, found.phone_status = (
            ("unsubscribed", found.phone_status) if kind == "email" else (found.status, "unsubscribed")
        )
    return {}


def _get_campaigns(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    begin, end = asked.get("from", ""), asked.get("to", "9")
    found = [one for one in state.campaigns if begin <= one["start_time"] <= end]
    start = int(asked.get("offset", 0))
    return found[start : start + min(int(asked.get("limit", 10_000)), 10_000)]


def _letters_of(state: UniSender, asked: Mapping[str, Any]) -> tuple[int, list[list[str]]]:
    campaign = int(asked["campaign_id"])
    if campaign not in state.letters:
        raise Refusal("invalid_arg", "Campaign not found")
    return campaign, list(state.letters[campaign].values())


def _get_common_stats(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    results = [row[1] for row in _letters_of(state, asked)[1]]
    read, clicked = (sum(one in some for one in results) for some in (READ, CLICKED))
    return {"total": len(results), "sent": len(results), "delivered": sum(one in DELIVERED for one in results),
            "read_unique": read, "read_all": read, "clicked_unique": clicked, "clicked_all": clicked,
            "unsubscribed": results.count("ok_unsubscribed"), "spam": results.count("ok_fbl")}  # fmt: skip


def _get_visited_links(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    followed = [row for row in _letters_of(state, asked)[1] if row[1] in CLICKED]
    return {"fields": ["email", "url", "request_time", "count"],
            "data": [[email, "https://shop.example.kz/", at, "1"] for email, _, at in followed]}  # fmt: skip


def _get_delivery_stats(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    campaign, letters = _letters_of(state, asked)
    since = asked.get("changed_since", "")
    data = [row for row in letters if row[2] >= since]
    return {"fields": ["email", "send_result", "last_update"], "data": data, "letter_id": str(campaign + 5000)}


def _export(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    if state.sandbox.limits == "contract" and too_often(state.exports, state.sandbox.clock(), EXPORTS_A_MINUTE):
        raise Refusal("api_call_limit_exceeded_for_api_key", f"More than {EXPORTS_A_MINUTE} exports in a minute")
    if not asked.get("field_names"):
        raise KeyError("field_names")
    columns = list(_cells(asked, "field_names").values())
    chosen = [one for one in state.contacts.values() if _wanted(one, asked)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([columns, *([_cell(one, name) for name in columns] for one in chosen)])
    uuid = str(UUID(int=len(state.files) + 1, version=4))
    state.files[uuid] = out.getvalue()
    return {"task_uuid": uuid, "task_type": "contactExport", "status": "new"}


def _wanted(contact: Contact, asked: Mapping[str, Any]) -> bool:
    return (
        asked.get("email_status") in (None, _cell(contact, "email_status"))
        and asked.get("phone_status") in (None, _cell(contact, "phone_status"))
        and (asked.get("list_id") is None or asked["list_id"] in contact.lists)
        and (asked.get("email") is None or asked["email"].strip().lower() == contact.email)
        and (asked.get("phone") is None or _digits(asked["phone"]) == contact.phone)
    )


def _cell(contact: Contact, column: str) -> str:
    left, agreed = ",".join(sorted(contact.left)), contact.status == "active"
    known = {
        "email": contact.email, "email_status": contact.status if contact.email else "",
        "email_availability": "available" if contact.email else "",
        "email_list_ids": ",".join(sorted(contact.lists)), "email_unsubscribed_list_ids": left,
        "email_add_time": contact.added if contact.email else "",
        "email_confirm_time": contact.confirmed if agreed else "",
        "email_confirm_ip": "203.0.113.7" if agreed and contact.confirmed else "", "phone": contact.phone,
        "phone_status": contact.phone_status if contact.phone else "",
        "phone_add_time": contact.added if contact.phone else "", "tags": ",".join(sorted(contact.tags)),
    }  # fmt: skip
    return known.get(column, contact.fields.get(column, ""))


def _task_result(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """The first look finds the work not done."""
    uuid = str(asked.get("task_uuid"))
    if uuid not in state.files:
        raise Refusal("invalid_arg", "Task not found")
    if uuid not in state.asked:
        state.asked.add(uuid)
        return {"task_uuid": uuid, "task_type": "contactExport", "status": "process"}
    link = str(request.base_url).rstrip("/") + f"/files/{uuid}.csv"
    return {"task_uuid": uuid, "task_type": "contactExport", "status": "completed", "file_to_download": link}


METHODS: Mapping[str, Callable[[UniSender, Mapping[str, Any], Request], Any]] = {
    "getLists": _get_lists,
    "createList": _create_list,
    "updateList": _update_list,
    "deleteList": _delete_list,
    "getFields": _get_fields,
    "createField": _create_field,
    "getContact": _get_contact,
    "isContactInList": _is_contact_in_lists,
    "isContactInLists": _is_contact_in_lists,
    "importContacts": _import_contacts,
    "subscribe": _subscribe,
    "exclude": _exclude,
    "unsubscribe": _unsubscribe,
    "getCampaigns": _get_campaigns,
    "getCampaignCommonStats": _get_common_stats,
    "getVisitedLinks": _get_visited_links,
    "getCampaignDeliveryStats": _get_delivery_stats,
    "async/exportContacts": _export,
    "async/getTaskResult": _task_result,
}
