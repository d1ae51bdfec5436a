"""One version of the rules of identity: weights, thresholds, caps, limits. A change of any of them is a new version,
a full run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KEYS = ("phone", "email", "loyalty", "reference", "account", "name_birth", "name_address")
"""Kinds of identifiers that make pairs; `address` is kept beside them for households."""


@dataclass(frozen=True)
class Bits:
    """What a comparison adds, in bits: equal, a likely misspelling, a short or partial form, something else."""

    same: float
    close: float = 0.0
    partial: float = 0.0
    different: float = 0.0


@dataclass(frozen=True)
class Rarity:
    """Bits of a full name met again with the same date or flat: `-log2(E) - cost`, at most `most`.

    `room`: the number of dates or flats over which namesakes are spread.
    """

    room: float
    cost: float
    most: float


def _frozen(**values: int) -> Mapping[str, int]:
    return MappingProxyType(values)


@dataclass(frozen=True)
class RuleVersion:
    """The starting values of the design, section 2.3 and 2.4; relearn them yearly on reviewed pairs.

    `conflict`: the least weight that joins those who differ in birth date, first name, card, e-mail or account of one
    shop, whatever else their other records have in common.
    `caps`: a value on more records makes no pairs. `limits`: the most values of a kind in one person.
    `single`: connections in which a person has one card at most, such as a CRM.
    """

    name: str = "1"
    link: float = 6.0
    review: float = 3.0

    phone: float = 6.0
    email: float = 9.0
    loyalty: float = 9.0
    reference: float = 9.0
    account: float = 20.0
    first: Bits = Bits(3.5, close=2.5, partial=1.0, different=-7.0)
    last: Bits = Bits(3.0, close=2.5, partial=1.25, different=-2.5)
    birth: Bits = Bits(5.0, close=1.5, different=-4.5)
    city: Bits = Bits(0.7, different=-0.3)
    name_birth: Rarity = Rarity(room=22_000, cost=8.5, most=14.0)
    name_address: Rarity = Rarity(room=40_000, cost=3.5, most=9.0)
    alike: float = 0.90

    caps: Mapping[str, int] = field(
        default_factory=lambda: _frozen(
            phone=14, email=14, loyalty=14, reference=8, account=40, name_birth=10, name_address=10, address=14
        )
    )
    names_on_one_value: int = 5

    conflict: float = 9.0
    crowd: int = 40
    crowded: float = 12.0
    limits: Mapping[str, int] = field(default_factory=lambda: _frozen(phone=5, email=5, loyalty=3))
    single: frozenset[str] = frozenset()
    household: int = 8
