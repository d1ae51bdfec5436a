"""Pseudonyms and seals. All of them come from one master key, each by a key of its own.

- `siv:…` (AES-SIV, RFC 5297) is the same for the same value of the same kind (phone, email, loyalty, account), in
  whatever table it stands: joins and unique checks still work;
- a *subject* is the hash of such a seal, so a keyed hash of the contact: it finds the contact again, outlives it, and
  tells it to nobody. The store can compute it from the seal, without any key;
- `gcm:…` (AES-GCM) differs every time and is under a key of the person: when that key is dropped, nobody opens it, not
  even in a backup.
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
NONCE_BYTES = 12


class WrongKey(ValueError):
    """The value was sealed under another key, or as another kind."""


@dataclass(frozen=True)
class Keys:
    """What follows from a master key of at least 32 bytes."""

    statements: bytes = field(repr=False)
    digests: bytes = field(repr=False)
    contacts: AESSIV = field(repr=False)
    persons: AESGCM = field(repr=False)

    @classmethod
    def of(cls, master: bytes) -> "Keys":
        if len(master) < MASTER_BYTES:
            raise ValueError(f"a master key has at least {MASTER_BYTES} bytes")
        return cls(
            _derived(master, b"keruen statement", 32),
            _derived(master, b"keruen digest", 32),
            AESSIV(_derived(master, b"keruen contact", 64)),
            AESGCM(_derived(master, b"keruen person", 32)),
        )

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
class PersonKey:
    """The key under which one person's free text is sealed."""

    cipher: AESGCM = field(repr=False)

    @classmethod
    def wrapped(cls, keys: Keys, nonce: bytes, fresh: bytes) -> tuple["PersonKey", str]:
        """A key of 32 `fresh` random bytes, and what may be stored of it."""
        return cls(AESGCM(fresh)), _text(nonce + keys.persons.encrypt(nonce, fresh, None))

    @classmethod
    def unwrapped(cls, keys: Keys, stored: str) -> "PersonKey":
        """Raises WrongKey where the master key is another one."""
        whole = _bytes(stored)
        try:
            return cls(AESGCM(keys.persons.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], None)))
        except InvalidTag:
            raise WrongKey("a person's key was not wrapped by this master key") from None

    def seal(self, value: str, column: str, nonce: bytes) -> str:
        """`gcm:…`; `nonce`: 12 random bytes that were never used before."""
        return GCM + _text(nonce + self.cipher.encrypt(nonce, value.encode(), column.encode()))

    def open(self, sealed: str, column: str) -> str:
        """Raises WrongKey."""
        if not sealed.startswith(GCM):
            return sealed
        whole = _bytes(sealed[len(GCM) :])
        try:
            return self.cipher.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], column.encode()).decode()
        except InvalidTag:
            raise WrongKey(f"a value of {column} was not sealed under this person's key") from None


def _derived(master: bytes, purpose: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, purpose).derive(master)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
