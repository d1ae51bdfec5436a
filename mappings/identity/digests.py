"""Digests in SQL: of what tells a person under a key, so that nobody finds a phone again by trying all of them.

`KEYED` and `DIGEST` are HMAC-SHA-256 (RFC 2104) of a text; the query takes the parameters that `pads` gives. Written in
SQL, since a base has tens of millions of such values: 0.6 µs each more than md5, on one core.
"""

BLOCK = 64
"""Bytes that SHA-256 takes at a time."""

KEYED = "sha256($outer || unhex(sha256($inner || encode({}))))"
"""256 bits as hex digits."""
DIGEST = f"(('0x' || left({KEYED}, 16))::ubigint & 9223372036854775807)::bigint"
"""63 bits as a number."""
NUMBER = "(md5_number_lower({}) & 9223372036854775807)::bigint"
"""A number, without a key, for what stands beside it in clear: systems' ids of records, ids of persons."""


def pads(secret: bytes) -> dict[str, bytes]:
    """The parameters `inner` and `outer` of a query with keyed digests. Raises ValueError where the key is too long."""
    if len(secret) > BLOCK:
        raise ValueError(f"the key of digests has at most {BLOCK} bytes")
    whole = secret.ljust(BLOCK, b"\0")
    return {"inner": bytes(one ^ 0x36 for one in whole), "outer": bytes(one ^ 0x5C for one in whole)}
