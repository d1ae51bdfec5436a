"""By what somebody who was erased is known again: hashes, of which nobody reads who it was."""

import pyarrow as pa

from mappings.identity.contacts import PLACEHOLDER_BOXES, email_key
from mappings.identity.digests import DIGEST, KEYED, pads
from mappings.relations import unordered

WHO = pa.schema({"row": pa.int64(), "kind": pa.string(), "value": pa.string()})
"""What rows say of whom they are about. `kind`: record (value `<connection>\\x1f<external id>`), contact (sealed), and
what identity has keys of, in clear text: email, loyalty, account (`<connection>\\x1f<account>`)."""
MET = pa.schema({"row": pa.int64(), "since": pa.timestamp("us", "UTC")})
KEYS = pa.schema({"kind": pa.string(), "value": pa.int64()})
"""As `mappings.identity.normalise.IDENTIFIERS`: the digest that identity has of a mailbox, a card or an account."""

OF_IDENTITY = ("email", "loyalty", "account")

_KEYS = f"""
select kind, value, {email_key("lower(trim(value))")} as key from said where kind = 'email'
union all select kind, value, upper(trim(value)) from said where kind = 'loyalty'
union all select kind, value, value from said where kind = 'account'
"""
_DIGESTS = f"""
select kind, value, {DIGEST.format("key")} as digest from ({_KEYS})
where key <> '' and not (kind = 'email' and split_part(key, '@', 1) in (select unnest($boxes)))
"""
_HASHED = f"""
select kind, value, {KEYED.format("value")} as hash from said where kind = 'record'
union all select kind, value, sha256(value) from said where kind = 'contact'
union all select kind, value, {KEYED.format("chr(31) || kind || chr(31) || digest")} from ({_DIGESTS})
"""
# What stands in many rows is hashed once.
_MET = f"""
with said as materialized (select distinct kind, value from who where value <> ''),
erased as materialized (
  select kind, value, max(since) as since from ({_HASHED}) join suppressed using (hash) group by all
)
select row, max(since) as since from who join erased using (kind, value) group by row order by row
"""


def known_again(who: pa.Table, suppressed: pa.Table, secret: bytes) -> pa.Table:
    """MET: the rows of WHO that are of somebody erased, and since when. `suppressed`: hash, since. `secret`: the key of
    digests."""
    return unordered(_MET, _parameters(secret), who=who, suppressed=suppressed).cast(MET)


def keys_of(said: pa.Table, secret: bytes) -> pa.Table:
    """KEYS of WHO rows. What can be nobody's key gives none."""
    return unordered(f"select distinct kind, digest as value from ({_DIGESTS})", _parameters(secret), said=said).cast(
        KEYS
    )


def _parameters(secret: bytes) -> dict[str, object]:
    return {**pads(secret), "boxes": sorted(PLACEHOLDER_BOXES)}
