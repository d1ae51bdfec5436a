"""`make bench` is a contract: names, columns, and nothing else on standard output with --json."""

import json
import subprocess
import sys

from dagster_project.bench.__main__ import COLUMNS, as_record, benches
from dagster_project.bench.row import Row
from dagster_project.bench.vendor import PER_PAGE, pages


def test_every_bench_names_its_rows_and_no_name_is_given_twice():
    names = [name for module in benches() for name in module.NAMES]
    assert "pages_to_raw" in names
    assert len(names) == len(set(names))


def test_a_row_has_the_columns_of_the_contract():
    row = Row("x", 30_000.1234, "rows/s", "≥ 20000", True, peer="y", peer_measured=10_000, seed=1, note="left out")
    record = as_record(row)
    assert tuple(record) == COLUMNS
    assert (record["measured"], record["ratio"]) == (30_000.123, 3.0)
    assert as_record(Row("x", 0, "requests", "0", True))["ratio"] is None


def test_an_unknown_bench_is_refused_with_the_known_ones():
    command = [sys.executable, "-m", "dagster_project.bench", "--only", "nonsense", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pages_to_raw" in done.stderr
    assert done.stdout == ""


def test_the_vendors_pages_are_what_the_goal_speaks_of():
    page = pages(1, seed=1)[0]
    assert len(json.loads(page)["rows"]) == PER_PAGE
    assert 540 < len(page) / PER_PAGE < 600
    assert pages(1, seed=1)[0] == page
