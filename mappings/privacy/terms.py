"""What the laws ask for, as data. Defaults to be confirmed by the owner's lawyer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


@dataclass(frozen=True)
class Terms:
    """`erasure`: from the demand until it must be done. `breach`: until the authority must know. `home`: countries
    where personal data may lie without a recorded basis for the transfer. `accounting`: how long the law wants an
    order's buyer to be known."""

    law: str
    erasure: timedelta
    breach: timedelta
    home: frozenset[str]
    accounting: timedelta = timedelta(days=5 * 365)

    def kept(self, stated: Mapping[str, timedelta]) -> dict[str, timedelta]:
        """Class of data → how long it is kept: as the owner states, else as is usual for its purpose."""
        return {**{name: purpose.term for name, purpose in PURPOSES.items()}, "buyers": self.accounting, **stated}

    def due(self, received_at: datetime) -> datetime:
        return received_at + self.erasure


class Purpose(NamedTuple):
    """What data are kept for, and for how long where neither law nor owner says."""

    words: str
    term: timedelta


PURPOSES: Mapping[str, Purpose] = {
    "raw": Purpose("evidence: what a system said of people before it said something newer", timedelta(days=90)),
    "marketing": Purpose("marketing: letters, ads, page views", timedelta(days=2 * 365)),
    "service": Purpose("service: calls, messages, visits, answers", timedelta(days=3 * 365)),
    "carts": Purpose("marketing: what somebody meant to buy", timedelta(days=180)),
    "buyers": Purpose("accounting: name, contacts and address of an order's buyer", timedelta(days=5 * 365)),
    "quarantine": Purpose("evidence: records set aside and dealt with", timedelta(days=90)),
    "access": Purpose("evidence: who looked at whom", timedelta(days=3 * 365)),
    "erasures": Purpose("evidence: demands to be forgotten, with their proof", timedelta(days=3 * 365)),
}
"""Classes of data that end by themselves. What somebody said of consent is not among them: as long as it is acted on,
or was, it must be shown."""

_EEA = frozenset(
    {
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU",
        "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO",
    }
)  # fmt: skip
PROFILES: Mapping[str, Terms] = {
    "kz": Terms("94-V (art. 8, 12, 18, 24, 25)", timedelta(days=15), timedelta(days=1), frozenset({"KZ"})),
    "ru": Terms("152-FZ", timedelta(days=30), timedelta(hours=24), frozenset({"RU"})),
    "eu": Terms(
        "GDPR (art. 6, 7, 17, 30, 32, ch. V)", timedelta(days=30), timedelta(hours=72), _EEA, timedelta(days=10 * 365)
    ),
}


def transfer_problem(profile: str, country: str | None, basis: str | None) -> str | None:
    """Why personal data may not go to `country`; None where they may. Raises KeyError for an unknown profile."""
    terms = PROFILES[profile]
    if basis or (country or "").upper() in terms.home:
        return None
    at_home = ", ".join(sorted(terms.home)) if len(terms.home) < 4 else "the EEA"
    where = f"in {country.upper()}" if country else "in a country that nobody named"
    return f"it lies {where}, and under profile {profile} personal data stay in {at_home} unless a basis is recorded"
