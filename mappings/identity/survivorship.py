"""Which value of a person wins, field by field, and who said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mappings.relations import unordered

VALUES = pa.schema(
    {
        "person_id": pa.string(),
        "field": pa.string(),
        "value": pa.string(),
        "record": pa.int64(),
        "connection": pa.string(),
        "verified": pa.bool_(),
        "status": pa.string(),
        "at": pa.timestamp("us", "UTC"),
    }
)
"""What records say. `status` of a phone or e-mail: ok, shared, common, placeholder, proxy; of a name null, shared (one
word of it names nobody) or placeholder; of a birth date null or placeholder; null for other fields."""

PINS = pa.schema({"person_id": pa.string(), "field": pa.string(), "value": pa.string(), "instead_of": pa.string()})
"""A value set by hand, and the one that would have won then: when that changes, its source has spoken again and the
pin ends."""

GOLDEN = pa.schema(
    {
        "person_id": pa.string(),
        "field": pa.string(),
        "value": pa.string(),
        "place": pa.int64(),
        "record": pa.int64(),
        "connection": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "rule": pa.string(),
    }
)
"""`place` 1 is the primary; lists go on with 2, 3, …. `rule`: what decided for this value against the next best."""


@dataclass(frozen=True)
class Authority:
    """How the values of a field are weighed. `order`: connections, the most trusted first; others come after them all.

    `many`: all values are kept, with one primary. `fullest`: of a connection's values the longest is best, as for
    names.
    """

    order: Sequence[str] = ()
    many: bool = False
    fullest: bool = False


def golden(values: pa.Table, authorities: Mapping[str, Authority], pins: pa.Table | None = None) -> pa.Table:
    """GOLDEN rows of the persons in VALUES; a field without an authority goes by verified, recent, frequent alone.

    Values of nobody (common, placeholder) never win, a proxy never, a shared one is primary only where nothing else is.
    """
    return unordered(
        _GOLDEN,
        spoken=values,
        ranks=_ranks(authorities),
        kinds=_kinds(authorities),
        pins=PINS.empty_table() if pins is None else pins,
    ).cast(GOLDEN)


def _ranks(authorities: Mapping[str, Authority]) -> pa.Table:
    rows = [(field, name, place) for field, how in authorities.items() for place, name in enumerate(how.order)]
    fields, connections, places = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        [list(fields), list(connections), list(places)],
        schema=pa.schema({"field": pa.string(), "connection": pa.string(), "rank": pa.int64()}),
    )


def _kinds(authorities: Mapping[str, Authority]) -> pa.Table:
    return pa.table(
        [list(authorities), [how.many for how in authorities.values()], [how.fullest for how in authorities.values()]],
        schema=pa.schema({"field": pa.string(), "many": pa.bool_(), "fullest": pa.bool_()}),
    )


_GOLDEN = """
with said as (
  select s.* exclude ("at"), s."at" as moment, coalesce(r.rank, 1000000) as rank, coalesce(k.many, false) as many,
         case when coalesce(k.fullest, false) then length(value) else 0 end as fullness,
         coalesce(status = 'shared', false) as shared,
         count(*) over (partition by person_id, field, value) as times
  from spoken s left join ranks r using (field, connection) left join kinds k using (field)
  where value <> '' and coalesce(status, 'ok') in ('ok', 'shared')
),
best as (
  select * from said qualify row_number() over (partition by person_id, field, value
    order by shared, rank, verified desc nulls last, fullness desc, moment desc nulls last, times desc, record) = 1
),
placed as (
  select *, row_number() over chosen as place, lead(rank) over chosen as next_rank, lead(verified) over chosen as
    next_verified,
         lead(shared) over chosen as next_shared, lead(fullness) over chosen as next_fullness, lead(moment) over
         chosen as next_moment
  from best
  window chosen as (partition by person_id, field
    order by shared, rank, verified desc nulls last, fullness desc, moment desc nulls last, times desc, value)
),
told as (
  select person_id, field, value, place, record, connection, moment, many,
         case when next_rank is null then 'only value'
              when next_shared <> shared then 'not shared'
              when next_rank <> rank then 'order of sources'
              when next_verified is distinct from verified then 'verified'
              when next_fullness <> fullness then 'fullest'
              when next_moment is distinct from moment then 'most recent'
              else 'most frequent' end as rule
  from placed
),
pinned as (
  select p.person_id, p.field, p.value from pins p left join told t on t.person_id = p.person_id and t.field = p.field
    and t.place = 1
  where p.instead_of is not distinct from t.value
)
select person_id, field, value, 1 as place, null as record, null as connection, null as "at", 'pinned' as rule from
  pinned
union all
select t.person_id, t.field, t.value, row_number() over (partition by t.person_id, t.field order by t.place)
         + if(any_value(p.value) over (partition by t.person_id, t.field) is null, 0, 1) as place,
       t.record, t.connection, t.moment, t.rule
from told t left join pinned p on p.person_id = t.person_id and p.field = t.field
where (t.many or (t.place = 1 and p.value is null)) and t.value is distinct from p.value
order by person_id, field, place
"""
