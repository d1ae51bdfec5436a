"""UniSender on loopback, as its contract has it: refusals inside a 200, imports that succeed in part, and its traps."""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.sdk.testing.sandbox import Demo, Limits, Sandbox, Seen, utc_now
from connectors.sdk.testing.shop import Shop
from connectors.unisender.sandbox_account import Contact, Refusal, UniSender
from connectors.unisender.source import stamp

KEY = "sandbox-unisender-key"
A_MINUTE, EXPORTS_A_MINUTE = 1200, 20
ROWS, COLUMNS = 500, 50
READS = {
    "getLists", "getContact", "isContactInLists", "getCampaigns", "getCampaignDeliveryStats", "exportContacts",
    "getTaskResult",
}  # fmt: skip
ROLES = {"admin", "abuse", "info", "postmaster", "noreply", "spam"}
STATUSES = {"new", "active", "inactive", "unsubscribed"}
TAGS = 10
PARTS = (
    "status", "availability", "list_ids", "subscribe_times", "unsubscribed_list_ids", "excluded_list_ids", "add_time",
    "confirm_time", "confirm_ip",
)  # fmt: skip
SYSTEM = {"email", "phone", "tags", "delete", *(f"{kind}_{part}" for kind in ("email", "phone") for part in PARTS)}

DEMO = Demo(
    people=True,
    settings={},
    secrets={"api_key": KEY},
    connection={"push": {"segment": "auto", "customer": "auto", "first": "auto"}, "country": "KZ"},
    unlimited={"per_second": 1000},
)


def sandbox(
    shop: Shop | None = None, *, limits: Limits = "contract", clock: Callable[[], datetime] = utc_now
) -> UniSender:
    """An account with the shop's people who gave an e-mail: a common list, VIPs, and the letters of two campaigns."""
    state = UniSender(clock)
    state.sandbox = Sandbox(
        "unisender", _routes(state), limits=limits, clock=clock, limit=lambda request: _too_fast(state, request),
        too_many=lambda seconds: _error("api_call_limit_exceeded_for_api_key", "Too many requests"), reads=_reads,
    )  # fmt: skip
    if shop is not None:
        _open(state, shop)
    return state


def _reads(seen: Seen) -> bool:
    """Any method may come as a GET, those that write too."""
    return seen.path.startswith("/files/") or seen.path.rpartition("/")[2] in READS


def _open(state: UniSender, shop: Shop) -> None:
    random = Random("unisender")
    everybody, best = state.listed("Общий список"), state.listed("VIP")
    for place, person in enumerate(one for one in shop.people if one.email):
        joined = shop.now - timedelta(days=random.randrange(30, 900), minutes=random.randrange(1440))
        status = "unsubscribed" if place % 11 == 5 else "new" if place % 7 == 3 else "active"
        state.contacts[str(person.email)] = Contact(
            email=str(person.email), status=status, added=stamp(joined), phone=person.phone.lstrip("+"),
            confirmed=stamp(joined + timedelta(minutes=7)) if place % 3 else "",
            lists={everybody, best} if place % 10 == 0 else {everybody}, left={best} if place % 40 == 9 else set(),
            fields={"Name": f"{person.first_name} {person.last_name}", "City": person.city},
        )  # fmt: skip
    for days, subject in ((9, "Наурыз жақындап келеді"), (3, "Новинки недели")):
        at = shop.now - timedelta(days=days, hours=2)
        campaign = state.mailed(everybody, subject, at)
        for email in state.letters[campaign]:
            result = random.choices(*_FATES)[0]
            state.letters[campaign][email] = [email, result, stamp(at + timedelta(minutes=random.randrange(1, 2000)))]


