"""Till lines → receipts in bulk: `receipts.to_orders` said in sets, for DuckDB. A property test holds the two equal.

Sets and not records, because a year of receipts is a million lines: two seconds here, half a minute one by one.
Receipts are grouped and sorted by numbers (`code`), not by their ids, which takes half the time.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BACK = "(coalesce(returned, false) or quantity < 0)"

UNUSABLE = """
create temp table unusable as
    select row, rule, reason, external_id, receipt, location, till from given where rule is not null
"""
# A line whose moment cannot be read may belong to every receipt of its number in that place.
TOUCHED = """
create temp table touched as
    select distinct unusable.row, coalesce(unusable.external_id, given.external_id) as external_id
    from unusable left join given
        on unusable.external_id is null and given.rule is null and given.receipt = unusable.receipt
        and given.location is not distinct from unusable.location and given.till is not distinct from unusable.till
"""
BROKEN = """
create temp table broken as
    select key, min(row) as row, arg_min(rule, row) as rule, arg_min(reason, row) as reason, count(*) as lines
    from (select row, rule, reason, coalesce(min(touched.external_id), any_value(receipt)) as key
          from unusable join touched using (row) group by row, rule, reason)
    group by key, case when key is null then row end
"""
RECEIPT = f"""
create temp table receipt as
    select code, any_value(external_id) as external_id, min(row) as row, count(*) as lines,
        any_value(receipt) as number, any_value(location) as location, any_value(till) as till,
        min(placed_at) as placed_at, arg_min(day, row) as day, bool_or(clock_change) as clock_change,
        coalesce(sum(total) filter (not {BACK}), 0) as sold, coalesce(sum(total) filter ({BACK}), 0) as returned,
        bool_or(returned is not null) as kind_stated, bool_and({BACK}) as all_back, bool_or({BACK}) as some_back,
        min(location) is distinct from max(location) or count(location) % count(*) > 0
            or min(till) is distinct from max(till) or count(till) % count(*) > 0
            or (min(day) < max(day) and max(placed_at) - min(placed_at) > interval 1 hour) as reused,
        bool_or(sku is null and barcode is null and name is null) as no_product,
        min(abs(receipt_total)) as least, max(abs(receipt_total)) as stated,
        array_to_string(list_sort(list_distinct(list(payment) filter (payment is not null))), '+') as payment,
        arg_min(customer, row) as customer, arg_min(loyalty_id, row) as loyalty_id,
        arg_min(fiscal_sign, row) as fiscal_sign
    from given where rule is null group by code
"""
# Where no kind is stated, a receipt whose sums alone are negative is a return as a whole.
TURNED = """
update receipt set returned = returned + sold, sold = 0, all_back = true, some_back = true
    where sold < 0 and not kind_stated
"""
JUDGED = """
create temp table judged as
    select receipt.*, abs(sold - abs(returned)) as net,
        case when external_id in (select external_id from touched) then 'unusable_line'
            when reused then 'receipt_reused'
            when code in (
                select code from given where rule is null and code in (select code from given where line is not null)
                group by code, coalesce(line, place::varchar) having count(*) > 1) then 'duplicate_line'
            when no_product then 'no_product'
            when sold < 0 then 'negative_total'
            when least <> net or stated <> net then 'does_not_add_up' end as rule
    from receipt
"""
STEPS = (UNUSABLE, TOUCHED, BROKEN, RECEIPT, TURNED, JUDGED)

SIGN = "case when back and returned < 0 then -1 else 1 end"
ID = "external_id || case when back and not all_back then '/return' else '' end"
ORDERS = f"""
    select {ID} as external_id, row, number, case when back then 'return' else 'sale' end as kind, placed_at, day,
        clock_change, (case when back then abs(returned) else sold end)::decimal(18, 2) as total, location, till,
        customer, loyalty_id, fiscal_sign, nullif(payment, '') as payment,
        case when back and not all_back then external_id end as returns
    from (select *, unnest(case when all_back then [true] when some_back then [false, true] else [false] end) as back
          from judged where rule is null)
    order by code, back
