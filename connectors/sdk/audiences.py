"""How people are named to ad platforms: normalised, then hashed (contract messengers-and-audiences, B).

All take SHA-256 of a trimmed, lower-cased e-mail. They differ in how a phone is written before it is hashed, and in
what they make of letters outside Latin. Whoever has nothing to hash has no hash: never that of an empty text.
"""

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from mappings.tables import convert

_DIGITS = re.compile(r"\D")


@dataclass(frozen=True)
class HashRules:
    """One platform's way. `plus`: phones as E.164 with the sign, else digits alone. `latin`: e-mails in Latin only.

    `punctuation`: names keep theirs.
    """

    plus: bool = False
    latin: bool = False
    punctuation: bool = True

    def email(self, address: str | None) -> str | None:
        """Dots and +tags stay. None where it is no address the platform takes."""
        found = convert.email(address or "")
        return hashed(found) if found and (found.isascii() or not self.latin) else None

    def phone(self, number: str | None) -> str | None:
        """However it is written: `8 (700) 000-00-01` is +7 700 000 00 01."""
        found = convert.phone(number or "")
        return hashed(found if self.plus else _DIGITS.sub("", found).lstrip("0")) if found else None

    def name(self, text: str | None) -> str | None:
        """A first or a last name, in its own script."""
        found = unicodedata.normalize("NFC", text or "").strip().lower()
        if not self.punctuation:
            found = "".join(sign for sign in found if not unicodedata.category(sign).startswith("P")).strip()
        return hashed(found) if found else None


def hashed(text: str) -> str:
    """SHA-256 of the text in UTF-8, hexadecimal, lower case."""
    return sha256(text.encode()).hexdigest()


META = HashRules(punctuation=False)
GOOGLE = HashRules(plus=True)
YANDEX = HashRules(latin=True)
