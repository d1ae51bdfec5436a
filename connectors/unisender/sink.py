"""What is written to UniSender: people, and their membership of segments (contract email-platforms, 1).

Nobody who left comes back by us: no list is ever overwritten, no status but that of a new address is sent, and a
person who leaves a segment is excluded from its list, neither unsubscribed nor deleted. Only who was erased here is
deleted there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    ContractError,
    Outcome,
    Rejected,
    RejectedError,
    Shown,
    Step,
    in_turn,
)
from connectors.unisender.api import ask, exported, write
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.records import pseudonym
from connectors.unisender.source import titles
from mappings.tables import convert

ROWS = 500
"""Rows of one import; 50 columns are the other limit, far away."""


def imported(config: UniSenderConfig, columns: Sequence[str], rows: Sequence[tuple[Change, Sequence[str]]]) -> Step:
    """Rows of the same columns as one import: a row succeeded unless the log names it."""
    arguments = import_arguments(columns, [cells for _, cells in rows])
    changes = [change for change, _ in rows]
    return Step(changes, lambda: _logged(config, rows, write(config, "importContacts", arguments)))


def import_arguments(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """`overwrite_lists` stays 0: with 1 a contact would drop out of every list that is not named."""
    return {"field_names": list(columns), "data": [list(row) for row in rows], "overwrite_lists": 0}


def _logged(config: UniSenderConfig, rows: Sequence[tuple[Change, Sequence[str]]], result: Any) -> Iterator[Outcome]:
    """Raises ContractError where more rows are called invalid than the log names: then which is not known."""
    try:
        refused = {int(one["index"]): one for one in result.get("log") or ()}
        total, invalid = int(result["total"]), int(result.get("invalid") or 0)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ContractError("UniSender answered an import without its counts and log") from None
    if total != len(rows):
        raise ContractError(f"UniSender counts {total} rows in an import of {len(rows)}")
    if invalid > len(refused):
        raise ContractError("UniSender calls more rows of an import invalid than it names")
    for place, (change, cells) in enumerate(rows):
        if place in refused:
            said = refused[place]
            yield Rejected(change, str(said.get("code") or "invalid"), str(said.get("message") or ""))
        else:
            yield Accepted(change, pseudonym(config, cells[0]))


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def push_customers(config: UniSenderConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Names and the like of people, new or known. A cell that we do not know is not sent: it must not empty a field."""
    alike: dict[tuple[str, ...], list[tuple[Change, Sequence[str]]]] = defaultdict(list)
    for change in (one for one in changes if not forgets(one)):
        cells = person_cells(config, change.value)
        if "email" in cells or "phone" in cells:
            alike[tuple(cells)].append((change, tuple(cells.values())))
        else:
            yield Rejected(change, "no_address", "the person has neither e-mail nor phone")
    gone = _forgotten(config, [one for one in changes if forgets(one)])
    yield from in_turn([*gone, *(imported(config, columns, rows) for columns, rows in alike.items())])


def forgets(change: Change) -> bool:
    return bool(change.value.get("forget"))


def _forgotten(config: UniSenderConfig, changes: Sequence[Change]) -> Iterator[Step]:
    if changes:
        yield Step(changes, partial(_deleted, config, changes))


