"""What belongs on a channel: the first rule that says no, by its name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NOT_LISTED = "not listed"
Rule = tuple[Any, Callable[[], Any]]
"""To which rows it applies, and what makes its words: one text, or a text for each row."""


def excluded(
    products: pa.Table,
    *,
    status: str | None = None,
    under: tuple[Sequence[str], pa.Array] | None = None,
    exclude: Sequence[str] = (),
    has: Mapping[str, pa.Array] | None = None,
    unlisted: pa.ChunkedArray | Sequence[str] = (),
) -> pa.Array:
    """For each product the rule that keeps it off the channel, null where it belongs.

    `products`: sku, status, deleted. `under`: paths of categories, and each product's own, which must begin with one of
    them. `has`: name of a fact → whether each product has it. `unlisted`: skus that the channel does not list.
    """
    sku, state, deleted = (products[name].combine_chunks() for name in ("sku", "status", "deleted"))
    rules: list[Rule] = [(deleted, lambda: "deleted from the catalogue")]
    if status is not None:
        rules.append((pc.not_equal(state, status), lambda: _named("status", state)))
    if under is not None:
        paths, path = under
        belongs = reduce(pc.or_, [pc.starts_with(path, prefix) for prefix in paths])
        outside = pc.invert(pc.fill_null(belongs, False))
        rules.append((outside, lambda: _named("category", pc.fill_null(path, "none"))))
    if len(exclude):
        rules.append((_among(sku, exclude), lambda: "exclude: named in connections.yaml"))
    for fact, present in (has or {}).items():
        rules.append((pc.invert(present), partial("has: no {}".format, fact)))
    if len(unlisted):
        rules.append((_among(sku, unlisted), lambda: NOT_LISTED))
    return _first(rules, len(sku))


def _first(rules: Sequence[Rule], rows: int) -> pa.Array:
    """The words of the first rule that applies to each row. Those of a rule that applies to none are not even made."""
    reason = pa.nulls(rows, pa.string())
    for applies, words in reversed(rules):
        if pc.any(applies).as_py():
            reason = pc.if_else(applies, words(), reason)
    return reason


def _among(sku: pa.Array, some: pa.ChunkedArray | Sequence[str]) -> pa.Array:
    return pc.is_in(sku, some if isinstance(some, pa.ChunkedArray) else pa.array(some, pa.string()))


def _named(rule: str, values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(rule, values, ": ")
