"""The steps of the hub as plain functions: Dagster's assets, the hot lane and the commands all call these."""