def _deleted(config: UniSenderConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Contacts are deleted by an import too, of each address that the person had. Who is not there is deleted already.
    Without a receipt: that would be the address again."""
    there = _receipts(config)
    found = [(change, at) for change in changes for at in dict.fromkeys(map(there.get, _known_by(change))) if at]
    refused: dict[str, Outcome] = {}
    for column in ("email", "phone"):
        rows = [(change, (address, "1")) for change, (kind, address) in found if kind == column]
        for start in range(0, len(rows), ROWS):
            for outcome in imported(config, [column, "delete"], rows[start : start + ROWS]).send():
                if not isinstance(outcome, Accepted):
                    refused[outcome.change.subject] = outcome
    yield from (refused.get(change.subject, Accepted(change)) for change in changes)


def _receipts(config: UniSenderConfig) -> dict[str, tuple[str, str]]:
    """Receipt → column and address, of everybody: nothing else is known of who was erased. Who has both is told by the
    e-mail, so that nobody is deleted twice."""
    return {
        pseudonym(config, row[column]): ("email", row["email"]) if row.get("email") else ("phone", row["phone"])
        for row in exported(config, ["email", "phone"])
        for column in ("phone", "email")
        if row.get(column)
    }


def _known_by(change: Change) -> list[str]:
    """The receipts of somebody erased, also of addresses that he had before."""
    return list(dict.fromkeys((change.external_id, *change.about.get("receipts", ()))))


def person_cells(config: UniSenderConfig, person: Mapping[str, Any]) -> dict[str, str]:
    """Column → cell, of what is known; the address comes first."""
    whole = " ".join(filter(None, (person.get("first_name"), person.get("last_name"))))
    told = {**person, "name": person.get("name") or whole}
    addresses = {"email": first(person.get("emails")), "phone": first(person.get("phones"))}
    own = {column: told.get(name) for name, column in config.fields.items()}
    return {column: str(cell) for column, cell in {**addresses, **own}.items() if cell}


def first(values: Sequence[str] | None) -> str | None:
    return next(iter(values or ()), None)


def shown_customers(config: UniSenderConfig, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → its value where everything we would write stands there, else what stands there."""
    found = {}
    for change in changes:
        cells = person_cells(config, change.value)
        contact = known(config, cells["email"]) if "email" in cells else None
        if contact is None:
            continue
        own = {name: cell for name, cell in cells.items() if name not in ("email", "phone")}
        shown = {name: (contact.get("fields") or {}).get(name) for name in own}
        found[change.subject] = Shown(change.value if shown == own else shown, pseudonym(config, cells["email"]))
    return found


def known(config: UniSenderConfig, email: str) -> Mapping[str, Any] | None:
    """A contact with its fields; None where there is no such address, which UniSender may say by refusing to answer."""
    try:
        result = ask(config, "getContact", {"email": email, "include_fields": 1, "include_lists": 1})
    except RejectedError as error:
        if error.code != "invalid_arg":
            raise
        return None
    about = result.get("email") or result.get(email) if isinstance(result, Mapping) else None
    return {**about, **({"fields": result["fields"]} if "fields" in result else {})} if about else None


# ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def push_segment(config: UniSenderConfig, changes: Sequence[Change]) -> Iterator[Outcome]:
    """Additions in one import; who leaves is excluded one by one, because there is no other way out of a list.

    Leaving goes first: it may be a refusal.
    """
    if not changes:
        return
    joins = [change for change in changes if change.value["member"] and email_of(change)]
    leaves = [change for change in changes if not change.value["member"] and not forgets(change)]
    gone = _forgotten(config, [change for change in changes if forgets(change)])
    for change in changes:
        if change.value["member"] and not email_of(change):
            yield Rejected(change, "no_address", "the person has no e-mail")
    if config.membership == "field":
        yield from in_turn([*gone, *_in_field(config, joins, leaves)])
    else:
        places = Places(config)
        yield from in_turn([*gone, *_leaves(config, leaves, places), *_joins(config, joins, places)])


def email_of(change: Change) -> str | None:
    return convert.email(change.about.get("email") or "")


class Places:
    """The lists that segments became: audience → id, looked up once for a batch. Ids are never empty."""

    def __init__(self, config: UniSenderConfig):
        self._config = config
        known = titles(config)
        self._ids = {**{title: number for number, title in known.items()}, **{number: number for number in known}}

    def find(self, audience: str) -> str | None:
        return self._ids.get(self._config.audiences.get(audience, audience)) or None

    def made(self, audience: str) -> str:
        """Raises ConfigError where the list must be made by the merchant."""
        found = self.find(audience)
        if found is None:
            title = self._config.audiences.get(audience, audience)
            if not self._config.create_lists:
                raise ConfigError(
                    f"{self._config.connection}: UniSender has no list {title!r}; make it, or set `create_lists`"
                )
            result = write(self._config, "createList", {"title": title})
            if not isinstance(result, Mapping) or not result.get("id"):
                raise ContractError(f"{self._config.connection}: createList gave no id")
            found = self._ids[title] = str(result["id"])
        return found


def _joins(config: UniSenderConfig, changes: Sequence[Change], places: Places) -> Iterator[Step]:
    if not changes:
        return
    if config.new_addresses == "confirm":
        yield from (Step([change], partial(_asked_to_confirm, config, change, places)) for change in changes)
        return
    columns, status = ["email", "email_list_ids"], []
    if config.new_addresses == "active":
        # UniSender lets no status lift `unsubscribed`; for any other address somebody who agreed becomes mailable.
        columns, status = [*columns, "email_status"], ["active"]

    def send() -> Iterable[Outcome]:
        rows = [(change, [str(email_of(change)), places.made(change.value["audience"]), *status]) for change in changes]
        return imported(config, columns, rows).send()

    yield Step(changes, send)


def _asked_to_confirm(config: UniSenderConfig, change: Change, places: Places) -> Iterator[Outcome]:
    """Double opt-in. Who refused is never asked again: the letter itself would be one too many."""
    email, number = str(email_of(change)), places.made(change.value["audience"])
    status = (known(config, email) or {}).get("status")
    if status in ("unsubscribed", "blocked"):
        yield Rejected(change, "unsubscribed", "UniSender knows that this person refused letters")
    elif status == "active":
        yield from imported(config, ["email", "email_list_ids"], [(change, [email, number])]).send()
    else:
        asked = {
            "list_ids": number, "fields": {"email": email}, "double_optin": config.double_optin, "overwrite": 0,
        }  # fmt: skip
        write(config, "subscribe", asked)
        yield Accepted(change, pseudonym(config, email))


def _leaves(config: UniSenderConfig, changes: Sequence[Change], places: Places) -> Iterator[Step]:
    former = Former(config)
    for change in changes:
        number = places.find(change.value["audience"])
        yield Step([change], partial(_excluded, config, change, number, former))


class Former:
    """Addresses under which people were added, when they have another one now: found by the receipt."""

    def __init__(self, config: UniSenderConfig):
        self._config = config
        self._lists: dict[str, dict[str, str]] = {}

    def address(self, change: Change, number: str = "") -> str | None:
        """`number`: of the list to look through, else everybody is. Where nobody has that receipt (the key of receipts
        was changed), the address of now: taking out whoever is not in does no harm."""
        now = email_of(change)
        if now and change.external_id in ("", pseudonym(self._config, now)):
            return now
        return self._by_receipt(number).get(change.external_id, now) if change.external_id else None

    def _by_receipt(self, number: str) -> dict[str, str]:
        if number not in self._lists:
            rows = exported(self._config, ["email"], {"list_id": number} if number else None)
            self._lists[number] = {
                pseudonym(self._config, row["email"]): row["email"] for row in rows if row.get("email")
            }
        return self._lists[number]


def _excluded(config: UniSenderConfig, change: Change, number: str | None, former: Former) -> Iterator[Outcome]:
    """`exclude` without a list would empty all of the contact's lists, so it never leaves without one."""
    email = former.address(change, number) if number else None
    if number and email:
        try:
            write(config, "exclude", {"contact_type": "email", "contact": email, "list_ids": number})
        except RejectedError:
            if in_list(config, email, number):
                raise
    yield Accepted(change, change.external_id or None)


def in_list(config: UniSenderConfig, email: str, number: str) -> bool:
    """An address that UniSender does not know is in no list."""
    try:
        found = ask(config, "isContactInLists", {"email": email, "list_ids": number, "condition": "and"})
    except RejectedError as error:
        if error.code != "invalid_arg":
            raise
        return False
    return str(found).lower() in ("true", "1")


def _in_field(config: UniSenderConfig, joins: Sequence[Change], leaves: Sequence[Change]) -> Iterator[Step]:
    """Membership as an own field. An address that is gone there is left alone: an import would bring it back."""
    by_field: dict[str, list[tuple[Change, Sequence[str]]]] = defaultdict(list)
    gone, former = [], Former(config)
    for change in [*joins, *leaves]:
        field = config.audiences.get(change.value["audience"], change.value["audience"])
        email = email_of(change) if change.value["member"] else former.address(change)
        if change.value["member"]:
            by_field[field].append((change, [str(email), "1"]))
        elif email and known(config, email):
            by_field[field].append((change, [email, "0"]))
        else:
            gone.append(change)
    yield Step(gone, lambda: [Accepted(change, change.external_id or None) for change in gone])
    yield from (imported(config, ["email", field], rows) for field, rows in by_field.items())


def shown_segment(config: UniSenderConfig, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → whether the person is in the segment's list, or bears its field: who leaves, as he was added."""
    places = Places(config) if changes and config.membership == "list" else None
    former, found = Former(config), {}
    for change in changes:
        audience = change.value["audience"]
        number = str(places.find(audience) or "") if places else ""
        email = email_of(change) if change.value["member"] else former.address(change, number)
        if email is None:
            continue
        if places is None:
            fields = (known(config, email) or {}).get("fields") or {}
            member = str(fields.get(config.audiences.get(audience, audience))) == "1"
        else:
            member = bool(number) and in_list(config, email, number)
        receipt = pseudonym(config, email) if change.value["member"] else None
        found[change.subject] = Shown({"audience": audience, "member": member}, receipt)
    return found


def check(config: UniSenderConfig) -> None:
    """One cheap read. Raises ConfigError in words for the merchant."""
    try:
        titles(config)
    except RejectedError as error:
        raise ConfigError(f"{config.connection}: UniSender answered the check with: {error}") from error
