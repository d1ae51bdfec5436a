"""What belongs on a channel: the first rule that says no, by its name."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NOT_LISTED = "not listed"


def excluded(
    products: pa.Table,
    *,
    status: str | None = None,
    category: Sequence[str] = (),
    exclude: Sequence[str] = (),
    has: Mapping[str, pa.Array] | None = None,
    listed: pa.Array | None = None,
) -> pa.Array:
    """For each product the rule that keeps it off the channel, null where it belongs.

    `products`: sku, status, category, deleted. `category`: paths of which one must begin the product's. `has`: name of
    a fact → whether each product has it. `listed`: whether the channel lists it, None where that does not matter.
    """
    sku, state, path, deleted = (products[name].combine_chunks() for name in ("sku", "status", "category", "deleted"))
    rules: list[tuple[Any, Any]] = [(deleted, "deleted from the catalogue")]
    if status is not None:
        rules.append((pc.not_equal(state, status), _named("status", state)))
    if category:
        under = reduce(pc.or_, [pc.starts_with(path, prefix) for prefix in category])
        rules.append((pc.invert(pc.fill_null(under, False)), _named("category", pc.fill_null(path, "none"))))
    if exclude:
        rules.append((pc.is_in(sku, pa.array(exclude, pa.string())), "exclude: named in connections.yaml"))
    rules += [(pc.invert(present), f"has: no {fact}") for fact, present in (has or {}).items()]
    if listed is not None:
        rules.append((pc.invert(listed), NOT_LISTED))
    reason = pa.nulls(len(sku), pa.string())
    for applies, words in reversed(rules):
        reason = pc.if_else(applies, words, reason)
    return reason


def _named(rule: str, values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(rule, values, ": ")
