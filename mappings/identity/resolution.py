"""The whole base at once: features and identifiers → statistics → edges → clusters."""

from dataclasses import dataclass

import pyarrow as pa

from mappings.identity.blocking import keys_of, pairs, statistics
from mappings.identity.clusters import OVERRIDES, Clustering, cluster
from mappings.identity.population import Population
from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import edges


@dataclass(frozen=True)
class Resolution:
    """Everything the store keeps of a full run; `edges` below the link weight are the review queue."""

    stats: pa.Table
    edges: pa.Table
    clustering: Clustering


def resolve(
    features: pa.Table,
    identifiers: pa.Table,
    population: Population,
    rules: RuleVersion,
    overrides: pa.Table | None = None,
) -> Resolution:
    """Persons among all records. The same as any sequence of increments that leads to these records."""
    keys = keys_of(identifiers, features)
    stats = statistics(keys, features, rules)
    found = edges(pairs(keys, stats), features, population, rules)
    verdicts = OVERRIDES.empty_table() if overrides is None else overrides
    return Resolution(stats, found, cluster(features, identifiers, stats, found, verdicts, rules))
