"""One line of the report."""

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Row:
    """What was measured, in the unit in which the goal is stated; the peer's figure from the same run, if there is one.

    `ratio`: measured / peer. `goal`: in words; `holds`: whether it was met. `seed`: of the invented data.
    """

    name: str
    measured: float
    unit: str
    goal: str
    holds: bool
    peer: str | None = None
    peer_measured: float | None = None
    seed: int | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.measured / self.peer_measured if self.peer_measured else None


def rows_of(module: str) -> list[Row]:
    """What a bench measures. It stands here because a spawned process does not find the names of `__main__`."""
    return list(import_module(module).rows())
