"""Whether a plan may go as a whole, or waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

FEW = 5
"""So many changes are never a mass mistake, however small the shop."""


@dataclass(frozen=True)
class Circumstances:
    """What a plan is made under.

    `changed`: rows that would go and replace a value that the channel shows; `shown`: all rows that it shows.
    `stale`: inputs that were not read in time. `first`: nothing of this kind was ever released, and the merchant wants
    to see the first plan. `approve`: every plan waits for approval.
    """

    changed: int
    shown: int
    share: float | None
    stale: Sequence[str] = ()
    first: bool = False
    approve: bool = False


def held(plan: Circumstances) -> str | None:
    """Why the whole plan waits, None where it may go."""
    if plan.first:
        return "first sync"
    if plan.stale:
        return f"stale: {', '.join(plan.stale)} not read in time"
    if is_mass(plan.changed, plan.shown, plan.share):
        return f"share: {plan.changed} of {plan.shown} change at once, the guard allows {plan.share:.0%}"
    return "approval required" if plan.approve else None


def is_mass(rows: int, shown: int, share: float | None) -> bool:
    """Whether so many rows at once look like a mistake."""
    return share is not None and rows > FEW and rows > share * shown


def enough_shown(rows: int, share: float | None) -> int:
    """How many shown rows suffice to clear `rows` changes of suspicion: nobody need count further."""
    return ceil(rows / share) if share and rows > FEW else 0
