"""A sealed file gives back what went in, or says that it cannot; nothing in between."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.privacy import stream
from mappings.privacy.seal import Keys, WrongKey

KEYS, OTHER = Keys.of(b"k" * 32), Keys.of(b"o" * 32)
BLOCK = 8
"""As small as a test likes it."""


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "BLOCK", BLOCK)
        yield


def sealed(clear: bytes, salt: bytes = b"s" * stream.SALT) -> bytes:
    return b"".join(stream.sealed(KEYS, salt, [clear[at : at + BLOCK] for at in range(0, len(clear), BLOCK)]))


def opened(keys: Keys, file: bytes) -> bytes:
    return b"".join(stream.opened(keys, io.BytesIO(file)))


@given(some.binary(max_size=5 * BLOCK))
def test_what_is_sealed_opens_to_the_same_bytes(clear):
    assert opened(KEYS, sealed(clear)) == clear


@given(some.binary(max_size=5 * BLOCK), some.data())
def test_a_file_that_was_touched_does_not_open(clear, dice):
    file = bytearray(sealed(clear))
    file[dice.draw(some.integers(0, len(file) - 1))] ^= 1
    with pytest.raises(WrongKey):
        opened(KEYS, bytes(file))


@given(some.binary(max_size=5 * BLOCK), some.data())
def test_a_file_that_was_cut_does_not_open(clear, dice):
    file = sealed(clear)
    with pytest.raises(WrongKey):
        opened(KEYS, file[: dice.draw(some.integers(0, len(file) - 1))])


def test_blocks_in_another_order_do_not_open():
    file = sealed(b"12345678" * 2 + b"x")
    head, size = 20, BLOCK + 16
    first, second, last = file[head : head + size], file[head + size : head + 2 * size], file[head + 2 * size :]
    with pytest.raises(WrongKey):
        opened(KEYS, file[:head] + second + first + last)


def test_another_master_key_opens_nothing():
    with pytest.raises(WrongKey):
        opened(OTHER, sealed(b"a line\n"))
