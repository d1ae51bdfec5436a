"""Every table of the hub. Names and meanings in canonical, ledger and mart are public: dashboards rely on them.

Raw tables (`raw_<connection>.<resource>`) are made on landing, one schema per connection; see `steps/land.py`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Identity,
    Index,
    Integer,
    Numeric,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CHAR, JSONB

from dagster_project.store import mart_tables  # noqa: F401 - their tables belong to the same metadata
from dagster_project.store.people import tables as people_tables  # noqa: F401 - their tables belong to the same metadata
from dagster_project.store.schema import AMOUNT, MOMENT, QUANTITY, key, metadata, source, table

# ── canonical: what is ────────────────────────────────────────────────────────────────────────────────────────────────

product = table(
    "product",
    "canonical",
    key("sku"),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("parent_sku", Text),
    Column("name", Text, nullable=False),
    Column("name_kk", Text),
    Column("brand", Text),
    Column("category", Text),
    Column("barcodes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("unit", Text),
    Column("weight_g", QUANTITY),
    Column("vat_rate", Numeric(6, 2)),
    Column("status", Text, nullable=False),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    Column("images", ARRAY(Text), nullable=False, server_default="{}"),
    source(),
    Column("deleted_at", MOMENT),
    Index("product_barcodes", "barcodes", postgresql_using="gin"),
    doc="One row per variant, from the connections with authority over product.",
)

location = table(
    "location",
    "canonical",
    key("location"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("city", Text),
    Column("address", Text),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    source(),
    Column("deleted_at", MOMENT),
    doc="Places that hold or hand out goods, under the hub's own names.",
)

stock_level = table(
    "stock_level",
    "canonical",
    key("sku"),
    key("location"),
    Column("on_hand", QUANTITY, nullable=False),
    Column("reserved_by_source", QUANTITY),
    Column("as_of", MOMENT, nullable=False),
    Column("connection", Text, nullable=False),
    source(),
    Column("deleted_at", MOMENT),
    doc="Last physical count, from the connection with authority over on-hand there. Never negative.",
)

price = table(
    "price",
    "canonical",
    key("sku"),
    key("price_type"),
    key("connection"),
    key("valid_from", MOMENT),
    Column("amount", AMOUNT, nullable=False),
    Column("currency", CHAR(3), nullable=False),
    Column("valid_to", MOMENT),
    Column("promotion", Text),
    source(),
    Column("deleted_at", MOMENT),
    doc="Base prices. valid_from is -infinity where the source states none.",
)

listing = table(
    "listing",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("variant", Text),
    Column("sku", Text),
    Column("barcode", Text),
    Column("title", Text),
    Column("url", Text),
    Column("status", Text),
    Column("observed_price", AMOUNT),
    Column("observed_stock", QUANTITY),
    Column("currency", CHAR(3)),
    Column("observed_at", MOMENT, nullable=False),
    source(),
    Column("deleted_at", MOMENT),
    Index("listing_sku", "connection", "sku"),
    doc="Variants as offered on channels, as last seen there.",
)

customer = table(
    "customer",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("name", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("middle_name", Text),
    Column("phones", ARRAY(Text), nullable=False, server_default="{}"),
    Column("emails", ARRAY(Text), nullable=False, server_default="{}"),
    Column("loyalty_ids", ARRAY(Text), nullable=False, server_default="{}"),
    Column("account_id", Text),
    Column("refs", ARRAY(Text), nullable=False, server_default="{}"),
    Column("tax_id", Text),
    Column("birth_date", Text),
    Column("gender", Text),
    Column("language", Text),
    Column("city", Text),
    Column("address", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("masked", ARRAY(Text), nullable=False, server_default="{}"),
    Column("created_at", MOMENT),
    Column("updated_at", MOMENT),
    source(),
    Column("deleted_at", MOMENT),
    Index("customer_phones", "phones", postgresql_using="gin"),
    Index("customer_emails", "emails", postgresql_using="gin"),
    doc="What each system says of a buyer. Contacts lie under the common key, names, address, birth date, tax id under "
    "the record's own (store/people/sealing.py).",
)

order = table(
    "order",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("placed_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT),
    Column("status", Text, nullable=False),
    Column("status_raw", Text),
    Column("person_id", Text),
    Column("customer", Text),
    Column("contact_name", Text),
    Column("contact_phone", Text),
    Column("contact_email", Text),
    Column("delivery", JSONB, nullable=False, server_default="{}"),
    Column("payment", JSONB, nullable=False, server_default="{}"),
    Column("delivery_cost", AMOUNT, nullable=False, server_default="0"),
    Column("discount", AMOUNT, nullable=False, server_default="0"),
    Column("total", AMOUNT, nullable=False),
    Column("currency", CHAR(3), nullable=False),
    Column("location", Text),
    Column("till", Text),
    Column("cashier", Text),
    Column("receipt_number", Text),
    Column("fiscal_sign", Text),
    Column("loyalty_id", Text),
    Column("returns", Text),
    Column("copy_of", Text),
    Column("day", Date),
    source(),
    Column("deleted_at", MOMENT),
    Index(
        "order_open",
        "connection",
        "status",
        postgresql_where=text("status not in ('completed','cancelled','returned')"),
    ),
    Index(
        "order_travels_back",
        "connection",
        postgresql_where=text("status = 'cancelled' and delivery ->> 'goods_travel_back' = 'true'"),
    ),
    Index("order_partition", "connection", "location", "day"),
    Index("order_customer", "connection", "customer"),
    Index("order_person", "person_id", "placed_at", postgresql_where=text("person_id is not null")),
    Index("order_placed", "placed_at", postgresql_using="brin"),
    Index("order_returns", "returns", postgresql_where=text("returns is not null")),
    doc="Sales and returns of every channel. day: local date of a receipt. copy_of: connection:id of the origin.",
)

order_line = table(
    "order_line",
    "canonical",
    key("connection"),
    key("external_id"),
    key("line"),
    Column("variant", Text),
    Column("sku", Text),
    Column("barcode", Text),
    Column("name", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", AMOUNT),
    Column("discount", AMOUNT, nullable=False, server_default="0"),
    Column("total", AMOUNT, nullable=False),
    Column("vat_rate", Numeric(6, 2)),
    Column("location", Text),
    doc="Lines of orders. sku is resolved through bindings; a sku no product has stays as given.",
)

order_event = table(
    "order_event",
    "canonical",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("status", Text, nullable=False),
    Column("status_raw", Text),
    Column("note", Text),
    source(),
    Index("order_event_order", "connection", "external_id"),
    doc="Moves of an order as they were learnt; a move backwards is kept here and does not change the order.",
)

reservation = table(
    "reservation",
    "canonical",
    key("connection"),
    key("external_id"),
    key("line"),
    Column("sku", Text, nullable=False),
    Column("location", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("state", Text, nullable=False),
    Column("placed_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Column("changed_at", MOMENT, nullable=False),
    Index("reservation_sku", "sku", "location"),
    doc="Promises of units to order lines: active, released, consumed (they left; below 0: came back) or short.",
)

# ── position: what can be promised ────────────────────────────────────────────────────────────────────────────────────

stock = table(
    "stock",
    "position",
    key("sku"),
    key("location"),
    Column("on_hand", QUANTITY, nullable=False),
    Column("reserved", QUANTITY, nullable=False, server_default="0"),
    Column("as_of", MOMENT, nullable=False),
    Column("connection", Text, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="1"),
    doc="A connection's counts folded with orders. reserved: active reservations and its reserves that are not ours.",
)

# ── ledger: what we want, sent, were told and saw ─────────────────────────────────────────────────────────────────────

item = table(
    "item",
    "ledger",
    key("connection"),
    key("capability"),
    key("subject"),
    Column("external_id", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("desired", JSONB),
    Column("sent", JSONB),
    Column("acknowledged", JSONB),
    Column("observed", JSONB),
    Column("desired_at", MOMENT),
    Column("sent_at", MOMENT),
    Column("acknowledged_at", MOMENT),
    Column("observed_at", MOMENT),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("plan", BigInteger),
    fill=70,
    doc="One row per (connection, capability, subject). version counts changes of desired; state is one of six.",
)

plan = table(
    "plan",
    "ledger",
    Column("plan", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, nullable=False),
    Column("capability", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("rows", Integer, nullable=False, server_default="0"),
    Column("held", Integer, nullable=False, server_default="0"),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    Column("decided_by", Text),
    Column("decided_at", MOMENT),
    Column("why", Text),
    Column("undoes", BigInteger),
    Column("run", Text),
    Index("plan_undoes", "connection", "capability", postgresql_where=text("undoes is not null")),
    doc="Frozen plans: held, released, rejected or superseded. held: rows a guard stopped.",
)

outbox = table(
    "outbox",
    "ledger",
    key("connection"),
    key("capability"),
    key("subject"),
    Column("plan", BigInteger, nullable=False),
    Column("external_id", Text),
    Column("was", JSONB),
    Column("becomes", JSONB),
    Column("because", Text),
    Column("guard", Text),
    Column("version", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("not_before", MOMENT, nullable=False, server_default="epoch"),
    Column("claimed_by", Text),
    Column("claimed_until", MOMENT),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("about", JSONB, nullable=False, server_default="{}"),
    Index("outbox_due", "connection", "capability", "not_before"),
    fill=50,
    doc="Changes to deliver, at most one per subject: held, ready, sending (a request may have left) or unknown. "
    "not_before: the year 9999 while held, so that what is due stands together.",
)

change = table(
    "change",
    "ledger",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("plan", BigInteger),
    Column("connection", Text, nullable=False),
    Column("capability", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("was", JSONB),
    Column("becomes", JSONB),
    Column("because", Text),
    Column("guard", Text),
    Column("outcome", Text, nullable=False),
    Column("message", Text),
    Column("key", Text),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("batch", BigInteger),
    Index("change_subject", "subject", "connection"),
    Index("change_plan", "plan", postgresql_using="brin"),  # the journal of a plan stands together
    doc="Append-only journal: planned, held, approved, dropped, superseded, observed, or an outcome. "
    "batch: what left together; its requests have the same number in ledger.attempt.",
)

attempt = table(
    "attempt",
    "ledger",
    Column("attempt", BigInteger, Identity(), primary_key=True),
    Column("plan", BigInteger),
    Column("connection", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("method", Text),
    Column("path", Text),
    Column("status", Integer),
    Column("outcome", Text, nullable=False),
    Column("seconds", Double),
    Column("capability", Text),
    Column("batch", BigInteger),
    Index("attempt_batch", "batch", postgresql_where=text("batch is not null")),
    doc="One row per request sent, redacted. batch: the changes it carried have the same number in ledger.change.",
)

quarantine = table(
    "quarantine",
    "ledger",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("entity", Text, nullable=False, server_default=""),
    Column("key", Text, nullable=False),
    Column("line", Integer, nullable=False, server_default="0"),
    Column("lines", Integer, nullable=False, server_default="1"),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("raw_id", BigInteger),
    Column("waits_for", JSONB),
    Index("quarantine_record", "connection", "resource", "entity", "key", "line", unique=True),
    doc="Records set aside: open, replayed or dropped. lines: source lines it stands for. The payload stays in raw. "
    "waits_for: the variant, sku or barcode whose appearance replays it.",
)

# ── hub: what the machinery remembers ─────────────────────────────────────────────────────────────────────────────────

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
    "person, consent (person id), member (segment/person). due: not before.",
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

TABLES = {f"{one.schema}.{one.name}": one for one in metadata.tables.values()}
