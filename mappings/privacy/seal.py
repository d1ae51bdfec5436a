"""Pseudonyms and seals. All of them come from one master key, each by a key of its own.

- `siv:…` (AES-SIV, RFC 5297) is the same for the same value of the same kind (phone, email, loyalty, account, name), in
  whatever table it stands: joins and unique checks still work;
- a *subject* is the hash of such a seal, so a keyed hash of the contact: it finds the contact again, outlives it, and
  tells it to nobody. The store can compute it from the seal, without any key;
- `gcm:…` (AES-GCM) is under a key of one record or one person, and names it: when that key is dropped, nobody opens it,
  not even in a backup, not even with the master key.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SIV, GCM = "siv:", "gcm:"
MASTER_BYTES = 32
NONCE_BYTES, NUMBER_BYTES = 12, 8
DATA_KEY_BYTES = 64
"""Of these 32 encrypt and 32 make nonces."""


class WrongKey(ValueError):
    """The value was sealed under another key, or as another kind."""


@dataclass(frozen=True)
class Keys:
    """What follows from a master key of at least 32 bytes."""

    statements: bytes = field(repr=False)
    digests: bytes = field(repr=False)
    contacts: AESSIV = field(repr=False)
    wrapping: AESGCM = field(repr=False)
    files: bytes = field(repr=False)

    @classmethod
    def of(cls, master: bytes) -> "Keys":
        if len(master) < MASTER_BYTES:
            raise ValueError(f"a master key has at least {MASTER_BYTES} bytes")
        return cls(
            _derived(master, b"keruen statement", 32),
            _derived(master, b"keruen digest", 32),
            AESSIV(_derived(master, b"keruen contact", 64)),
            AESGCM(_derived(master, b"keruen data key", 32)),
            _derived(master, b"keruen file", 32),
        )

    def of_file(self, salt: bytes) -> bytes:
        """The key of one sealed file, which carries its salt."""
        return _derived(self.files, salt, 32)

    def seal(self, value: str, kind: str) -> str:
        """`siv:…` of a value. What is empty, or sealed already, stays as it is."""
        if not value or value.startswith(SIV):
            return value
        return SIV + _text(self.contacts.encrypt(value.encode(), [kind.encode()]))

    def open(self, sealed: str, kind: str) -> str:
        """The clear value; one that was never sealed is clear. Raises WrongKey."""
        if not sealed.startswith(SIV):
            return sealed
        try:
            return self.contacts.decrypt(_bytes(sealed[len(SIV) :]), [kind.encode()]).decode()
        except InvalidTag:
            raise WrongKey(f"what should be a sealed {kind} was not sealed as one under this master key") from None

    def subject(self, kind: str, identifier: str) -> str:
        """The pseudonym of a phone, e-mail, loyalty id or account, clear or sealed: 256 bits as hex digits."""
        return hashlib.sha256(self.seal(identifier, kind).encode()).hexdigest()


@dataclass(frozen=True)
class DataKey:
    """The key under which what is personal of one record, or of one person, is sealed. `number`: how a seal names it.

    The nonce follows from the key and the value (as in AES-SIV): what did not change seals to the same text and is not
    written again, and the same value under another key is another text.
    """

    number: int
    cipher: AESGCM = field(repr=False)
    nonces: bytes = field(repr=False)

    @classmethod
    def of(cls, number: int, secret: bytes) -> "DataKey":
        """`secret`: DATA_KEY_BYTES random bytes."""
        return cls(number, AESGCM(secret[:32]), secret[32:])

    @classmethod
    def wrapped(cls, keys: Keys, number: int, secret: bytes, nonce: bytes) -> str:
        """What may be stored of a key; `nonce`: 12 random bytes."""
        return _text(nonce + keys.wrapping.encrypt(nonce, secret, _number(number)))

    @classmethod
    def unwrapped(cls, keys: Keys, number: int, stored: str) -> "DataKey":
        """Raises WrongKey where the master key, or the number, is another one."""
        whole = _bytes(stored)
        try:
            secret = keys.wrapping.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], _number(number))
        except InvalidTag:
            raise WrongKey(f"data key {number} was not wrapped by this master key") from None
        return cls.of(number, secret)

    def seal(self, value: str) -> str:
        """`gcm:…` of a value. What is empty, or sealed already, stays as it is."""
        if not value or value.startswith(GCM):
            return value
        clear = value.encode()
        nonce = hashlib.blake2b(clear, key=self.nonces, digest_size=NONCE_BYTES).digest()
        return GCM + _text(_number(self.number) + nonce + self.cipher.encrypt(nonce, clear, None))

    def open(self, sealed: str) -> str:
        """Raises WrongKey."""
        if not sealed.startswith(GCM):
            return sealed
        whole = _bytes(sealed[len(GCM) :])[NUMBER_BYTES:]
        try:
            return self.cipher.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], None).decode()
        except InvalidTag:
            raise WrongKey(f"a value was not sealed under data key {self.number}") from None


def key_of(sealed: str) -> int:
    """The number of the key under which a `gcm:…` lies."""
    return int.from_bytes(_bytes(sealed[len(GCM) : len(GCM) + 12])[:NUMBER_BYTES])


def _number(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES)


def _derived(master: bytes, purpose: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, purpose).derive(master)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
