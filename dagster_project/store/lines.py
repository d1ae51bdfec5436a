"""Lines of orders and carts: they are replaced with their head, touching only those that really differ."""

from dagster_project.store.bindings import resolved
from dagster_project.store.tables import TABLES

_JOINS, _SKU = resolved("i")


def lines_of(entity: str) -> str:
    """CTEs of a `with` that has the heads: `latest` as they came, `heads` those that differ. `changed` holds the
    external ids of heads that differ, themselves or in a line; `resolved` all lines that came, `unbound` where no
    product has the sku.

    `entity`: order_line or cart_line. A sku is the one that bindings know, else as it was given.
    """
    columns = [column.name for column in TABLES[f"canonical.{entity}"].columns if not column.primary_key]
    listed = ", ".join(columns)
    came = ", ".join("r.bound" if name == "sku" else f"r.{name}" for name in columns)
    return f"""
resolved as materialized (
  select i.*, coalesce({_SKU}, i.sku) as bound,
         not exists (select from canonical.product q where q.sku = coalesce({_SKU}, i.sku)) as unbound
  from incoming_{entity} i join latest l on l.external_id = i.external_id and l.seq = i.seq {_JOINS}
), gone as (
  delete from canonical.{entity} t using latest l
  where t.connection = :connection and t.external_id = l.external_id
    and not exists (select from resolved r where r.external_id = t.external_id and r.line = t.line)
  returning t.external_id
), differing as materialized (
  select r.external_id, r.line, {came}
  from resolved r left join canonical.{entity} t
    on t.connection = :connection and t.external_id = r.external_id and t.line = r.line
  where t.line is null or ({", ".join(f"t.{name}" for name in columns)}) is distinct from ({came})
), lines as (
  insert into canonical.{entity} (connection, external_id, line, {listed})
  select :connection, d.* from differing d
  on conflict (connection, external_id, line) do update
    set {", ".join(f"{name} = excluded.{name}" for name in columns)}
), changed as materialized (
  select external_id from heads union select external_id from gone union select external_id from differing
)"""
