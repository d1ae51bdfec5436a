"""When to order and how much: a quantile of what will be asked for while the goods are on their way."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PLACE = ["sku", "location"]


def demand_quantile(mean: NDArray[np.float64], dispersion: float, level: float) -> NDArray[np.float64]:
    """Units that suffice with probability `level`. Demand is negative binomial: variance = mean + dispersion × mean².

    A dispersion of 0 is Poisson. Where nothing is expected nothing is needed.
    """
    from scipy import stats  # every command would wait half a second for it

    sizes = np.maximum(np.asarray(mean, dtype=float), 0.0)
    distinct, places = np.unique(sizes, return_inverse=True)
    if dispersion > 0:
        shape = 1 / dispersion
        needed = stats.nbinom.ppf(level, shape, shape / (shape + distinct))
    else:
        needed = stats.poisson.ppf(level, distinct)
    return np.where(distinct > 0, needed, 0.0)[places].reshape(sizes.shape)


def lead_time_need(weekly: NDArray[np.float64], weeks: float, dispersion: float, level: float) -> NDArray[np.float64]:
    """Units that suffice for the next `weeks` (a fraction counts as such) with probability `level`.

    `weekly`: forecast, a row a series, a column a week; the last one holds on. Weeks vary apart from each other, so the
    longer the time the smaller the dispersion of its sum.
    """
    whole = int(weeks)
    columns = np.minimum(np.arange(whole + 1), weekly.shape[1] - 1)
    shares = np.r_[np.ones(whole), weeks - whole]
    return demand_quantile(weekly[:, columns] @ shares, dispersion / max(weeks, 1.0), level)


def replenish(stock: pd.DataFrame) -> pd.DataFrame:
    """Who needs how much, moved from where there is too much before anything is bought.

    `stock`: `sku, location, available` (on hand − reserved by all channels + on its way), `reorder_point, order_up_to`,
    one row a place. Adds `need` (up to order_up_to, for a place at or below its reorder point), `transfer_in`,
    `transfer_out` (only what a place has beyond its own order_up_to) and `purchase` = need − transfer_in.
    """
    below = (stock["available"] <= stock["reorder_point"]) & (stock["order_up_to"] > 0)
    need = (stock["order_up_to"] - stock["available"]).clip(lower=0).where(below, 0.0)
    spare = np.floor((stock["available"] - stock["order_up_to"]).clip(lower=0))
    moves = transfers(stock.assign(need=need, spare=spare))
    moved_in = moves.groupby(["sku", "to"])["quantity"].sum()
    moved_out = moves.groupby(["sku", "from"])["quantity"].sum()
    places = pd.MultiIndex.from_frame(stock[PLACE])
    arriving = moved_in.reindex(places, fill_value=0.0).to_numpy()
    leaving = moved_out.reindex(places, fill_value=0.0).to_numpy()
    return stock.assign(need=need, transfer_in=arriving, transfer_out=leaving, purchase=need - arriving)


def transfers(stock: pd.DataFrame) -> pd.DataFrame:
    """Moves `sku, from, to, quantity` that meet every `need` from `spare` of the same sku as far as it goes.

    Needs and spares of a sku are laid on one ruler, largest first; where two stretches lie over each other goods move.
    """
    needs, spares = _stretches(stock, "need"), _stretches(stock, "spare")
    pairs = needs.merge(spares, on="sku", suffixes=("_need", "_spare"))
    overlap = pairs[["end_need", "end_spare"]].min(axis=1) - pairs[["start_need", "start_spare"]].max(axis=1)
    moves = pairs.assign(quantity=overlap)[overlap > 0]
    return moves.rename(columns={"location_spare": "from", "location_need": "to"})[["sku", "from", "to", "quantity"]]


def _stretches(stock: pd.DataFrame, column: str) -> pd.DataFrame:
    asked = stock[stock[column] > 0].sort_values(["sku", column, "location"], ascending=[True, False, True])
    end = asked.groupby("sku")[column].cumsum()
    return asked[PLACE].assign(start=end - asked[column], end=end)
