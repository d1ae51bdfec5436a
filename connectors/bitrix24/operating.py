"""The budget of working time: each method may work so many seconds in ten minutes, whoever asks (contract 3.2).

The portal tells with every answer how much a method has used. Above 70 % each use is followed by a rest that grows to
a minute, which is when the oldest of the portal's ten baskets falls away. Only that method rests: others go on.
"""

from typing import Any

EASY = 0.7
"""Share of the budget that may be used without slowing down."""
BASKET = 60.0
"""Seconds."""


def lane(method: str) -> str:
    """Under what name a method's rest is kept; methods are written in any case."""
    return method.lower()


def rest(time: Any, budget: float) -> float:
    """Seconds that a method has to rest after an answer with this `time`; 0 where a box tells no `operating`."""
    used = time.get("operating") if isinstance(time, dict) else None
    if isinstance(used, bool) or not isinstance(used, int | float):
        return 0.0
    over = (used / budget - EASY) / (1 - EASY)
    return BASKET * min(1.0, over) if over > 0 else 0.0


def blocked(said: Any, now: float) -> float | None:
    """Seconds until a method that used up its time works again, as its refusal says; None where it does not."""
    time = said.get("time") if isinstance(said, dict) else None
    until = time.get("operating_reset_at") if isinstance(time, dict) else None
    if isinstance(until, bool) or not isinstance(until, int | float):
        return None
    return max(0.0, until - now)
