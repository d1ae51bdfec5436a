"""Contacts sealed and opened, on one core."""

import time
from collections.abc import Iterator

from dagster_project.bench.row import Row
from mappings.privacy.seal import Keys

NAMES = ("seal",)
MILLION = 1_000_000
GOAL = 15.0


def rows() -> Iterator[Row]:
    keys = Keys.of(bytes(range(32)))
    phones = [f"+7700{number:07}" for number in range(MILLION)]
    began = time.perf_counter()
    for phone in phones:
        keys.seal(phone, "phone")
    took = time.perf_counter() - began
    yield Row("seal", took, "s", "1 M AES-SIV operations below 15 s on one core", took < GOAL)
