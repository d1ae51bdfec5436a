"""Pictures of marts for an asset's metadata: PNG inside Markdown, so that Dagster shows them without a file.

What is still being counted (this week; the contacts that may yet bring an order) is drawn dashed.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from dagster import MetadataValue
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from sqlalchemy import Engine, text

from mappings.metrics.contacts import ORDER_WINDOW

MOST = 6
"""Series that a picture can show and be read."""
MARKED = 60
"""Points of a line that are still marked one by one."""
INCHES, DOTS = (7.5, 3.2), 90


IN_MONEY = "channel || ', ' || currency"
"""Money of two currencies does not add up."""


@dataclass(frozen=True)
class Plot:
    """What a picture shows. `query` gives `x, series, y`, and `final`, the day from which a point moves no more, where
    its points stand for spans of time; `unit` stands at the side."""

    query: str
    unit: str
    shape: Literal["lines", "bars"] = "lines"


def _by_week(mart: str, part: str, whole: str = "sum(n)", *, series: str = "channel", waits: int = 0) -> str:
    """`waits`: days after which nothing can follow a contact any more."""
    return (
        f"select date_trunc('week', day)::date as x, {series} as series, {part} / nullif({whole}, 0) as y, "
        f"date_trunc('week', day)::date + {7 + waits} as final "
        f"from mart.{mart} where segment = 'all' group by 1, 2 order by 1"
    )


PLOTS = {
    "nps": Plot(_by_week("nps", "100.0 * sum(promoters - detractors)"), "points"),
    "csat": Plot(_by_week("csat", "100.0 * sum(satisfied)"), "% satisfied"),
    "average_check": Plot(_by_week("average_check", "sum(total)", series=IN_MONEY), "per sale"),
    "frequency": Plot(
        "select day as x, channel as series, value as y from mart.frequency where segment = 'all' order by 1",
        "purchases per buyer",
    ),
    "retention": Plot(
        "select age as x, to_char(day, 'YYYY-MM') as series, 100.0 * sum(kept) / sum(n) as y, "
        "(day + make_interval(months => age + 1))::date as final from mart.retention "
        "where segment = 'all' group by age, day order by age",
        "% bought again",
    ),
    "clv": Plot("select day as x, segment as series, value as y from mart.clv order by 1", "in 12 months"),
    "conversion": Plot(_by_week("conversion", "100.0 * sum(ordered)", waits=ORDER_WINDOW.days), "% ordered"),
    "cross_conversion": Plot(
        _by_week("cross_conversion", "100.0 * sum(converted)", waits=ORDER_WINDOW.days), "% ordered elsewhere"
    ),
    "engagement": Plot(
        "select day as x, channel as series, value as y from mart.engagement where segment = 'all' order by 1", "points"
    ),
    "journey": Plot(
        "select channel as x, 'median' as series, percentile_cont(0.5) within group (order by value) as y "
        "from mart.journey group by channel order by channel",
        "days to a purchase",
        "bars",
    ),
    "attribution": Plot(
        f"select {IN_MONEY} as x, model as series, sum(value) as y from mart.attribution where segment = 'all' "
        "group by 1, model order by 1, model",
        "money",
        "bars",
    ),
    "cancellation": Plot(_by_week("cancellation", "100.0 * sum(cancelled)"), "% cancelled"),
    "promise": Plot(_by_week("promise", "100.0 * sum(kept)"), "% in time"),
    "availability": Plot(
        "select day as x, channel as series, 100.0 * value as y from mart.availability order by 1", "% to be had"
    ),
    "forecast": Plot(
        "select day as x, kind as series, sum(value) as y from mart.forecast group by day, kind order by day",
        "units a week",
    ),
    "reorder": Plot(
        "select sku as x, how as series, sum(units) as y from (select sku, how, units from mart.reorder, "
        "lateral (values ('buy', purchase), ('move', transfer_in)) as said (how, units)) said "
        "where sku in (select sku from mart.reorder group by sku having sum(need) > 0 order by sum(need) desc, sku "
        "limit 12) group by sku, how order by sku, how",
        "units",
        "bars",
    ),
}


def picture(engine: Engine, mart: str, today: date) -> MetadataValue:
    """The plot of a mart as Markdown with an image in it; a word where there is nothing to show."""
    plot = PLOTS[mart]
    with engine.connect() as db:
        rows = db.execute(text(plot.query)).all()
    shown = [row for row in rows if row.y is not None]
    if not shown:
        return MetadataValue.md("_nothing yet_")
    encoded = base64.b64encode(drawn(shown, mart, plot, today)).decode()
    return MetadataValue.md(f"![{mart}](data:image/png;base64,{encoded})")


def drawn(rows: Sequence[Any], title: str, plot: Plot, today: date) -> bytes:
    """A PNG of rows `x, series, y` (`final`): the series with most rows, at most MOST of them."""
    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(title=title.replace("_", " "), ylabel=plot.unit)
    names = sorted({row.series for row in rows}, key=lambda name: (-sum(row.series == name for row in rows), name))
    if plot.shape == "bars":
        _bars(axes, rows, names[:MOST])
    else:
        lines(axes, rows, names[:MOST], today)
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    axes.tick_params(axis="x", labelrotation=30)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS)
    return file.getvalue()


def lines(axes: Axes, rows: Sequence[Any], names: Sequence[str], today: date) -> None:
    """A line a series, dashed from the last point that is final on: so it is in one piece."""
    for name in names:
        mine = [row for row in rows if row.series == name]
        over = sum(getattr(row, "final", today) <= today for row in mine)
        marker = "." if len(mine) <= MARKED else ""
        (line,) = axes.plot(*_points(mine[:over]), marker=marker, label=name)
        axes.plot(*_points(mine[max(0, over - 1) :]), "--", marker=marker, fillstyle="none", color=line.get_color())
    if len(places := {row.x for row in rows}) == 1:
        axes.set_xticks([*places], [str(place) for place in places])


def _points(rows: Sequence[Any]) -> tuple[list[Any], list[float]]:
    return [row.x for row in rows], [float(row.y) for row in rows]


def _bars(axes: Axes, rows: Sequence[Any], names: Sequence[str]) -> None:
    """A group of bars a place; few places stay slim."""
    places, width = list(dict.fromkeys(row.x for row in rows)), 0.8 / len(names)
    for number, name in enumerate(names):
        points = [(places.index(row.x) + number * width, float(row.y)) for row in rows if row.series == name]
        axes.bar([x for x, _ in points], [y for _, y in points], width, label=name, align="edge")
    axes.set_xticks([place + 0.4 for place in range(len(places))], [str(place) for place in places])
    axes.set_xlim(-0.2, max(len(places), 4))


def _number(value: float, place: int) -> str:
    """12 000 000 as 12M: zeros and powers of ten are hard to count at the side of a picture."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
