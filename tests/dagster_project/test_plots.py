"""What is still being counted does not look like a fall."""

from collections import namedtuple
from datetime import date, timedelta

from matplotlib.figure import Figure

from dagster_project.factories.plots import lines

MONDAYS = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(4)]
Point = namedtuple("Point", "x series y final")


def drawn(points: list[Point], today: date) -> dict[str, list[date]]:
    """Style of a line → the places that it goes through."""
    axes = Figure().add_subplot()
    lines(axes, points, ["site"], today)
    return {line.get_linestyle(): list(line.get_xdata(orig=True)) for line in axes.lines}


def test_a_week_that_goes_on_is_drawn_dashed_from_the_last_whole_one() -> None:
    points = [Point(monday, "site", 10, monday + timedelta(weeks=1)) for monday in MONDAYS]
    assert drawn(points, MONDAYS[3] + timedelta(days=2)) == {"-": MONDAYS[:3], "--": MONDAYS[2:]}


def test_contacts_that_may_still_bring_an_order_are_drawn_dashed() -> None:
    points = [Point(monday, "site", 10, monday + timedelta(days=37)) for monday in MONDAYS]
    assert drawn(points, MONDAYS[1] + timedelta(days=37)) == {"-": MONDAYS[:2], "--": MONDAYS[1:]}


def test_points_that_stand_for_a_day_are_final() -> None:
    place = namedtuple("Place", "x series y")
    axes = Figure().add_subplot()
    lines(axes, [place(monday, "site", 1) for monday in MONDAYS], ["site"], MONDAYS[0])
    assert list(axes.lines[0].get_xdata(orig=True)) == MONDAYS