_FATES = (
    ("ok_delivered", "ok_read", "ok_link_visited", "err_user_unknown", "err_mailbox_full", "ok_fbl"),
    (60, 28, 9, 1, 1, 0.2),
)


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _routes(state: UniSender) -> list[Route]:
    async def endpoint(request: Request) -> Response:
        method = request.path_params["method"]
        arguments = _arguments(request.url.query) | _arguments((await request.body()).decode())
        if arguments.get("api_key") != KEY:
            return _error("invalid_api_key", "AH100309-02 [The incorrect or blank api key]")
        if method not in _METHODS:
            return _error("unknown_method", f"Unknown method {method}")
        try:
            return JSONResponse({"result": _METHODS[method](state, arguments, request)})
        except Refusal as refusal:
            return _error(refusal.code, str(refusal))
        except KeyError as missing:
            return _error("invalid_arg", f"The argument {missing} is required")

    async def file(request: Request) -> Response:
        found = state.files.get(request.path_params["name"])
        return PlainTextResponse(found, media_type="text/csv") if found is not None else PlainTextResponse("", 404)

    return [
        Route("/{language}/api/{method:path}", endpoint, methods=["GET", "POST"]),
        Route("/files/{name}.csv", file),
    ]


def _error(code: str, words: str) -> Response:
    return JSONResponse({"error": words, "code": code})


