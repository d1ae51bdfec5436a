"""The budget of working time: each method may work so many seconds in ten minutes, whoever asks (contract 3.2).

The portal tells with every answer how much a method has used, and when some of that is forgiven. Above 70 % what is
left is spread evenly until then. Only that method rests: others go on.
"""

from typing import Any

EASY = 0.7
"""Share of the budget that may be used without slowing down."""
WINDOW = 600.0
"""Seconds."""


def lane(method: str) -> str:
    """Under what name a method's rest is kept; methods are written in any case."""
    return method.lower()


def rest(time: Any, budget: float) -> float:
    """Seconds that a method has to rest after an answer with this `time`; 0 where a box tells no `operating`."""
    used, spent, finish = (_number(time, name) for name in ("operating", "duration", "finish"))
    if used is None or used <= budget * EASY:
        return 0.0
    until = WINDOW if finish is None else blocked({"time": time}, finish)
    until, left = WINDOW if until is None else until, budget - used
    return min(until, until * (spent or 0.0) / left) if left > 0 else until


def blocked(said: Any, now: float) -> float | None:
    """Seconds until a method that used up its time works again, as its refusal says; None where it does not."""
    until = _number(said.get("time"), "operating_reset_at")
    return None if until is None else max(0.0, until - now)


def _number(time: Any, name: str) -> float | None:
    value = time.get(name) if isinstance(time, dict) else None
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
