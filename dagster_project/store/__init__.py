"""One PostgreSQL for everything: raw, canonical, ledger, marts and Dagster's own runs and events."""
