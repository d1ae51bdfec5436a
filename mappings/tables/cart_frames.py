"""Rows of carts, as a file tells them line by line → carts."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import duckdb
import pyarrow as pa
from pydantic import AwareDatetime, Field

from mappings.canonical.base import Canonical, Identifier


class CartRow(Canonical):
    """One line of a cart. `sku` None: the cart is empty. `quantity` 0: the line was taken out."""

    entity: ClassVar[str] = "cart_row"
    external_id: Identifier
    customer: Identifier | None = None
    channel: str = "site"
    updated_at: AwareDatetime
    state: Literal["open", "ordered", "dropped"] = "open"
    sku: Identifier | None = None
    quantity: Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=3)] | None = None


@dataclass(frozen=True)
class CartFrames:
    """`carts`: external_id, customer, channel, updated_at, state, row. `lines`: external_id, line, sku, quantity, seq
    (its cart's row), `stands`: False where a later line speaks of the same goods, or it holds none. `set_aside`: key,
    line, lines, rule, reason; a cart with a line that cannot be read is set aside whole.
    """

    carts: pa.Table
    lines: pa.Table
    set_aside: pa.Table


_TOLD = """
create temp table told as
select r.*, coalesce('c' || external_id, 'r' || row) as whole from rows r;
create temp table asides as
select whole, any_value(external_id) as key, coalesce(arg_min(row, row) filter (rule is not null), min(row)) as line,
       count(*) as lines, coalesce(arg_min(rule, row), 'several_buyers') as rule,
       coalesce(arg_min(reason, row), 'its lines name several buyers') as reason
from told group by whole having bool_or(rule is not null) or count(distinct customer) > 1;
create temp table good as select * from told where whole not in (select whole from asides);
"""
_CARTS = """
select external_id, any_value(customer) as customer, arg_max(channel, (updated_at, row)) as channel,
       max(updated_at) as updated_at, arg_max(state, (updated_at, row)) as state, min(row) as row
from good group by external_id order by row
"""
_LINES = """
select external_id, sku as line, sku, quantity, min(row) over (partition by external_id) as seq,
       sku is not null and quantity > 0
         and row_number() over (partition by external_id, sku order by updated_at desc, row desc) = 1 as stands
from good order by row
"""


def cart_frames(rows: pa.Table) -> CartFrames:
    """Of CartRow columns with `row`, `rule` and `reason` (null in a good row). The latest line of some goods counts."""
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        db.register("rows", rows)
        db.execute(_TOLD)
        aside = "select key, line, lines, rule, reason from asides order by line"
        return CartFrames(*(db.sql(query).to_arrow_table() for query in (_CARTS, _LINES, aside)))
