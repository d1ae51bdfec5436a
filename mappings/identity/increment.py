"""What a change touches, so that its cost follows the change and not the base.

The store selects frames by keys, these functions say by which, in this order:

1. changed records → `affected_keys` of their old and new identifiers → their holders (the cap of a kind and one more
are
   enough), those holders' features → `blocking.statistics`;
2. `flipped` statuses → `to_score`: the changed records and all holders of a value that became or ceased to be a key;
3. all holders of their keys → `blocking.pairs(…, changed)` → `scoring.edges`, in place of all their old edges;
4. `seeds` → everything that links, old or new, connect with them → `clusters.cluster` → `ids.identify`.
"""

import pyarrow as pa

from mappings.relations import unordered

KEY = pa.schema({"kind": pa.string(), "value": pa.int64()})
RECORDS = pa.schema({"record": pa.int64()})


def affected_keys(changed: pa.Table, before: pa.Table, after: pa.Table) -> pa.Table:
    """KEYs whose statistics may have moved: all that the changed records held or hold, and what refers to them."""
    return unordered(
        """
        select kind, value from before union select kind, value from after
        union select 'reference', record from changed
        """,
        changed=changed,
        before=before,
        after=after,
    ).cast(KEY)


def flipped(before: pa.Table, after: pa.Table) -> pa.Table:
    """KEYs of which the status is another than it was; one nobody knew counts as `ok`."""
    return unordered(
        """
        select kind, value from before b full join after a using (kind, value)
        where coalesce(b.status, 'ok') <> coalesce(a.status, 'ok')
        """,
        before=before,
        after=after,
    ).cast(KEY)


def to_score(changed: pa.Table, flipped: pa.Table, holders: pa.Table) -> pa.Table:
    """RECORDS whose edges are made anew: this is what parts those whom a placeholder had joined."""
    return unordered(
        "select record from changed union select record from holders join flipped using (kind, value)",
        changed=changed,
        flipped=flipped,
        holders=holders,
    ).cast(RECORDS)


def beside(before: pa.Table, after: pa.Table, holders: pa.Table) -> pa.Table:
    """RECORDS of all who hold a key that a changed record took or gave up: they may live with others now."""
    return unordered(
        """
        with moved as ((from before except from after) union (from after except from before))
        select distinct record from holders semi join moved using (kind, value)
        """,
        before=before,
        after=after,
        holders=holders,
    ).cast(RECORDS)


def seeds(scored: pa.Table, old_edges: pa.Table, verdicts: pa.Table) -> pa.Table:
    """RECORDS from which to walk along the links. `old_edges`: all that the scored had; `verdicts`: overrides new or
    gone."""
    return unordered(
        """
        select record from scored
        union select unnest([a, b]) from old_edges
        union select unnest([a, b]) from verdicts
        """,
        scored=scored,
        old_edges=old_edges,
        verdicts=verdicts,
    ).cast(RECORDS)
