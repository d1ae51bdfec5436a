"""Personal data stay in the countries of the privacy profile, unless a basis for their transfer is recorded."""

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub
from mappings.privacy.terms import transfer_problem

PERSONAL = frozenset({"order.push", "customer.push", "segment.push"})
"""Capabilities whose changes carry personal fields."""
OWN_BOOKS = frozenset({"order.push"})
"""Of them those that fill the merchant's own books: a country that nobody named is warned of, and stops nothing."""


def require_home(hub: Hub, connection: Connection, capability: str) -> None:
    """Raises ConfigError before anything personal leaves for a country outside the profile, or, where it is written to
    people, for one that nobody named. What takes a person away there carries nothing personal: the caller lets it pass.
    """
    entry = connection.entry
    if capability not in PERSONAL or (capability in OWN_BOOKS and entry.country is None):
        return
    if problem := transfer_problem(hub.entry.privacy.profile, entry.country, entry.transfer):
        todo = "Record it as `transfer`" if entry.country else "Name the `country`, or record the basis as `transfer`,"
        raise ConfigError(
            f"{connection.name}: {capability} may not leave: {problem}. {todo} of this connection in "
            "connections.yaml, or switch the capability off under `push`."
        )
