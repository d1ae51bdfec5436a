"""Python's search for cycles among objects, asked to come seldom while rows flow by the hundred thousand."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

USUAL = gc.get_threshold()
SELDOM = (100_000, 50, 100)
_busy: set[int] = set()
_numbers = count()


@contextmanager
def seldom() -> Iterator[None]:
    """For loops whose records come and go in pages and hold no cycles.

    By default every 700 new objects start a search, which now and then walks through all that was ever imported:
    parsing pages of JSON then takes three times as long. Of several threads inside, the last one to leave restores it.
    """
    mine = next(_numbers)
    _busy.add(mine)
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        _busy.discard(mine)
        if not _busy:
            gc.set_threshold(*USUAL)
