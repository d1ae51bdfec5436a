"""By what somebody who was erased is known again: hashes, of which nobody reads who it was."""

import pyarrow as pa

from mappings.identity.digests import KEYED, pads
from mappings.relations import unordered

WHO = pa.schema({"row": pa.int64(), "kind": pa.string(), "value": pa.string()})
"""What rows say of whom they are about. `kind`: record (value `<connection>\\x1f<external id>`) or contact (sealed)."""
MET = pa.schema({"row": pa.int64(), "since": pa.timestamp("us", "UTC")})

HASHED = f"""
select kind, value, {KEYED.format("value")} as hash from said where kind = 'record'
union all select kind, value, sha256(value) from said where kind = 'contact'
"""
# What stands in many rows is hashed once.
_MET = f"""
with said as materialized (select distinct kind, value from who where value <> ''),
erased as materialized (
  select kind, value, max(since) as since from ({HASHED}) join suppressed using (hash) group by all
)
select row, max(since) as since from who join erased using (kind, value) group by row order by row
"""


def known_again(who: pa.Table, suppressed: pa.Table, secret: bytes) -> pa.Table:
    """MET: the rows of WHO that are of somebody erased, and since when. `suppressed`: hash, since. `secret`: the key of
    digests."""
    return unordered(_MET, pads(secret), who=who, suppressed=suppressed).cast(MET)
