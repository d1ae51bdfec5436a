"""What is written about people: contacts, and the segments they are in (contract bitrix24 6.2, 6.4 and 10)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.bitrix24.api import PAGE, Answer, Call, ask, rows_of, write
from connectors.bitrix24.cards import (
    CARD,
    Person,
    cards,
    check_fields,
    known_cards,
    mark,
    mended,
    new_card,
    shown,
)
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.notation import in_filters
from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    Deferred,
    Outcome,
    Record,
    Rejected,
    RejectedError,
    Shown,
    TransientError,
    UnansweredError,
    Unknown,
)

AT_ONCE = PAGE
"""Changes in one batch: a command each."""
QUIET = {"REGISTER_SONET_EVENT": "N"}
"""No entry in the managers' feed for what a machine does."""
UNTIL_ASKED_AGAIN = 6 * 3600.0
"""Seconds. Leads stay leads for days, and each of them costs a search."""
NEVER = datetime(2100, 1, 1, tzinfo=UTC)


def check(config: Bitrix24Config) -> None:
    """One cheap authenticated read that must find nothing. Raises ConfigError that says what the merchant must do."""
    where = {">=DATE_MODIFY": in_filters(config, NEVER)}
    try:
        found = ask(config, "crm.contact.list", {"filter": where, "select": ["ID"], "start": -1})
    except RejectedError as error:
        raise ConfigError(str(error)) from error
    if rows_of(found["result"]):
        other = "iso" if config.dates == "space" else "space"
        raise ConfigError(f"{config.connection}: the portal does not understand dates in filters; set `dates: {other}`")
    check_fields(config)


# ── customers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def push_customers(config: Bitrix24Config, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One batch of `crm.contact.add` and `crm.contact.update`, only what differs; the receipt is the contact's id.

    A repeat finds the card by our mark, so a lost answer makes no second one. A bound card that is gone stays gone, and
    a lead is not made a contact behind the managers' backs. Who was erased here is deleted in the same batch.
    """
    living = not_erased(config, changes)
    people = {change.subject: customer_of(change) for change in living}
    card_of = cards(config, list(people.values()), config.person_fields.values())
    calls = deletions(changes)
    for change in living:
        person = people[change.subject]
        card = card_of.get(person)
        if card is None and change.external_id:
            yield gone(change) if person.bound else no_contact(change)
        elif card is None:
            fields = new_card(config, person, change.value)
            calls[change.subject] = Call("crm.contact.add", {"fields": fields, "params": QUIET})
        elif fields := missing(config, person, card, change):
            calls[change.subject] = update(card, fields)
        else:
            yield Accepted(change, card["ID"])
    receipts = {subject: card_of[person]["ID"] for subject, person in people.items() if person in card_of}
    yield from written(config, changes, calls, receipts)


def not_erased(config: Bitrix24Config, changes: Sequence[Change]) -> list[Change]:
    """Those of whom something is written. Who was erased is deleted whatever is wrong with the settings of fields."""
    living = [change for change in changes if not forgets(change)]
    if living:
        check_fields(config)
    return living


def shown_customers(config: Bitrix24Config, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → the wanted value where the card needs nothing more, else what it says."""
    people = {change.subject: customer_of(change) for change in changes}
    card_of = known_cards(config, list(people.values()), [*CARD, *config.person_fields.values()])
    pairs = [(change, card_of[person]) for change in changes if (person := people[change.subject]) in card_of]
    return {
        change.subject: Shown(
            shown(card, config) if mended(config, card, change.value, change.was) else change.value, card["ID"]
        )
        for change, card in pairs
    }


def customer_of(change: Change) -> Person:
    value = change.value
    name = value.get("first_name") or value.get("name") or ""
    phones, emails = (tuple(value.get(fact) or ()) for fact in ("phones", "emails"))
    return Person(change.subject, bound(change), name, phones, emails)


def bound(change: Change) -> str:
    """The contact's id; what was read as a lead or a company is no contact."""
    return change.external_id if change.external_id.isdigit() else ""


def missing(config: Bitrix24Config, person: Person, card: Record, change: Change) -> Record:
    """What the card lacks, our mark included where nobody has marked it."""
    unmarked = {} if card.get("ORIGIN_ID") or card.get("ORIGINATOR_ID") else mark(config, person)
    return {**mended(config, card, change.value, change.was), **unmarked}


def update(card: Record, fields: Record) -> Call:
    return Call("crm.contact.update", {"id": card["ID"], "fields": fields, "params": QUIET})


def gone(change: Change) -> Rejected:
    words = "the contact was deleted or merged in Bitrix24 and is not made again; restore it there, or unlink it here"
    return Rejected(change, "gone", words)


def no_contact(change: Change) -> Rejected:
    words = "Bitrix24 knows the person as a lead or through a company only; a manager makes the contact of it"
    return Rejected(change, "no_contact", words)


# ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def push_segments(config: Bitrix24Config, changes: Sequence[Change]) -> Iterator[Outcome]:
    """One batch of `crm.contact.update`: the segment field is written whole, once for each contact.

    CRM-Marketing segments have no REST (contract 6.2), so marketers filter by this field. Who has no contact yet, being
    a lead, waits for a manager to make one; there is nothing to take him out of. Who was erased here is deleted in the
    same batch.
    """
    if not changes:
        return
    field, living = segment_field(config), not_erased(config, changes)
    card_of = member_cards(config, living, field)
    yield from (without_card(change) for change in living if change.subject not in card_of)
    calls = deletions(changes) | field_updates(config, field, living, card_of)
    at_card = [(change, card_of[change.subject]["ID"]) for change in living if change.subject in card_of]
    yield from (Accepted(change, key) for change, key in at_card if key not in calls)
    answers = write(config, calls) if calls else {}
    yield from (outcome(change, answers[key], key) for change, key in at_card if key in calls)
    yield from forgotten(changes, answers)


