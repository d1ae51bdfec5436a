"""What is usual in the base: how common names are, which dates are made up. Frozen and dated, a part of the rule
version."""

from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

NAMES = pa.schema({"key": pa.string(), "as_first": pa.int64(), "as_last": pa.int64()})
DATES = pa.schema({"birth": pa.date32()})

PLACEHOLDER_DATE = """(year({0}) <= 1900 or {0} > $today or month({0}) = 1 and day({0}) = 1
  or {0} in (select birth from dates))"""
"""SQL of a birthday that was typed where none was known; `dates`: those that tills invent. `today`: who is born later
is nobody yet."""

ESTABLISHED = 5e-4
"""Share from which a first name is a name of its own and not somebody's misspelling of another."""


@dataclass(frozen=True)
class Population:
    """`names`: how often a key stood as a first and as a last name. `dates`: birthdays that tills invent.

    `persons` and the shares give the expected number of namesakes. All of it is taken once and kept with its date:
    were it
    to move with every record, today's weights could not be compared with yesterday's.
    """

    as_of: date
    persons: int
    names: pa.Table = field(default_factory=NAMES.empty_table, repr=False)
    dates: pa.Table = field(default_factory=DATES.empty_table, repr=False)
