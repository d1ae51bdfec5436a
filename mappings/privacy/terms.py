"""What the laws ask for, as data. Defaults to be confirmed by the owner's lawyer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Terms:
    """`erasure`: from the demand until it must be done. `breach`: until the authority must know. `home`: countries
    where personal data may lie without a recorded basis for the transfer."""

    law: str
    erasure: timedelta
    breach: timedelta
    home: frozenset[str]

    def due(self, received_at: datetime) -> datetime:
        return received_at + self.erasure


_EEA = frozenset(
    {
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU",
        "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO",
    }
)  # fmt: skip
PROFILES: Mapping[str, Terms] = {
    "kz": Terms("94-V (art. 8, 12, 18, 24, 25)", timedelta(days=15), timedelta(days=1), frozenset({"KZ"})),
    "ru": Terms("152-FZ", timedelta(days=30), timedelta(hours=24), frozenset({"RU"})),
    "eu": Terms("GDPR (art. 6, 7, 17, 30, 32, ch. V)", timedelta(days=30), timedelta(hours=72), _EEA),
}


def transfer_problem(profile: str, country: str | None, basis: str | None) -> str | None:
    """Why personal data may not go to `country`; None where they may. Raises KeyError for an unknown profile."""
    terms = PROFILES[profile]
    if basis or (country or "").upper() in terms.home:
        return None
    at_home = ", ".join(sorted(terms.home)) if len(terms.home) < 4 else "the EEA"
    where = f"in {country.upper()}" if country else "in a country that nobody named"
    return f"it lies {where}, and under profile {profile} personal data stay in {at_home} unless a basis is recorded"
