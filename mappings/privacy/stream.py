"""Files of any size sealed block by block: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway and
Vizár, CRYPTO 2015). Each file has a key of its own, and no block can be changed, moved, left out or cut off unseen.

A sealed file is MAGIC, a random salt, and the blocks, each with its tag. A block's nonce is its number and whether it
is the last.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mappings.privacy.seal import Keys, WrongKey

MAGIC = b"KRN1"
BLOCK = 1 << 20
"""Bytes of a block in clear; only the last may be shorter."""
SALT, _TAG = 16, 16


def sealed(keys: Keys, salt: bytes, clear: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a sealed file. `salt`: SALT random bytes, never used twice. `clear`: blocks of BLOCK bytes, the last
    of any length; none for an empty file."""
    cipher = AESGCM(keys.of_file(salt))
    yield MAGIC + salt
    blocks = iter(clear)
    block = next(blocks, b"")
    for number in count():
        following = next(blocks, None)
        yield cipher.encrypt(_nonce(number, following is None), block, None)
        if following is None:
            return
        block = following


def is_sealed(file: IO[bytes]) -> bool:
    """Whether a file that is read from its beginning is one of these; what lies there in clear begins otherwise."""
    return file.read(len(MAGIC)) == MAGIC


def opened(keys: Keys, file: IO[bytes]) -> Iterator[bytes]:
    """The clear blocks of a sealed file, each once it is proven. Raises WrongKey, also for a file that was touched."""
    if not is_sealed(file):
        raise WrongKey("the file is not a sealed one")
    cipher = AESGCM(keys.of_file(file.read(SALT)))
    block = file.read(BLOCK + _TAG)
    for number in count():
        following = file.read(BLOCK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, not following), block, None)
        except InvalidTag:
            raise WrongKey("the file was sealed under another master key, or it was cut or changed since") from None
        if not following:
            return
        block = following


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
