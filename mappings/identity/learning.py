"""What is usual in a base, counted once per rule version."""

from datetime import date

import pyarrow as pa

from mappings.identity.normalise import RECORD, read_features
from mappings.identity.population import DATES, NAMES, Population
from mappings.relations import unordered

SAMPLE = 400_000
"""Shares of names settle long before this many records."""


def learn(customers: pa.Table, as_of: date, persons: int | None = None) -> Population:
    """The population of a base of CUSTOMERS rows. `persons`: how many people it is; records are counted where nobody
    knows.

    Systems that keep first and last names apart teach which word is which; with that the others are read and counted.
    """
    size = persons or max(customers.num_rows, 1)
    sample = _sample(customers)
    apart = unordered("select * from sample where trim(first_name) <> '' and trim(last_name) <> ''", sample=sample)
    roles = Population(as_of, size, _names(read_features(apart, Population(as_of, size))))
    features = read_features(sample, roles)
    return Population(as_of, size, _names(features), _invented(features))


def _sample(customers: pa.Table) -> pa.Table:
    """The same records for the same base, whatever their order."""
    share = min(1.0, SAMPLE / max(customers.num_rows, 1))
    return unordered(f"select * from customers where {RECORD} % 1000000 < {share * 1e6:.0f}", customers=customers)


def _names(features: pa.Table) -> pa.Table:
    return unordered(
        """
        select key, sum(f)::bigint as as_first, sum(l)::bigint as as_last from (
          select first as key, 1 as f, 0 as l from features where length(first) > 1
          union all select last, 0, 1 from features where length(last) > 1
        ) group by key
        """,
        features=features,
    ).cast(NAMES)


def _invented(features: pa.Table) -> pa.Table:
    """Dates on at least 20 records and on 5 times as many as the days around them: tills make them up."""
    return unordered(
        """
        with days as (select birth, count(*) as records from features where birth is not null group by birth),
             beside as (select d.birth, d.records, sum(n.records) - d.records as others
                        from days d join days n on n.birth between d.birth - 15 and d.birth + 15 group by 1, 2)
        select birth from beside where records >= 20 and records > 5 * greatest(others / 30, 1)
        """,
        features=features,
    ).cast(DATES)
