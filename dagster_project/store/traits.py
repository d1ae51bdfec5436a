"""A product that is described otherwise than before: whoever bought it may belong elsewhere now.

The marks name goods, not people, so that storing a product costs the same whether ten bought it or a million. They are
dirt of their own kinds, one a trait with the sku as its subject: whoever settles memberships takes them, and looks for
buyers only where a segment asks for that trait.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from dagster_project.store.people import among

TRAITS = ("category", "brand", "name")
"""Columns of canonical.product of which a segment may ask, and kinds of dirt in hub.dirty."""

WAS = f"jsonb_build_object({', '.join(f'{trait!r}, t.{trait}' for trait in TRAITS)})"
"""The traits of a product `t` before it is stored anew."""

CHANGED = " union all ".join(
    f"select '{trait}', sku from merged where {trait} is distinct from was ->> '{trait}'" for trait in TRAITS
)
"""Trait and sku of what `merged` holds, if it kept WAS."""

RENAMED = f"""
select trait, sku from renamed
cross join unnest(array[was, becomes]) sku cross join unnest(array[{", ".join(map(repr, TRAITS))}]) trait
"""
"""Both names of a variant that goes by another sku: its product is described under the new one from now on."""


def marked(traits: str) -> str:
    """A CTE that marks what the query `traits` (trait, sku) gives. While there is no segment nobody is looked for: a
    new one looks at everybody."""
    return f"""
traits as (
  insert into hub.dirty (entity, subject, because)
  select distinct trait, sku, :because from ({traits}) c(trait, sku)
  where sku is not null and exists (select from segment.definition)
)"""


# ── who bought it ─────────────────────────────────────────────────────────────────────────────────────────────────────

_INDEXED = text("select to_regclass('canonical.order_line_sku') is not null")
_INDEX = text("create index order_line_sku on canonical.order_line (sku)")
_BUYERS = """
select o.person_id from canonical.order_line i join canonical."order" o using (connection, external_id)
where i.sku = any(:skus) and o.person_id is not null
"""


def stage_buyers(db: Connection, trait: str, skus: Sequence[str]) -> None:
    """Adds those who bought one of these to the persons staged.

    The index is made when it is needed first. With it a line costs twice as much to store, and a hub that loads years
    of receipts and asks nothing of goods shall not pay for it.
    """
    if not db.execute(_INDEXED).scalar():
        db.execute(_INDEX)
    among.stage_more(db, _BUYERS, f"the {trait} of goods bought changed", skus=list(skus))
