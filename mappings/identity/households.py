"""Persons who share a phone, an e-mail or an address without being one person."""

import pyarrow as pa

from mappings.identity.rules import RuleVersion
from mappings.relations import unordered

TOGETHER = ("phone", "email", "address")
"""Kinds of identifiers that people who live together share."""
SHARED = pa.schema({"person_id": pa.string(), "kind": pa.string(), "value": pa.int64()})
HOUSEHOLDS = pa.schema({"person_id": pa.string(), "household": pa.string()})
"""`household`: the first of its person ids, a name for the group only; `ids.identify` gives it an id that lasts."""


def shared_values(membership: pa.Table, identifiers: pa.Table, stats: pa.Table) -> pa.Table:
    """SHARED: who holds which value of several people. Values that became common join nobody."""
    return unordered(
        """
        select distinct person_id, kind, value from identifiers join membership using (record) join stats using (kind,
          value)
        where kind in ('phone', 'email', 'address') and status in ('ok', 'shared')
        """,
        membership=membership,
        identifiers=identifiers,
        stats=stats,
    ).cast(SHARED)


def households(shared: pa.Table, rules: RuleVersion) -> pa.Table:
    """HOUSEHOLDS of two persons and more. A value that would make one larger than the limit is passed over.

    Values of few persons join first: a flat is a family sooner than an office number is.
    """
    groups = unordered(
        """
        select list(person_id order by person_id) as persons from shared group by kind, value having count(*) > 1
        order by count(*), kind, value
        """,
        shared=shared,
    )["persons"].to_pylist()
    home: dict[str, list[str]] = {}
    for persons in groups:
        joined = sorted({member for person in persons for member in home.get(person, [person])})
        if len(joined) <= rules.household:
            home.update(dict.fromkeys(joined, joined))
    rows = sorted((person, joined[0]) for person, joined in home.items())
    return pa.table([[row[0] for row in rows], [row[1] for row in rows]], schema=HOUSEHOLDS)
