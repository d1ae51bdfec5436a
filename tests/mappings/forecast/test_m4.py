"""The published figures of M4 on a small cut: the code of metrics and methods is the competition's."""

import numpy as np
import pytest

from dagster_project.bench.forecast import m4_folder, read
from mappings.forecast.errors import mase, smape
from mappings.forecast.panel import Panel
from mappings.forecast.seasonal import seasonal_naive, theta

FIRST = 40


def cut(name: str) -> tuple[Panel, Panel]:
    if (folder := m4_folder()) is None:
        pytest.skip("no folder of M4 data: KERUEN_M4, by default ../shared/data/m4")
    return read(folder, name, "train", FIRST), read(folder, name, "test", FIRST)


def test_seasonal_naive_errs_exactly_as_published_on_all_series() -> None:
    if (folder := m4_folder()) is None:
        pytest.skip("no folder of M4 data: KERUEN_M4, by default ../shared/data/m4")
    train, test = read(folder, "Hourly", "train"), read(folder, "Hourly", "test")
    ahead = seasonal_naive(train, test.shape[1], 24)
    assert round(float(smape(test, ahead).mean()), 3) == 13.912
    assert round(float(mase(test, ahead, train, 24).mean()), 3) == 1.193


def test_errors_of_a_cut_equal_the_competitions_formulas_written_as_loops() -> None:
    train, test = cut("Weekly")
    ahead = seasonal_naive(train, test.shape[1])
    for row, actual, forecast, found_smape, found_mase in zip(
        train, test, ahead, smape(test, ahead), mase(test, ahead, train), strict=True
    ):
        known = row[~np.isnan(row)]
        naive = np.mean([abs(known[at] - known[at - 1]) for at in range(1, len(known))])
        wrong = [200 * abs(a - f) / (abs(a) + abs(f)) for a, f in zip(actual, forecast, strict=True)]
        assert found_smape == pytest.approx(np.mean(wrong))
        assert found_mase == pytest.approx(np.mean(np.abs(actual - forecast)) / naive)


def test_theta_of_hourly_series_knows_their_day() -> None:
    train, test = cut("Hourly")
    assert smape(test, theta(train, test.shape[1], 24)).mean() < smape(test, theta(train, test.shape[1])).mean() / 1.5
