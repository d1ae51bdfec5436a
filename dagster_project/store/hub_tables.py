"""Tables of what the machinery remembers."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Identity, Index, Integer, Numeric, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from dagster_project.store.schema import MOMENT, key, table

cursor = table(
    "cursor",
    "hub",
    key("connection"),
    key("resource"),
    Column("value", Text),
    Column("mapped_through", BigInteger, nullable=False, server_default="0"),
    Column("last_run_at", MOMENT),
    Column("last_full_at", MOMENT),
    Column("fresh_at", MOMENT),
    Column("error", Text),
    doc="Position of each resource, written with the rows it stands for. fresh_at: last run that ended normally.",
)

hint = table(
    "hint",
    "hub",
    key("connection"),
    key("resource"),
    key("key"),
    Column("heard_at", MOMENT, nullable=False),
    doc="Records of which a vendor's call said that something happened to them, until they are read again.",
)

dirty = table(
    "dirty",
    "hub",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("entity", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("because", Text),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("due", MOMENT),
    doc="Subjects to decide anew: entity stock, price, product, listing (sku), order and customer (connection:id), "
    "person, consent (person id), member (segment/person), category, brand, name (sku: of goods). due: not before.",
)

binding = table(
    "binding",
    "hub",
    key("connection"),
    key("entity"),
    key("external_id"),
    Column("our_id", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("since", MOMENT, nullable=False, server_default=func.now()),
    Column("confidence", Numeric(4, 3)),
    Index("binding_ours", "connection", "entity", "our_id"),
    doc="External id to canonical id. entity: variant (to sku), location, order (copy to connection:id of its origin).",
)

order_request = table(
    "order_request",
    "hub",
    key("connection"),
    key("external_id"),
    Column("asked", JSONB, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("why", Text),
    Column("at", MOMENT, nullable=False),
    doc="What a person asked of an order at its origin: an end, lines to keep, that a pre-order's goods arrived.",
)

sku_claim = table(
    "sku_claim",
    "hub",
    key("connection"),
    key("external_id"),
    key("sku"),
    Column("place", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Index("sku_claim_sku", "connection", "sku"),
    doc="Names a variant could go by, best first (place). A name that two active variants claim is a name of neither.",
)

bucket = table(
    "bucket",
    "hub",
    key("account"),
    Column("tokens", Double, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("paused_until", MOMENT),
    doc="Token buckets of vendors' accounts, shared by all processes.",
)

feed = table(
    "feed",
    "hub",
    key("connection"),
    Column("version", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("published_at", MOMENT, nullable=False),
    Column("first_at", MOMENT, nullable=False),
    Column("uncounted", JSONB, nullable=False, server_default="{}"),
    doc="The snapshot each connection publishes now. first_at: when its first version was published. uncounted: "
    "capability to rows shown otherwise that no delivery of it has reported yet.",
)

feed_fetch = table(
    "feed_fetch",
    "hub",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("status", Integer, nullable=False),
    Column("version", Text),
    Column("complete", Boolean, nullable=False),
    Index("feed_fetch_connection", "connection", "at"),
    doc="Who came for a feed: a complete 200 of a version confirms it.",
)
