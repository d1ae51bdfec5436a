"""Values as JSON text, letter for letter as PostgreSQL prints its jsonb: equal values are equal texts.

So a million of them are compared without parsing one.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def numbers(values: Floats, places: int = 3) -> pa.Array:
    """Each number as the shortest text, to so many decimal places; NaN is null."""
    present = ~np.isnan(values)
    scaled = np.round(np.where(present, values, 0) * 10**places).astype(np.int64)
    texts = pc.cast(pa.array(scaled // 10**places), pa.string())
    broken = scaled % 10**places != 0
    if broken.any():
        exact = [plain(Decimal(int(value)).scaleb(-places)) for value in scaled[broken]]
        texts = pc.replace_with_mask(texts, pa.array(broken), pa.array(exact, pa.string()))
    return pc.if_else(pa.array(present), texts, None)


def by_name(names: Sequence[str], values: Floats) -> pa.Array:
    """Each row of a matrix (rows × names) as an object name → number, without its NaN; null where all are."""
    if not names:
        return pa.nulls(len(values), pa.string())
    members = [
        pc.binary_join_element_wise(json.dumps(name, ensure_ascii=False), numbers(values[:, place]), ": ")
        for place, name in sorted(enumerate(names), key=lambda pair: _key_order(pair[1]))
    ]
    # the opening bracket also keeps Arrow from dropping a row of nulls: 26.0 does, with `skip`
    joined = pc.binary_join_element_wise("{", *members, ", ", null_handling="skip")
    closed = pc.binary_join_element_wise(pc.utf8_replace_slice(joined, 1, 3, ""), "}", "")
    return pc.if_else(pc.equal(joined, "{"), None, closed)


def as_json(value: Any) -> str:
    """Any JSON value; Decimals keep every digit."""
    match value:
        case Mapping():
            members = sorted(value.items(), key=lambda item: _key_order(item[0]))
            return "{" + ", ".join(f"{as_json(name)}: {as_json(part)}" for name, part in members) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(as_json, value)) + "]"
        case Decimal():
            return format(value, "f")
    return json.dumps(value, ensure_ascii=False)


def plain(value: Decimal) -> str:
    """The shortest text of a number: 5, not 5.000."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def totals(texts: pa.Array) -> Floats:
    """The number in each value's text, the sum over a mapping's; NaN where it is null or no number."""
    try:
        found: Floats = pc.fill_null(pc.cast(texts, pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return np.array([_total(text) for text in texts.to_pylist()])
    return found


def _total(text: str | None) -> float:
    value = None if text is None else json.loads(text)
    if isinstance(value, Mapping):
        return float(sum(value.values()))
    return float(value) if isinstance(value, int | float) else np.nan


def _key_order(name: str) -> tuple[int, bytes]:
    """jsonb keeps the keys of an object by length, then by bytes."""
    encoded = name.encode()
    return len(encoded), encoded
