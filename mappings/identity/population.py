"""What is usual in the base: how common names are, which dates are made up. Frozen and dated, a part of the rule version."""

from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from mappings.identity.engine import query

NAMES = pa.schema({"key": pa.string(), "as_first": pa.int64(), "as_last": pa.int64()})
DATES = pa.schema({"birth": pa.date32()})

ESTABLISHED = 5e-4
"""Share from which a first name is a name of its own and not somebody's misspelling of another."""


@dataclass(frozen=True)
class Population:
    """`names`: how often a key stood as a first and as a last name. `dates`: birthdays that tills invent.

    `persons` and the shares give the expected number of namesakes. All of it is taken once and kept with its date: were it
    to move with every record, today's weights could not be compared with yesterday's.
    """

    as_of: date
    persons: int
    names: pa.Table = field(default_factory=NAMES.empty_table, repr=False)
    dates: pa.Table = field(default_factory=DATES.empty_table, repr=False)


def learn(features: pa.Table, as_of: date, persons: int | None = None) -> Population:
    """The population as the cleaned records show it. `persons`: an estimate, or else as many as there are records.

    A date is invented when it stands on far more records than the days around it: at least 20, and 5 times the most usual.
    """
    names = query(
        """
        select key, sum(f)::bigint as as_first, sum(l)::bigint as as_last from (
          select first as key, 1 as f, 0 as l from features where length(first) > 1
          union all select last, 0, 1 from features where length(last) > 1
        ) group by key
        """,
        features=features,
    )
    dates = query(
        """
        with days as (select birth, count(*) as records from features where birth is not null group by birth),
             beside as (select d.birth, d.records, sum(n.records) - d.records as others
                        from days d join days n on n.birth between d.birth - 15 and d.birth + 15 group by 1, 2)
        select birth from beside where records >= 20 and records > 5 * greatest(others / 30, 1)
        """,
        features=features,
    )
    return Population(as_of, persons or max(features.num_rows, 1), names.cast(NAMES), dates.cast(DATES))
