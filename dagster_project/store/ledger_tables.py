"""Tables of the ledger: what we want, sent, were told and saw."""

from sqlalchemy import DDL, BigInteger, Boolean, Column, Double, Identity, Index, Integer, Text, event, func, text
from sqlalchemy.dialects.postgresql import JSONB

from dagster_project.store.schema import MOMENT, key, table

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
    Column("overtaken", Boolean, nullable=False, server_default="false"),
    Column("about", JSONB, nullable=False, server_default="{}"),
    Index("outbox_due", "connection", "capability", "not_before"),
    fill=40,
    doc="Changes to deliver, at most one per subject: held, ready, sending (a request may have left) or unknown. "
    "not_before: the year 9999 while held, so that what is due stands together. overtaken: while its request was on "
    "its way its item came to want something else; should it come back, it is dropped instead of sent again.",
)

# Workers come and go within a chunk. From statistics the planner would know that no row is claimed, take its own rows
# for one, and compare every row of a chunk with every other.
event.listen(outbox, "after_create", DDL("alter table ledger.outbox alter claimed_by set statistics 0"))

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
