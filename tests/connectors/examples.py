"""What a connector makes of its vendor's own examples."""

from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import ConnectorSpec
from mappings.tables import Mapped

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "examples"
"""A folder for each vendor; it comes with the contracts and may not be beside a checkout."""


def needs(folder: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not folder.is_dir(), reason="the vendors' examples are not beside this checkout")


def read_and_mapped(connector: ConnectorSpec, config: Any, reply: Any) -> tuple[str, dict[str, int]]:
    """The only resource that reads a reply, and entity → how many records it gives. Fails on a quarantined record."""
    [resource] = [one for one in connector.resources if one.reads(reply) is not None]
    records = resource.reads(reply) or []
    results = {entity: [one(record, config) for record in records] for entity, one in resource.maps.items()}
    assert all(isinstance(result, Mapped) for made in results.values() for result in made), results
    return resource.name, {entity: sum(len(result.records) for result in made) for entity, made in results.items()}
