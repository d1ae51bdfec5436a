"""Python's search for cycles among objects, asked to come seldom while rows flow by the hundred thousand."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (100_000, 50, 100)


@contextmanager
def seldom() -> Iterator[None]:
    """For loops whose records come and go in pages and hold no cycles.

    By default every 700 new objects start a search, which now and then walks through all that was ever imported:
    parsing pages of JSON then takes three times as long.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
