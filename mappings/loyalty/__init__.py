"""Points: one ledger for all channels. What was entered never changes; a balance is the sum."""
