"""The two ends of a mapping: a record, or a record set aside with a reason. Never half of one, never an exception."""

from dataclasses import dataclass

from mappings.canonical.base import Canonical


@dataclass(frozen=True)
class Mapped:
    """`records` is empty where the payload has nothing to say of the entity (a draft, a folder, a service).

    `flags`: what is worth knowing of a record that is good all the same: `clock_change`.
    """

    records: tuple[Canonical, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quarantined:
    """`rule` is a stable name to count by; `reason` is for the person who mends it and holds no personal data."""

    rule: str
    reason: str


Result = Mapped | Quarantined
