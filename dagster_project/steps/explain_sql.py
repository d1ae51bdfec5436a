"""The questions of `explain`: each gives rows (hop, at, connection, detail) about one SKU or one order.

Parameters: `id` (a SKU, or connection:external_id of an order), `connection` and `external_id` (of an order),
`capabilities` (those that can be about it).
"""

_SOURCE = (
    "source ->> 'resource' || ' ' || coalesce(source ->> 'key', '') || coalesce(', line ' || (source ->> 'line'), '')"
)
_OBSERVED = "(source ->> 'observed_at')::timestamptz"
_LOADED = "coalesce(', load ' || (source ->> 'load_id'), '')"


def _told(table: str, where: str, mapped: str) -> tuple[str, str]:
    """The source's record and what it was mapped to."""
    told = f"{_OBSERVED} as at, source ->> 'connection' as connection"
    version = "' (mapping ' || coalesce(source ->> 'mapping', '1') || ')'"
    return (
        f"select distinct 'source' as hop, {told}, {_SOURCE} || {_LOADED} as detail from {table} where {where}",
        f"select 'mapping' as hop, {told}, {mapped} || {version} as detail from {table} where {where}",
    )


_DELETED = "case when deleted_at is null then '' else ', deleted' end"
_PRODUCT = _told("canonical.product", "sku = :id", f"'product: ' || name || ', ' || status || {_DELETED}")
_PRICE = _told(
    "canonical.price", "sku = :id", f"'price ' || price_type || ': ' || amount || ' ' || currency || {_DELETED}"
)
_LEVEL = _told(
    "canonical.stock_level", "sku = :id", f"'count in ' || location || ': ' || trim_scale(on_hand) || {_DELETED}"
)
_LISTING = _told(
    "canonical.listing",
    "sku = :id",
    "'listing ' || external_id || ': shows price ' || coalesce(observed_price::text, 'unknown') || ', stock '"
    f" || coalesce(trim_scale(observed_stock)::text, 'unknown') || {_DELETED}",
)

HOPS_OF_SKU = (
    *_PRODUCT,
    *_PRICE,
    *_LEVEL,
    *_LISTING,
    """
select 'mapping' as hop, since as at, connection, 'bound: ' || external_id || ' is this SKU, by ' || how as detail
from hub.binding where entity = 'variant' and our_id = :id
""",
    """
select 'position' as hop, as_of as at, connection,
       location || ': ' || trim_scale(on_hand) || ' on hand, ' || trim_scale(reserved) || ' reserved' as detail
from position.stock where sku = :id
""",
    """
select 'position' as hop, changed_at as at, connection,
       'order ' || external_id || ' line ' || line || ': ' || trim_scale(quantity) || ' ' || state
       || coalesce(' in ' || location, '') as detail
from canonical.reservation where sku = :id and state in ('active', 'short')
""",
)

_ORDER = _told(
    'canonical."order"',
    "connection = :connection and external_id = :external_id",
    "kind || ' ' || number || ' of ' || channel || ': ' || status || ', ' || total || ' ' || currency"
    " || coalesce(', copy of ' || copy_of, '')",
)

HOPS_OF_ORDER = (
    *_ORDER,
    """
select 'mapping' as hop, at, connection, 'became ' || status || coalesce(' (' || status_raw || ')', '') as detail
from canonical.order_event where connection = :connection and external_id = :external_id
""",
    """
select 'mapping' as hop, updated_at as at, connection,
       'known as ' || number || ' there: ' || status as detail
from canonical."order" where copy_of = :id
""",
    """
select 'position' as hop, changed_at as at, connection,
       'line ' || line || ': ' || trim_scale(quantity) || ' of ' || sku || ' ' || state
       || coalesce(' in ' || location, '') as detail
from canonical.reservation where connection = :connection and external_id = :external_id
""",
)

# Of an order only the status is told: the rest of its value is the buyer's.
_SHOWN = """
case when {0} is null then 'nothing' when jsonb_typeof({0}) = 'object' and capability like 'order.%'
     then coalesce({0} ->> 'status', 'a copy') else {0}::text end
"""
_OUTCOMES = "('accepted', 'rejected', 'deferred', 'unknown', 'published')"

HOPS_OF_LEDGER = (
    f"""
select 'decision' as hop, desired_at as at, connection,
       capability || ': ' || state || ', should show ' || {_SHOWN.format("desired")}
       || coalesce(', ' || reason, '') as detail
from ledger.item where subject = :id and capability = any(:capabilities)
""",
    f"""
select case when outcome in ('planned', 'superseded') then 'decision' else 'guard' end as hop, at, connection,
       capability || coalesce(' plan ' || plan, '') || ' ' || outcome || ': '
       || {_SHOWN.format("was")} || ' → ' || {_SHOWN.format("becomes")}
       || coalesce(' because ' || because, '') || coalesce(', guard ' || guard, '')
       || coalesce(', ' || message, '') as detail
from ledger.change where subject = :id and capability = any(:capabilities)
  and outcome in ('planned', 'held', 'approved', 'dropped', 'superseded')
""",
    """
select 'request' as hop, a.at, a.connection,
       c.capability || ': ' || a.method || ' ' || a.path || ' → ' || coalesce(a.status::text, 'no answer')
       || ', ' || a.outcome || ', ' || round(a.seconds::numeric, 2) || ' s' as detail
from ledger.change c join ledger.attempt a using (batch)
where c.subject = :id and c.capability = any(:capabilities)
""",
    f"""
select case when coalesce(message, '') like 'read back%' then 'read-back' when outcome = 'published' then 'request'
            else 'reply' end as hop, at, connection,
       capability || ' ' || outcome || ': ' || {_SHOWN.format("becomes")} || coalesce(', ' || message, '') as detail
from ledger.change where subject = :id and capability = any(:capabilities) and outcome in {_OUTCOMES}
""",
    f"""
select 'read-back' as hop, observed_at as at, connection,
       capability || ': the channel shows ' || {_SHOWN.format("observed")} as detail
from ledger.item where subject = :id and capability = any(:capabilities) and observed_at is not null
""",
    """
select 'read-back' as hop, at, connection, capability || ': ' || message as detail
from ledger.change where subject = :id and capability = any(:capabilities) and outcome = 'observed'
""",
)
