"""Personal data stay in the countries of the privacy profile, unless a basis for their transfer is recorded."""

from connectors.sdk.errors import ConfigError
from dagster_project.connections import Connection, Hub
from mappings.privacy.terms import transfer_problem

PERSONAL = frozenset({"order.push", "customer.push", "segment.push"})
"""Capabilities whose changes carry personal fields."""


def require_home(hub: Hub, connection: Connection, capability: str) -> None:
    """Raises ConfigError before anything personal leaves for a country outside the profile. A connection whose country
    nobody named is not stopped; an asset check warns of it."""
    country = connection.entry.country
    if capability not in PERSONAL or country is None:
        return
    if problem := transfer_problem(hub.entry.privacy.profile, country, connection.entry.transfer):
        raise ConfigError(
            f"{connection.name}: {capability} may not leave: {problem}. Record it as `transfer` of this connection in "
            "connections.yaml, or switch the capability off under `push`."
        )
