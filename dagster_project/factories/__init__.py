"""connections.yaml → Dagster definitions: raw, plan, delivery and drift per connection, canonical per entity."""