def member_cards(config: Bitrix24Config, changes: Sequence[Change], field: str) -> dict[str, Record]:
    """Subject → card with the segment field, of whoever has one."""
    people = {change.subject: member_of(change) for change in changes}
    card_of = cards(config, list(dict.fromkeys(people.values())), [field])
    return {subject: card_of[person] for subject, person in people.items() if person in card_of}


def field_updates(
    config: Bitrix24Config, field: str, changes: Sequence[Change], card_of: Mapping[str, Record]
) -> dict[str, Call]:
    """Contact → a command, where its field differs; several segments of one person are one."""
    at_card: dict[str, list[Change]] = {}
    for change in changes:
        if card := card_of.get(change.subject):
            at_card.setdefault(card["ID"], []).append(change)
    calls = {}
    for key, some in at_card.items():
        card = card_of[some[0].subject]
        before = values_in(card, field)
        after = with_changes(config, before, some)
        if after != before:
            calls[key] = update(card, {field: after})
    return calls


def shown_segments(config: Bitrix24Config, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → the wanted value with `member` as the contact's field says; who is to be forgotten is there or not."""
    field = segment_field(config)
    card_of = member_cards(config, changes, field)
    told = [(change, card_of.get(change.subject)) for change in changes]
    return {
        change.subject: Shown({**change.value, **seen(config, change, card, field)}, card["ID"] if card else None)
        for change, card in told
    }


def segment_field(config: Bitrix24Config) -> str:
    if config.segment_field is None:
        raise ConfigError(
            f"{config.connection} cannot write segments: make a multiple field for contacts, name it in `segment_field`"
        )
    return config.segment_field


def member_of(change: Change) -> Person:
    """The person of `<segment>/<person>`, with the contacts that leave with the change."""
    about = change.about
    phones, emails = ((about[fact],) if about.get(fact) else () for fact in ("phone", "email"))
    key = change.subject.partition("/")[2] or change.subject
    return Person(key, bound(change), about.get("first_name") or "", phones, emails)


def segment_of(config: Bitrix24Config, change: Change) -> str:
    name = str(change.value.get("audience") or change.subject.partition("/")[0])
    return config.segment_values.get(name, name)


def values_in(card: Record, field: str) -> list[str]:
    """An empty multiple field comes as false, null or an empty list."""
    value = card.get(field)
    return [str(one) for one in value] if isinstance(value, list) else []


def with_changes(config: Bitrix24Config, before: Sequence[str], changes: Iterable[Change]) -> list[str]:
    after = list(before)
    for change in changes:
        name = segment_of(config, change)
        if change.value["member"] and name not in after:
            after.append(name)
        elif not change.value["member"] and name in after:
            after.remove(name)
    return after


def seen(config: Bitrix24Config, change: Change, card: Record | None, field: str) -> Record:
    if forgets(change):
        return {"forget": card is None}
    return {"member": card is not None and segment_of(config, change) in values_in(card, field)}


def without_card(change: Change) -> Outcome:
    if not change.value["member"]:
        return Accepted(change)
    why = "the person has no contact in Bitrix24 yet; a manager makes it of the lead"
    return Deferred(change, UNTIL_ASKED_AGAIN, why, alone=True)


# ── who was erased ────────────────────────────────────────────────────────────────────────────────────────────────────


def forgets(change: Change) -> bool:
    return bool(change.value.get("forget"))


def deletions(changes: Iterable[Change]) -> dict[str, Call]:
    """A command for each contact that stood for somebody who was erased, by the receipt; two segments have one."""
    return {deletion(change): Call("crm.contact.delete", {"id": bound(change)})
            for change in changes if forgets(change) and bound(change)}  # fmt: skip


def deletion(change: Change) -> str:
    """The key of the command."""
    return f"gone{bound(change)}"


def forgotten(changes: Iterable[Change], answers: Mapping[str, Answer]) -> Iterator[Outcome]:
    """A contact that is not there is what was wanted, and without a receipt nothing was written there."""
    for change in filter(forgets, changes):
        answer = answers.get(deletion(change))
        if answer is None or is_missing(answer):
            yield Accepted(change)
        else:
            yield outcome(change, answer, None)


def is_missing(answer: Answer) -> bool:
    """The older methods say it in words only: code "" and `Not found`, or `Contact is not found`."""
    said = str(answer.error).rstrip(".").lower()
    return isinstance(answer.error, RejectedError) and said.endswith("not found")


# ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def written(
    config: Bitrix24Config, changes: Sequence[Change], calls: Mapping[str, Call], receipts: Mapping[str, str]
) -> Iterator[Outcome]:
    """Sends the calls, by subject, and gives each its outcome. What was added bears its id as the result."""
    answers = write(config, calls) if calls else {}
    for change in changes:
        if change.subject in answers:
            answer = answers[change.subject]
            yield outcome(change, answer, receipts.get(change.subject) or str(answer.result))
    yield from forgotten(changes, answers)


def outcome(change: Change, answer: Answer, receipt: str | None) -> Outcome:
    """Of one command in a batch, which is no transaction: others may have gone otherwise."""
    match answer.error:
        case None if answer.ran and answer.result:
            return Accepted(change, receipt)
        case None:
            return Unknown(change, "the batch ended before this change" if not answer.ran else "no word of success")
        case UnansweredError() as error:
            return Unknown(change, str(error))
        case TransientError() as error:
            return Deferred(change, error.retry_after, str(error))
        case ConfigError() as error:
            return Deferred(change, None, str(error), blocked=True)
        case RejectedError() as error:
            return Rejected(change, error.code, str(error))
        case error:
            return Rejected(change, "request", str(error))