"""
CENTS = f"((abs({SIGN} * total) + abs(discount)) * 100)::bigint"
PIECES = "(abs(quantity) * 1000)::bigint"
ROUNDED = f"(2 * 1000 * {CENTS} + {PIECES}) // (2 * {PIECES})"
UNIT_PRICE = f"""case when quantity = 0 then null when unit_price is not null then abs(unit_price)
    else (sign({SIGN} * total) * ({ROUNDED}))::decimal(18, 0) * 0.01 end"""
LINES = f"""
    select {ID} as external_id, coalesce(line, place::varchar) as line, sku, barcode, name,
        abs(quantity)::decimal(18, 3) as quantity, ({UNIT_PRICE})::decimal(18, 2) as unit_price,
        abs(discount)::decimal(18, 2) as discount, ({SIGN} * total)::decimal(18, 2) as total
    from (select given.* exclude (returned, external_id), judged.external_id, gone or all_back as back, all_back,
              judged.returned
          from (select *, {BACK} as gone from given) given join judged using (code) where judged.rule is null)
    order by code, place
"""
SET_ASIDE = """
    select coalesce(key, external_id) as key, coalesce(broken.row, judged.row) as line,
        coalesce(broken.lines, 0) + coalesce(judged.lines, 0) as lines, coalesce(broken.rule, judged.rule) as rule,
        coalesce(broken.reason, case judged.rule
            when 'unusable_line' then 'a line of the same number cannot be read'
            when 'receipt_reused' then 'several places, tills or days have a receipt of this number'
            when 'duplicate_line' then 'two of its lines have the same number'
            when 'no_product' then 'one of its lines names no product'
            when 'negative_total' then 'a sale of ' || sold::decimal(18, 2)
            else 'its lines give ' || net::decimal(18, 2) || ', the receipt says ' || stated::decimal(18, 2) end)
            as reason
    from broken full join (select * from judged where rule is not null) judged on broken.key = judged.external_id
    order by line
"""


@dataclass(frozen=True)
class ReceiptFrames:
    """`orders` and `lines`: what a till knows of canonical.order and canonical.order_line, by receipt.

    An order's `row` is the source line it begins at. `set_aside`: `key` (null where a line names no receipt), `line`,
    `lines`, `rule`, `reason`. Source lines = rows of `lines` + the sum of `set_aside.lines`.
    """

    orders: pa.Table
    lines: pa.Table
    set_aside: pa.Table


def receipt_frames(rows: pa.Table, numbers: pa.Array) -> ReceiptFrames:
    """`rows`: what `map_frame` made of `ReceiptLine`s; `numbers`: the source line of each.

    An unusable line sets its whole receipt aside.
    """
    code, place = _places(rows["external_id"])
    given = rows.append_column("row", numbers).append_column("code", code).append_column("place", place)
    with duckdb.connect() as db:
        db.register("given", given)
        for statement in STEPS:
            db.execute(statement)
        return ReceiptFrames(*(db.sql(query).to_arrow_table() for query in (ORDERS, LINES, SET_ASIDE)))


def _places(ids: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Of each line: its receipt's place among all by id (-1 where it names none), and its own place in the receipt."""
    encoded = pc.cast(ids, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries().combine_chunks()
    whole = encoded if isinstance(encoded, pa.DictionaryArray) else encoded.chunk(0)
    rank = np.empty(len(whole.dictionary) + 1, dtype=np.int32)
    rank[pc.sort_indices(whole.dictionary).to_numpy()] = np.arange(len(whole.dictionary))
    rank[-1] = -1
    code = rank[pc.fill_null(whole.indices, len(whole.dictionary)).to_numpy()]
    order = np.argsort(code, kind="stable")
    begins = np.searchsorted(code[order], np.arange(-1, len(rank) - 1))
    place = np.empty(len(code), dtype=np.int32)
    place[order] = np.arange(len(code)) - begins[code[order] + 1] + 1
    return pa.array(code), pa.array(place)
