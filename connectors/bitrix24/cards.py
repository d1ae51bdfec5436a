"""Contacts in Bitrix24: finding the one that stands for a person, and what of it has to change (contract 6.4, 6.7, 10).

Nothing in the CRM is unique, so a card is looked for in this order: the id the hub has bound, our mark (ORIGINATOR_ID
and ORIGIN_ID), the phones and e-mails. A family may share a phone: a card with another first name is not taken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.bitrix24.api import Call, account, ask, look_up, numbered, pieces, rows_of
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.mapping import birth_date
from connectors.bitrix24.notation import Params
from connectors.sdk import ConfigError, Record
from mappings.tables import at, convert

NAMES = {"first_name": "NAME", "middle_name": "SECOND_NAME", "last_name": "LAST_NAME"}
"""Fact of a person → field of the contact."""
CARD = ("ID", *NAMES.values(), "BIRTHDATE", "PHONE", "EMAIL", "ORIGINATOR_ID", "ORIGIN_ID")
NEW = {"PHONE": "MOBILE", "EMAIL": "HOME"}
"""VALUE_TYPE of what we add."""


@dataclass(frozen=True)
class Person:
    """Whom a card is looked for. `key`: the hub's name for the person, by which our own cards are marked; empty for a
    buyer of whom the hub knows only contacts. `bound`: the contact's id, where the hub knows it.
    """

    key: str
    bound: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def contacts(self) -> tuple[tuple[str, str], ...]:
        return (*(("PHONE", phone) for phone in self.phones), *(("EMAIL", email) for email in self.emails))


def cards(config: Bitrix24Config, people: Sequence[Person], further: Iterable[str] = ()) -> dict[Person, Record]:
    """The card of each person who has one; `further` fields are read beside the usual ones."""
    select = [*CARD, *further]
    found = known_cards(config, people, select)
    strangers = [person for person in people if person not in found and not person.bound]
    return found | by_contacts(config, strangers, select, {card["ID"] for card in found.values()})


def known_cards(config: Bitrix24Config, people: Sequence[Person], select: Sequence[str]) -> dict[Person, Record]:
    """Cards by the bound id, else by our mark; of several with one mark the oldest."""
    ids = [person.bound for person in people if person.bound]
    keys = [person.key for person in people if person.key]
    ours = {"ORIGINATOR_ID": config.originator}
    lists = [
        *(listed({"@ID": some}, select) for some in pieces(ids)),
        *(listed({**ours, "@ORIGIN_ID": some}, select) for some in pieces(keys)),
    ]
    rows = [row for result in look_up(config, numbered(lists)).values() for row in rows_of(result)]
    newest_first = sorted(rows, key=lambda row: int(row["ID"]), reverse=True)
    by_id = {row["ID"]: row for row in newest_first}
    by_mark = {row["ORIGIN_ID"]: row for row in newest_first if is_ours(config, row)}
    pairs = (
        (person, by_id.get(person.bound) or (by_mark.get(person.key) if person.key else None)) for person in people
    )
    return {person: card for person, card in pairs if card}


def by_contacts(
    config: Bitrix24Config, people: Sequence[Person], select: Sequence[str], taken: set[str]
) -> dict[Person, Record]:
    """Cards by phone and e-mail. The answer does not say which value it found, so each is asked for by itself."""
    asked = [(person, by_value(kind, value)) for person in people for kind, value in person.contacts]
    answers = look_up(config, numbered(call for _, call in asked))
    hits: dict[Person, Counter[str]] = {}
    for (person, _), answer in zip(asked, answers.values(), strict=True):
        # an empty map is serialised as a list
        ids = answer.get("CONTACT", ()) if isinstance(answer, dict) else ()
        hits.setdefault(person, Counter()).update(str(one) for one in ids)
    wanted = sorted({key for counted in hits.values() for key in counted}, key=int)
    lists = [listed({"@ID": some}, select) for some in pieces(wanted)]
    rows = {row["ID"]: row for result in look_up(config, numbered(lists)).values() for row in rows_of(result)}
    return _chosen(config, hits, rows, taken)


def _chosen(
    config: Bitrix24Config, hits: Mapping[Person, Counter[str]], rows: Mapping[str, Record], taken: set[str]
) -> dict[Person, Record]:
    """Of each person's candidates the one with most of his contacts, the oldest first; nobody's card twice."""
    found: dict[Person, Record] = {}
    used = set(taken)
    for person, counted in hits.items():
        ranked = sorted(counted, key=lambda key: (-counted[key], int(key)))
        fitting = (rows[key] for key in ranked if key in rows and may_be(config, person, rows[key]))
        card = next((row for row in fitting if not person.key or row["ID"] not in used), None)
        if card:
            found[person] = card
            used.add(card["ID"])
    return found


def may_be(config: Bitrix24Config, person: Person, card: Record) -> bool:
    """Not another's: neither marked as somebody else's card nor bearing another first name."""
    if person.key and is_ours(config, card) and card["ORIGIN_ID"] != person.key:
        return False
    said, known = (set(str(name or "").casefold().split()) for name in (card.get("NAME"), person.name))
    return not said or not known or bool(said & known)


def is_ours(config: Bitrix24Config, card: Record) -> bool:
    return card.get("ORIGINATOR_ID") == config.originator and bool(card.get("ORIGIN_ID"))


def listed(where: Params, select: Sequence[str]) -> Call:
    return Call("crm.contact.list", {"order": {"ID": "ASC"}, "filter": where, "select": list(select), "start": -1})


def by_value(kind: str, value: str) -> Call:
    return Call("crm.duplicate.findbycomm", {"type": kind, "values": [value], "entity_type": "CONTACT"})


# ── what a card lacks ─────────────────────────────────────────────────────────────────────────────────────────────────


def mark(config: Bitrix24Config, person: Person) -> Record:
    return {"ORIGINATOR_ID": config.originator, "ORIGIN_ID": person.key}


def new_card(config: Bitrix24Config, person: Person, facts: Record) -> Record:
    return {**mended(config, {}, facts), **mark(config, person)}


def mended(config: Bitrix24Config, card: Record, facts: Record, before: Any = None) -> Record:
    """The fields of a contact that differ from what is known of the person; nothing is emptied, nothing repeated.

    `before`: what was known when the card was last written, where the hub kept it. A phone that was ours and is no
    longer right is edited by its id; those that managers typed are left alone.
    """
    before = before if isinstance(before, Mapping) else {}
    fields = {
        field: facts[fact]
        for fact, field in {**NAMES, **config.person_fields}.items()
        if facts.get(fact) and str(facts[fact]) != str(card.get(field) or "")
    }
    if born := facts.get("birth_date"):
        day = birth_date(born)
        if at(card, "BIRTHDATE") is None or birth_date(card["BIRTHDATE"]) != day:
            fields["BIRTHDATE"] = day.strftime("%d.%m.%Y")
    for kind, fact, same in (("PHONE", "phones", by_region(config)), ("EMAIL", "emails", convert.email)):
        wanted, were = facts.get(fact) or (), before.get(fact) or ()
        if difference := delta(kind, wanted, were, card.get(kind) or (), same):
            fields[kind] = difference
    return fields


def by_region(config: Bitrix24Config) -> Callable[[Any], str | None]:
    return lambda value: convert.phone(value, config.region)


def delta(
    kind: str, wanted: Iterable[str], were: Iterable[str], have: Sequence[Record], same: Callable[[Any], str | None]
) -> list[Record]:
    """The smallest change of a multi-field: an element without ID is added each time it is sent (contract 6.4)."""
    there = {same(element["VALUE"]) or element["VALUE"] for element in have}
    asked = {same(value) or value: value for value in wanted}
    missing = [value for key, value in asked.items() if key not in there]
    gone = {same(value) or value for value in were} - asked.keys()
    changes: list[Record] = []
    for element in have:
        if (same(element["VALUE"]) or element["VALUE"]) in gone:
            edit = {"VALUE": missing.pop(0), "VALUE_TYPE": element["VALUE_TYPE"]} if missing else {"DELETE": "Y"}
            changes.append({"ID": element["ID"], **edit})
    return [*changes, *({"VALUE": value, "VALUE_TYPE": NEW[kind]} for value in missing)]


def shown(card: Record, config: Bitrix24Config) -> Record:
    """What a card says of a person, in the words of `customer.push`."""
    born: date | None = None if at(card, "BIRTHDATE") is None else birth_date(card["BIRTHDATE"])
    return {
        **{fact: card.get(field) for fact, field in {**NAMES, **config.person_fields}.items()},
        "birth_date": born and born.isoformat(),
        "phones": [element["VALUE"] for element in card.get("PHONE") or ()],
        "emails": [element["VALUE"] for element in card.get("EMAIL") or ()],
    }


# ── fields of the merchant's own ──────────────────────────────────────────────────────────────────────────────────────

_fields: dict[str, dict[str, Record]] = {}
"""Portal → the fields of its contacts, as last asked."""


def check_fields(config: Bitrix24Config) -> None:
    """Raises ConfigError where a field of the settings does not exist: the portal would ignore it without a word."""
    named = {*config.person_fields.values(), *([config.segment_field] if config.segment_field else ())}
    if not named:
        return
    portal = f"{account(config)} {config.base_url}"
    if not named <= _fields.get(portal, {}).keys():
        found = ask(config, "crm.contact.fields")["result"]
        _fields[portal] = found if isinstance(found, dict) else {}
    if missing := sorted(named - _fields[portal].keys()):
        raise ConfigError(
            f"{config.connection}: contacts have no field {', '.join(missing)}; make it in CRM > Settings > Custom "
            "fields, or mend `person_fields` and `segment_field`"
        )
    if config.segment_field and not _fields[portal][config.segment_field].get("isMultiple"):
        raise ConfigError(f"{config.connection}: {config.segment_field} holds one value; make it a multiple field")
