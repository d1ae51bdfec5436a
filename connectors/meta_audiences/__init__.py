"""Meta's custom audiences: people of a segment see ads on Facebook and Instagram, or are spared them."""

from connectors.meta_audiences.config import MetaAudiencesConfig
from connectors.meta_audiences.sink import ROWS, check, push_segment
from connectors.sdk import ConnectorSpec, Sink

CONNECTOR = ConnectorSpec(
    name="meta_audiences",
    title="Meta custom audiences",
    config=MetaAudiencesConfig,
    sinks=(
        Sink(
            "segment.push", deliver=push_segment, batch=ROWS, needs_listing=False, reaches="ads", forgets=True,
            hint="Puts hashes of contacts into a custom audience and takes them out. Nothing can be read back.",
        ),
    ),
    check=check,
)  # fmt: skip
