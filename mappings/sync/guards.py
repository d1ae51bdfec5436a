"""What guards of any value share: each names the rows that it holds."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Words = NDArray[np.object_]


def leaps(was: Floats, becomes: Floats, step: float | None, rounded: float = 0) -> Mask:
    """Whether a value becomes at least `step` times what it was, or at most its `step`th part. Not from or to zero.

    `rounded`: both are multiples of it, and may have been half of it more or less: with one digit too many a price of
    19,425 shown as 19,430 becomes 194,250, which is ten times as much all the same.
    """
    if step is None:
        return np.zeros(len(becomes), dtype=np.bool_)
    comparable, off = (was > 0) & (becomes > 0), rounded / 2
    return np.asarray(comparable & ((becomes + off >= (was - off) * step) | ((becomes - off) * step <= was + off)))


def first_of(guards: dict[str, Mask]) -> Words:
    """The name of the first guard that applies to each row, None where none does."""
    names: Words = np.array([*guards, None], dtype=object)
    held = np.column_stack([*guards.values(), np.ones(len(next(iter(guards.values()))), dtype=bool)])
    picked: Words = names[held.argmax(axis=1)]
    return picked
