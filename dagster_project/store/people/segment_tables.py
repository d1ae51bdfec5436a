"""Tables of segments: what people bought as sums, who belongs where, and by which rules of which day."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB

from dagster_project.store.schema import AMOUNT, MOMENT, key, table

person_value = table(
    "person_value",
    "segment",
    key("person_id"),
    Column("orders", Integer, nullable=False, server_default="0"),
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("sum", AMOUNT, nullable=False, server_default="0"),
    Column("days", Integer, nullable=False, server_default="0"),
    Column("summed_orders", Integer, nullable=False, server_default="0"),
    Column("summed_days", Integer, nullable=False, server_default="0"),
    Column("first_at", MOMENT),
    Column("last_at", MOMENT),
    Column("first_day", Date),
    Column("last_day", Date),
    Column("channels", JSONB, nullable=False, server_default="{}"),
    Column("median_gap", Double),
    Column("last_gap", Double),
    Column("earlier_gap", Double),
    Column("lifecycle", Text),
    Column("lifecycle_until", Date),
    Column("recency", Integer),
    Column("frequency", Integer),
    Column("monetary", Integer),
    Column("alive", Double),
    Column("expected_orders", Double),
    Column("clv", AMOUNT),
    Column("as_of", Date),
    fill=70,
    doc="What a person bought, as sums that add up: orders, money less returns, first, last, purchase days, by "
    "channel. Money is in the hub's currency; summed_orders and summed_days are those it is of. RFM scores 1-5, "
    "lifecycle and the day it ends by itself, P(alive), expected orders and value in the next 12 months, all as of a "
    "day.",
)

model = table(
    "model",
    "segment",
    key("kind"),
    key("fitted_on", Date),
    Column("parameters", JSONB, nullable=False),
    Column("people", Integer, nullable=False),
    doc="Dated: borders of RFM (rfm, daily), parameters of BG/NBD (purchasing) and Gamma-Gamma (spending), weekly.",
)

definition = table(
    "definition",
    "segment",
    key("segment"),
    Column("body", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("seen_at", MOMENT, nullable=False),
    Column("evaluated_at", MOMENT),
    Column("full_at", MOMENT),
    Column("live_since", MOMENT),
    Column("live_by", Text),
    Column("stopped_by", Text),
    doc="Segments as their files last said them. evaluated_at: up to when the passing of time was looked at; full_at: "
    "when everybody was; live_since: when a person activated it, null before: nothing of it leaves the hub; "
    "stopped_by: a mistake that kept everybody where he was at the last look, null where there was none.",
)

membership = table(
    "membership",
    "segment",
    key("segment"),
    key("person_id"),
    Column("since", MOMENT, nullable=False),
    Column("hold_out", Boolean, nullable=False, server_default="false"),
    Column("why", Text),
    Index("segment_membership_person", "person_id"),
    doc="Who is in which segment now. hold_out: in it, but never written to, for comparison.",
)

change = table(
    "change",
    "segment",
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("segment", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("cause", Text),
    Index("segment_change_person", "person_id", "segment"),
    Index("segment_change_at", "segment", "at"),
    doc="entered and left, in order.",
)

coverage = table(
    "coverage",
    "segment",
    key("segment"),
    key("channel"),
    key("day", Date),
    Column("members", Integer, nullable=False),
    Column("reachable", Integer, nullable=False),
    doc="How many members of a live segment agreed to be reached by a channel, day by day.",
)

VIEWS = {
    "canonical.segment_member": """
select segment, person_id, at as entered_at, ended_at as left_at, coalesce(ended_by, cause) as why
from (
  select segment, person_id, change, at, cause, lead(at) over stay as ended_at, lead(cause) over stay as ended_by
  from segment.change window stay as (partition by person_id, segment order by seq)
) stays
where change = 'entered'""",
}
"""A stay in a segment: left_at is null while it lasts; why it began, or, once it is over, why it ended."""
