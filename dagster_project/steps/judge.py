"""What moves is judged row by row: which guard holds it, and why it moves, in words."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.connections import Connection
from mappings.pricing.guard import price_guard
from mappings.stock.policy import stock_guard
from mappings.sync.guards import Floats, Mask, Words, leaps
from mappings.sync.plan import FEW
from mappings.sync.values import totals


def guarded(rows: pa.Table, connection: Connection, capability: str, shown: int) -> Words:
    """The guard that holds each row that is to be sent, None where it may go. `shown`: rows that the channel shows.

    An audience that would lose everybody waits for a person; who refused does not.
    """
    held = np.full(rows.num_rows, None, dtype=object)
    sent = pc.equal(rows["action"], "send")
    some = rows.filter(sent)
    if capability == "stock.push":
        held[sent.to_numpy()] = _stock(some, connection, shown)
    elif capability == "price.push":
        held[sent.to_numpy()] = _price(some, connection)
    elif capability == "segment.push":
        gone = pc.and_(pc.equal(rows["action"], "withdraw"), rows["emptied"])
        held[pc.and_not(gone, rows["at_once"]).to_numpy()] = "empty"
    return held


def _stock(rows: pa.Table, connection: Connection, shown: int) -> Words:
    guards, own_step = connection.guards, connection.entry.guards.step
    many = max(FEW, guards.share * shown) if guards.zero and guards.share is not None else np.inf
    was, becomes = rows["was"].combine_chunks(), rows["becomes"].combine_chunks()
    return stock_guard(
        was, becomes, rows["fresh"].to_numpy(), step=None if own_step is None else float(own_step), zeros_allowed=many
    )


def _expected(rows: pa.Table) -> pa.ChunkedArray:
    """What the channel showed; where it confirmed nothing yet, what is on its way there, past the guards already."""
    on_its_way = pc.fill_null(pc.equal(rows["state"], "pending"), False)
    return pc.coalesce(rows["was"], pc.if_else(on_its_way, rows["last"], None))


def _price(rows: pa.Table, connection: Connection) -> Words:
    was, becomes = (totals(values.combine_chunks()) for values in (_expected(rows), rows["becomes"]))
    floor, ceiling = (pc.fill_null(rows[name], np.nan).to_numpy() for name in ("floor", "ceiling"))
    step = None if connection.guards.step is None else float(connection.guards.step)
    rounded = float(connection.entry.price.round)
    held = price_guard(was, becomes, floor, ceiling, step, rounded)
    return np.where(np.equal(held, None) & _as_before(rows, becomes, step, rounded), "step", held)


def _as_before(rows: pa.Table, becomes: Floats, step: float | None, rounded: float) -> Mask:
    """Rows held for a leap from a price that was never confirmed and is forgotten: what is near the one held leaps."""
    leapt = pc.and_(pc.is_null(rows["was"]), pc.fill_null(pc.equal(rows["reason"], "step"), False))
    near = ~leaps(totals(rows["last"].combine_chunks()), becomes, step, rounded)
    return np.asarray(leapt.to_numpy() & near)


def reasons(rows: pa.Table, connection: Connection, capability: str, causes: Mapping[str, str]) -> list[str | None]:
    """Why each row moves: what the decision was made of, and what made it dirty. A withdrawal names its rule alone."""
    match capability:
        case "stock.push":
            words = _stock_words(rows, connection)
        case "price.push":
            words = _price_words(rows, connection)
        case _:
            words = rows["because"].to_pylist()
    caused = [causes.get(subject) for subject in rows["subject"].to_pylist()]
    said = ["; ".join(part for part in both if part) or None for both in zip(words, caused, strict=True)]
    rules = zip(rows["action"].to_pylist(), rows["why"].to_pylist(), said, strict=True)
    return [rule if action == "withdraw" else word for action, rule, word in rules]


def _stock_words(rows: pa.Table, connection: Connection) -> list[str]:
    rules = connection.entry.stock
    rest = f", {rules.safety} held back" if rules.safety else ""
    rest += f", {rules.allocation} {rules.share:g}" if rules.allocation != "shared" else ""
    facts = zip(*(rows[name].to_numpy() for name in ("on_hand", "reserved", "fresh", "counted_at")), strict=True)
    return [
        f"{there:g} on hand" + (f", {promised:g} reserved" if promised else "") + rest + ("" if young else _since(at))
        for there, promised, young, at in facts
    ]


def _since(seconds: float) -> str:
    return f", not counted since {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _price_words(rows: pa.Table, connection: Connection) -> list[str]:
    rules = connection.entry.price
    markup = f" + {float(rules.markup * 100):g} %" if rules.markup else ""
    bases = pc.fill_null(rows["base"], np.nan).to_numpy()
    return [f"{rules.from_} {base:.12g}{markup}" for base in bases]
