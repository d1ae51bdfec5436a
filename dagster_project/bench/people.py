"""Invented people as six systems write them down, with the truth beside: who is who, and who lives with whom.

Families use one phone, numbers change hands, tills type the number of the shop, the marketplace shows proxies, and
everybody
spells as they like: Kazakh, Russian, four ways of Latin, short forms, typos. Made of its own tables, not of those
that clean.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.random import Generator
from numpy.typing import NDArray

from dagster_project.bench.people_names import CITIES, FIRST, SURNAMES, WAYS
from mappings.identity.normalise import CUSTOMERS, numbered
from mappings.relations import unordered

SYSTEMS = np.array(["crm", "till", "shop", "market", "letters", "courier"])
DOMAINS = np.array(["mail.example", "gmail.com", "post.example", "inbox.example"])
DAY_ZERO = np.datetime64("1948-01-01")
Ints = NDArray[np.int64]
Words = NDArray[np.object_]


@dataclass(frozen=True)
class Difficulty:
    """Shares of records in which something is wrong.

    Of persons: `family_phone`, who have no number but that of the head of the house; `reassigned`, whose number was a
    stranger's.
    """

    typo: float
    wrong_phone: float
    family_phone: float
    borrowed: float
    reassigned: float
    placeholder: float
    shop_number: float
    latin: float
    kazakh: float
    short: float
    swapped: float
    wrong_birth: float
    till_birth: float
    masked: float
    nameless: float
    no_phone: float


MEDIUM = Difficulty(
    typo=0.04,
    wrong_phone=0.01,
    family_phone=0.12,
    borrowed=0.02,
    reassigned=0.02,
    placeholder=0.01,
    shop_number=0.005,
    latin=0.2,
    kazakh=0.15,
    short=0.06,
    swapped=0.01,
    wrong_birth=0.02,
    till_birth=0.03,
    masked=0.15,
    nameless=0.08,
    no_phone=0.15,
)
HARD = Difficulty(
    typo=0.10,
    wrong_phone=0.03,
    family_phone=0.25,
    borrowed=0.05,
    reassigned=0.06,
    placeholder=0.03,
    shop_number=0.01,
    latin=0.3,
    kazakh=0.2,
    short=0.14,
    swapped=0.03,
    wrong_birth=0.06,
    till_birth=0.08,
    masked=0.3,
    nameless=0.12,
    no_phone=0.25,
)


@dataclass(frozen=True)
class People:
    """`customers`: CUSTOMERS rows in the order they came. `truth`: record, person, household, by the same order."""

    customers: pa.Table
    truth: pa.Table


@dataclass(frozen=True)
class _Persons:
    household: Ints
    head: Ints
    man: NDArray[np.bool_]
    first: Ints
    surname: Ints
    birth: NDArray[np.datetime64]
    phone: Words
    email: Words
    loyalty: Words
    city: Ints
    address: Words


def people(records: int, seed: int, difficulty: Difficulty = MEDIUM) -> People:
    """That many records of about half as many persons."""
    dice = np.random.default_rng(seed)
    persons = _persons(max(records * 10 // 21, 4), difficulty, dice)
    who, system = _visits(records, len(persons.household), dice)
    customers = _records(persons, who, system, difficulty, dice)
    keys = numbered(customers.select(["connection", "external_id"]))
    record = unordered("select record from keys order by external_id::bigint", keys=keys)["record"]
    truth = pa.table({"record": record, "person": who, "household": persons.household[who]})
    return People(customers, truth)


def _persons(count: int, difficulty: Difficulty, dice: Generator) -> _Persons:
    sizes = dice.choice([1, 2, 3, 4, 5], size=count, p=[0.3, 0.27, 0.2, 0.15, 0.08])
    household = np.repeat(np.arange(count), sizes)[:count]
    head = np.searchsorted(household, household)
    man = dice.random(count) < 0.47
    family = _zipf(len(SURNAMES.men), count, 0.9, dice)[head]
    first = _first_names(SURNAMES.kin[family], man, dice)
    surname = np.where(dice.random(count) < 0.1, _zipf(len(SURNAMES.men), count, 0.9, dice), family)
    phone = _numbers(count, dice)
    before = np.where(dice.random(count) < difficulty.reassigned, dice.integers(0, count, count), -1)
    phone[before >= 0] = phone[before[before >= 0]]
    phone = np.where(dice.random(count) < difficulty.family_phone, phone[head], phone)
    latin = WAYS.first[1][first] + "." + WAYS.last[np.where(man, 2, 3), surname]
    email = np.char.lower(latin.astype(str)).astype(object) + dice.integers(1, 99_999, count).astype(str).astype(object)
    town = dice.choice(len(CITIES), count, p=_falling(len(CITIES), 1.0))[head]
    street, house, flat = (dice.integers(0, top, count)[head] for top in (len(WAYS.streets), 200, 120))
    home = WAYS.streets[street] + ", " + house.astype(str).astype(object) + ", кв. " + flat.astype(str).astype(object)
    return _Persons(
        household, head, man, first, surname,
        DAY_ZERO + dice.integers(0, 22_000, count).astype("timedelta64[D]"),
        phone, email + "@" + DOMAINS[dice.choice(4, count, p=[0.45, 0.3, 0.15, 0.1])].astype(object),
        "77" + np.char.zfill(np.arange(count).astype(str), 8).astype(object),
        town, home,
    )  # fmt: skip


def _first_names(kin: Ints, man: NDArray[np.bool_], dice: Generator) -> Ints:
    first = np.zeros(len(kin), np.int64)
    for people_of in (0, 1):
        for sex in (False, True):
            mine = (kin == people_of) & (man == sex)
            names = FIRST.of[people_of, int(sex)]
            first[mine] = names[_zipf(len(names), int(mine.sum()), 0.6, dice)]
    return first


def _falling(count: int, steep: float) -> NDArray[np.float64]:
    weights = 1 / np.arange(1, count + 1) ** steep
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _zipf(values: int, count: int, steep: float, dice: Generator) -> Ints:
    return dice.choice(values, count, p=_falling(values, steep))


def _numbers(count: int, dice: Generator) -> Words:
    codes = np.array(["701", "702", "705", "707", "747", "771", "775", "776", "777", "778"])[
        dice.integers(0, 10, count)
    ]
    return (
        "+7" + codes.astype(object) + np.char.zfill(dice.integers(0, 10_000_000, count).astype(str), 7).astype(object)
    )


def _visits(records: int, persons: int, dice: Generator) -> tuple[Ints, Ints]:
    """Who is met where. Everyone at least once, and in the CRM at most once."""
    who = np.concatenate([np.arange(persons), dice.integers(0, persons, max(records - persons, 0))])[:records]
    dice.shuffle(who)
    system = dice.choice(len(SYSTEMS), records, p=[0.25, 0.25, 0.18, 0.15, 0.07, 0.1])
    again = pd.Series(who).where(system == 0).duplicated().to_numpy() & (system == 0)
    system[again] = dice.integers(1, len(SYSTEMS), int(again.sum()))
    return who, system


def _records(persons: _Persons, who: Ints, system: Ints, how: Difficulty, dice: Generator) -> pa.Table:
    count = len(who)

    def maybe(share: float | NDArray[np.float64]) -> NDArray[np.bool_]:
        return dice.random(count) < share

    by = {name: system == place for place, name in enumerate(SYSTEMS)}
    first, last = _written(persons, who, how, dice)
    first = np.where(by["market"] & maybe(0.2), _initials(first), first)
    swapped = by["crm"] & maybe(how.swapped)
    first, last = np.where(swapped, last, first), np.where(swapped, first, last)
    named = ~maybe(np.where(by["till"], 3 * how.nameless, how.nameless))
    structured = by["crm"] | by["letters"]
    whole = np.where(maybe(0.6), last + " " + first, first + " " + last)
    whole = np.where(by["courier"] & maybe(0.3), first, whole)
    nobody = by["till"] & ~named & maybe(0.3)

    masked = by["market"] & maybe(how.masked)
    phone = _phones(persons, who, how, maybe, dice)
    phone = np.where(masked, _numbers(count, dice), phone)
    shows_phone = ~maybe(np.where(by["letters"], 0.9, how.no_phone))
    shows_email = maybe(np.select([by["shop"], by["letters"], by["crm"]], [0.9, 1.0, 0.5], 0.05))
    shows_card = maybe(np.select([by["till"], by["crm"]], [0.6, 0.5], 0.02))
    account = by["market"] | (by["shop"] & maybe(0.8))
    text = np.full(count, None, object)
    columns = {
        "connection": SYSTEMS[system].astype(object),
        "external_id": np.arange(count).astype(str).astype(object),
        "name": np.where(nobody, "Клиент", np.where(named & ~structured, whole, text)),
        "first_name": np.where(named & structured, first, text),
        "last_name": np.where(named & structured & ~(by["letters"] & maybe(0.4)), last, text),
        "middle_name": text,
        "phones": _lists(phone, shows_phone),
        "emails": _lists(persons.email[who], shows_email),
        "loyalty_ids": _lists(persons.loyalty[who], shows_card),
        "account_id": np.where(account, "A" + who.astype(str).astype(object), text),
        "refs": _lists(text, np.zeros(count, bool)),
        "birth_date": np.where(
            maybe(np.select([by["crm"], by["shop"]], [0.7, 0.3], 0.1)), _births(persons, who, how, maybe, dice), text
        ),
        "city": np.where(maybe(0.5), CITIES[persons.city[who], dice.integers(0, 2, count)], text),
        "address": np.where(by["courier"] | maybe(0.1), persons.address[who], text),
        "masked": _lists(np.full(count, "phone", object), masked),
    }
    return pa.table({name: pa.array(columns[name], type=CUSTOMERS.field(name).type) for name in CUSTOMERS.names})


def _lists(values: Words, shown: NDArray[np.bool_]) -> pa.Array:
    """One value where it is shown, an empty list elsewhere."""
    offsets = np.concatenate([[0], np.cumsum(shown)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values[shown], pa.string()))


def _written(persons: _Persons, who: Ints, how: Difficulty, dice: Generator) -> tuple[Words, Words]:
    """First and last names in the script and the way of the day: 0 Russian, 1-4 Latin, 5 Kazakh."""
    count = len(who)
    roll = dice.random(count)
    way = np.where(roll < how.latin, dice.integers(1, 5, count), np.where(roll < how.latin + how.kazakh, 5, 0))
    first = WAYS.first[way, persons.first[who]]
    last = WAYS.last[way * 2 + np.where(persons.man[who], 0, 1), persons.surname[who]]
    short = (dice.random(count) < how.short) & (way == 0)
    first = np.where(short, WAYS.short[persons.first[who]], first)
    return _mistyped(first, how.typo, dice), _mistyped(last, how.typo, dice)


def _mistyped(words: Words, share: float, dice: Generator) -> Words:
    wrong = np.flatnonzero(dice.random(len(words)) < share)
    kinds, places, others = dice.integers(0, 4, len(wrong)), dice.random(len(wrong)), dice.integers(0, 20, len(wrong))
    words = words.copy()
    for row, kind, place, other in zip(wrong, kinds, places, others, strict=True):
        word = words[row]
        at = 1 + int(place * (len(word) - 2)) if len(word) > 3 else 0
        letter = "аеоинтсрлвкмдпубгзчй"[other] if word[-1] > "z" else "aeoinstrlvkmdpubgzch"[other]
        if at:
            words[row] = (
                word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            )[kind]  # fmt: skip
    return words


def _initials(words: Words) -> Words:
    return np.array([word[:1] + "." for word in words], object)


def _phones(persons: _Persons, who: Ints, how: Difficulty, maybe, dice: Generator) -> Words:  # type: ignore[no-untyped-def]
    """Mostly one's own; the family's, the one a stranger had before, a made-up one, the shop's, or a slip of a
    digit."""
    phone = np.where(maybe(how.borrowed), persons.phone[persons.head[who]], persons.phone[who])
    shops = _numbers(12, np.random.default_rng(len(who)))
    phone = np.where(maybe(how.shop_number), shops[dice.integers(0, 12, len(who))], phone)
    invented = np.array(["+77777777777", "+77011111111", "+77000000000", "+77071234567"], object)
    phone = np.where(maybe(how.placeholder), invented[dice.integers(0, 4, len(who))], phone)
    slip = maybe(how.wrong_phone)
    phone[slip] = [number[:-2] + f"{dice.integers(0, 100):02d}" for number in phone[slip]]
    return phone


def _births(persons: _Persons, who: Ints, how: Difficulty, maybe, dice: Generator) -> Words:  # type: ignore[no-untyped-def]
    births = persons.birth[who].copy()
    wrong = maybe(how.wrong_birth)
    births[wrong] += dice.integers(-400, 400, int(wrong.sum())).astype("timedelta64[D]")
    till = maybe(how.till_birth)
    births[till] = dice.choice(np.array(["1990-01-01", "2000-01-01", "1985-05-05"], "datetime64[D]"), int(till.sum()))
    return births.astype(str).astype(object)
