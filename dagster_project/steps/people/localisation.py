"""Personal data stay in the countries of the privacy profile, unless a basis for their transfer is recorded."""

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection
from mappings.privacy.terms import transfer_problem

PERSONAL = frozenset({"order.push", "customer.push", "segment.push"})
"""Capabilities whose changes carry personal fields."""
OWN_BOOKS = frozenset({"order.push"})
"""Of them those that fill the merchant's own books: a country that nobody named is warned of, and stops nothing."""


def problem(connection: Connection, capability: str) -> str | None:
    """Why personal data should not leave for where the connection lies; None where they may."""
    entry = connection.entry
    if capability not in PERSONAL:
        return None
    return transfer_problem(connection.hub.privacy.profile, entry.country, entry.transfer)


def is_stopped(connection: Connection, capability: str) -> bool:
    """Whether nothing personal leaves, or it is only warned of."""
    own = capability in OWN_BOOKS and connection.entry.country is None
    return not own and problem(connection, capability) is not None


def require_home(connection: Connection, capability: str) -> None:
    """Raises ConfigError before anything personal leaves for a country outside the profile, or, where it is written to
    people, for one that nobody named. What takes a person away there carries nothing personal: the caller lets it pass.
    """
    if is_stopped(connection, capability):
        named = connection.entry.country
        todo = "Record it as `transfer`" if named else "Name the `country`, or record the basis as `transfer`,"
        raise ConfigError(
            f"{connection.name}: {capability} may not leave: {problem(connection, capability)}. {todo} of this "
            "connection in connections.yaml, or switch the capability off under `push`."
        )
