"""The forecast against published figures of the M4 competition, and its pace over a retailer's assortment.

Seasonal naive must give the published sMAPE and MASE to the last digit: that pins the code of the metrics. Data are
read from the folder that `KERUEN_M4` names, by default beside the checkout.
"""

import csv
import gzip
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dagster_project.bench.row import Row
from mappings.forecast.errors import mase, smape
from mappings.forecast.panel import Panel
from mappings.forecast.seasonal import seasonal_naive, theta
from mappings.forecast.smoothing import tsb

NAMES = ("m4", "m4_theta", "tsb_pace")
SEASONS = {"Weekly": 1, "Hourly": 24}
PUBLISHED = {"Weekly": (9.161, 2.777), "Hourly": (13.912, 1.193)}
"""sMAPE and MASE of seasonal naive."""
THETA = {"Weekly": 9.093, "Hourly": 18.138}
NEAR = 1.5
"""Per cent by which Theta may differ from the published sMAPE."""
SKUS, WEEKS, SECONDS, SEED = 100_000, 104, 15, 20260302


def rows() -> Iterator[Row]:
    if (folder := m4_folder()) is None:
        print("m4: skipped, no folder of M4 data (KERUEN_M4, default ../shared/data/m4)", file=sys.stderr)
    else:
        yield from _m4({name: (read(folder, name, "train"), read(folder, name, "test")) for name in SEASONS})
    yield _pace()


def m4_folder() -> Path | None:
    folder = Path(os.environ.get("KERUEN_M4") or Path(__file__).resolve().parents[2].parent / "shared/data/m4")
    return folder if folder.is_dir() else None


def read(folder: Path, name: str, part: str, first: int | None = None) -> Panel:
    """A panel of the (first) series of a file of M4, aligned at their end."""
    with gzip.open(folder / f"{name}-{part}.csv.gz", "rt", encoding="utf-8") as file:
        series = [[float(cell) for cell in row[1:] if cell] for row in list(csv.reader(file))[1:][:first]]
    panel = np.full((len(series), max(map(len, series))), np.nan)
    for row, values in zip(panel, series, strict=True):
        row[-len(values) :] = values
    return panel


def _m4(data: dict[str, tuple[Panel, Panel]]) -> Iterator[Row]:
    missed, notes = 0, []
    for name, (train, test) in data.items():
        ahead = seasonal_naive(train, test.shape[1], SEASONS[name])
        found = (float(smape(test, ahead).mean()), float(mase(test, ahead, train, SEASONS[name]).mean()))
        missed += sum(round(mine, 3) != theirs for mine, theirs in zip(found, PUBLISHED[name], strict=True))
        notes.append(f"{name}: sMAPE {found[0]:.3f}, MASE {found[1]:.3f}")
    yield Row("m4", missed, "figures off", "0 of 4 published", missed == 0, note="; ".join(notes))
    off = {}
    for name, (train, test) in data.items():
        found_theta = float(smape(test, theta(train, test.shape[1], SEASONS[name])).mean())
        off[name] = 100 * abs(found_theta / THETA[name] - 1)
    worst, note = max(off.values()), "; ".join(f"{name}: {percent:.2f} %" for name, percent in off.items())
    yield Row("m4_theta", worst, "% off", f"≤ {NEAR} % from the published sMAPE", worst <= NEAR, note=note)


def _pace() -> Row:
    dice = np.random.default_rng(SEED)
    asked = dice.random((SKUS, WEEKS)) < dice.uniform(0.05, 0.6, (SKUS, 1))
    history = np.where(asked, 1.0 + dice.poisson(2, (SKUS, WEEKS)), 0.0)
    started = time.perf_counter()
    tsb(history, 8)
    seconds = time.perf_counter() - started
    note = f"{SKUS:,} SKUs × {WEEKS} weeks by TSB"
    return Row("tsb_pace", seconds, "s", f"≤ {SECONDS} s", seconds <= SECONDS, seed=SEED, note=note)
