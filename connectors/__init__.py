"""The outside world: one package per vendor, and `connectors.sdk`, the contract they all keep."""
