"""Measurements, each beside a peer in the same run: `python -m dagster_project.bench [--only NAME] [--json]`.

A module here that has `NAMES`, the rows it gives, and `rows()` is a bench. It brings its own data, made from a seed,
and works in a store of its own (`throwaway`), never in the one of the home.
"""