def _arguments(form: str) -> dict[str, Any]:
    """`data[0][1]=x` → nested mappings by text keys, as PHP reads a form, or what stands behind the address."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        steps = [step for step in re.split(r"[\[\]]+", name) if step]
        place = found
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    return found


def _too_fast(state: UniSender, request: Request) -> Response | None:
    return _counted(state.called, state.sandbox.clock(), A_MINUTE)


def _counted(calls: deque[datetime], now: datetime, most: int) -> Response | None:
    while calls and calls[0] <= now - timedelta(minutes=1):
        calls.popleft()
    if len(calls) >= most:
        return _error("api_call_limit_exceeded_for_api_key", f"More than {most} calls in a minute")
    calls.append(now)
    return None


def _get_lists(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    return [{"id": number, "title": title} for number, title in state.lists.items()]


def _create_list(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    if asked.get("title") in state.lists.values():
        raise Refusal("invalid_arg", "A list with this title exists")
    return {"id": state.listed(asked["title"])}


def _get_contact(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    found = state.contacts.get(str(asked.get("email")).lower())
    if found is None:
        raise Refusal("invalid_arg", "Contact not found")
    lists = [{"id": number, "title": state.lists[number]} for number in sorted(found.lists)]
    return {"email": {"email": found.email, "added_at": found.added, "status": found.status,
                      "availability": "available", "lists": lists, "fields": dict(found.fields)}}  # fmt: skip


def _is_contact_in_lists(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    found = state.contacts.get(str(asked.get("email")).lower())
    if found is None:
        raise Refusal("invalid_arg", "Contact not found")
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
            log.append({"index": str(index), "code": "invalid_arg", "message": problem})
        else:
            counts.update(_put(state, row, overwrite=asked.get("overwrite_lists") == "1"))
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
    return next((key for key, one in state.contacts.items() if one.phone == phone), phone)


def _put(state: UniSender, row: Mapping[str, str], *, overwrite: bool) -> list[str]:
    """What is counted of it. Trap: no status lifts `unsubscribed`. Trap: overwriting drops the lists not named."""
    key, email = _key(state, row), row.get("email", "").strip().lower()
    if row.get("delete") == "1":
        return ["deleted"] if state.contacts.pop(key, None) else []
    fresh = key not in state.contacts
    found = state.contacts.setdefault(key, Contact(email, "new", stamp(state.sandbox.clock())))
    if overwrite:
        found.lists.clear()
    for kind in ("email", "phone"):
        found.lists.update(_ids(row.get(f"{kind}_list_ids")))
        found.left.update(_ids(row.get(f"{kind}_unsubscribed_list_ids")))
        found.lists -= {*_ids(row.get(f"{kind}_excluded_list_ids")), *found.left}
    if row.get("email_status") in STATUSES and found.status != "unsubscribed":
        found.status = row["email_status"]
    found.phone = _digits(row["phone"]) if "phone" in row else found.phone
    # The contract does not say what an empty cell does; here it does the worst.
    found.fields.update({name: cell for name, cell in row.items() if name in state.fields})
    return [*(["inserted"] if fresh else ["updated"]), *(["new_emails"] if fresh and email else [])]


def _subscribe(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """Without a letter (3) it subscribes whoever it is told to: nothing here protects who refused."""
    person = {"email": "", "phone": "", **_cells(asked, "fields"), "email_list_ids": asked["list_ids"]}
    if problem := _odd_row(state, person):
        raise Refusal("invalid_arg", problem)
    if len(_ids(asked.get("tags"))) > TAGS:
        raise Refusal("invalid_arg", f"At most {TAGS} tags")
    key, email = _key(state, person), person["email"].strip().lower()
    fresh = Contact(email, "new", stamp(state.sandbox.clock()), phone=_digits(person["phone"]))
    found = state.contacts.setdefault(key, fresh)
    if asked.get("overwrite") == "1":
        found.lists.clear()
    found.lists.update(_ids(asked.get("list_ids")))
    if asked.get("double_optin") == "3":
        found.status = "active"
    elif found.status != "active" and email:
        state.invited.append(email)
    return {"person_id": 2_500_000_000 + list(state.contacts).index(key)}


def _exclude(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    """Trap: without list_ids the contact drops out of all lists."""
    found = state.contacts.get(_key(state, {asked.get("contact_type", "email"): asked["contact"]}))
    if found is None:
        raise Refusal("invalid_arg", "Contact not found")
    found.lists -= set(_ids(asked.get("list_ids"))) or set(found.lists)
    return {}


def _get_campaigns(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    begin, end = asked.get("from", ""), asked.get("to", "9")
    found = [one for one in state.campaigns if begin <= one["start_time"] <= end]
    start = int(asked.get("offset", 0))
    return found[start : start + min(int(asked.get("limit", 10_000)), 10_000)]


def _get_delivery_stats(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    campaign = int(asked["campaign_id"])
    if campaign not in state.letters:
        raise Refusal("invalid_arg", "Campaign not found")
    since = asked.get("changed_since", "")
    data = [row for row in state.letters[campaign].values() if row[2] >= since]
    return {"fields": ["email", "send_result", "last_update"], "data": data, "letter_id": str(campaign + 5000)}


def _export(state: UniSender, asked: Mapping[str, Any], request: Request) -> Any:
    if state.sandbox.limits == "contract" and _counted(state.exports, state.sandbox.clock(), EXPORTS_A_MINUTE):
        raise Refusal("api_call_limit_exceeded_for_api_key", f"More than {EXPORTS_A_MINUTE} exports in a minute")
    columns = list(asked["field_names"].values())
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
        "phone_add_time": contact.added if contact.phone else "",
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


_METHODS: Mapping[str, Callable[[UniSender, Mapping[str, Any], Request], Any]] = {
    "getLists": _get_lists,
    "createList": _create_list,
    "getContact": _get_contact,
    "isContactInLists": _is_contact_in_lists,
    "importContacts": _import_contacts,
    "subscribe": _subscribe,
    "exclude": _exclude,
    "getCampaigns": _get_campaigns,
    "getCampaignDeliveryStats": _get_delivery_stats,
    "async/exportContacts": _export,
    "async/getTaskResult": _task_result,
}


def life(state: UniSender, shop: Shop, *, feeds: str | None = None, seed: int = 1) -> Callable[[], None]:
    """The demo's readers: each call somebody opens a letter, follows its link, or has had enough."""
    random, ticks = Random(f"unisender {seed}"), count(1)

    def reading() -> None:
        campaign = state.campaigns[-1]["id"]
        waiting: Sequence[str] = [
            email for email, row in state.letters[campaign].items() if row[1] in ("ok_delivered", "ok_read")
        ]
        if waiting:
            result = "ok_unsubscribed" if next(ticks) % 25 == 0 else random.choice(("ok_read", "ok_link_visited"))
            state.turns(campaign, random.choice(waiting), result)

    return reading


__all__ = ["DEMO", "KEY", "Contact", "UniSender", "life", "sandbox"]
