"""Digests that nobody can compute without the key."""

import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.identity.digests import DIGEST, KEYED, NUMBER, pads
from mappings.relations import select

KEY = bytes(range(32))


def digest(text, key=KEY):
    told = select(f"select {KEYED.format('v')} as whole, {DIGEST.format('v')} as number from t",
                  pads(key), t=pa.table({"v": pa.array([text], pa.string())}))  # fmt: skip
    return told["whole"][0].as_py(), told["number"][0].as_py()


@given(some.text(some.characters(exclude_characters="\0", codec="utf-8"), max_size=200), some.binary(max_size=64))
def test_the_sql_is_hmac_as_the_library_has_it(text, key):
    expected = hmac.digest(key, text.encode(), "sha256")
    assert digest(text, key) == (expected.hex(), int.from_bytes(expected[:8]) & (2**63 - 1))


def test_another_key_gives_another_digest_and_without_one_it_cannot_be_guessed():
    phone = "+77000000001"
    _, number = digest(phone)
    assert number != digest(phone, bytes(32))[1]
    plain = select(f"select {NUMBER.format('v')} as n from t", t=pa.table({"v": [phone]}))["n"][0].as_py()
    shas = {int.from_bytes(hashlib.new(name, phone.encode()).digest()[:8]) & (2**63 - 1) for name in ("md5", "sha256")}
    assert number not in {plain, *shas}


def test_nothing_has_no_digest():
    assert digest(None) == (None, None)


def test_a_key_that_a_block_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="at most 64 bytes"):
        pads(bytes(65))
