"""Tables for dashboards. Persons appear by their ids alone, contacts never.

`value` is what the table is called after, `n` how many things it is a value of; the formulas are in `mappings/metrics`
and `mappings/forecast`. Segments overlap: `all` is everybody.
"""

from sqlalchemy import BigInteger, Column, Date, Double, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import Table

from dagster_project.store.schema import MOMENT, key, table


def _counts(*names: str) -> list[Column[object]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[object]]:
    return [Column(name, Double) for name in names]


def _mart(name: str, keys: tuple[str, ...], *values: Column[object], doc: str) -> Table:
    days = {"day": Date, "age": Integer}
    return table(name, "mart", *(key(one, days.get(one, Text)) for one in keys), *values, doc=doc)


WHERE = ("day", "channel", "segment")

nps = _mart(
    "nps",
    WHERE,
    *_counts("promoters", "detractors", "n"),
    *_numbers("value", "low", "high"),
    doc="Net promoter score, points; the last answer per person and month. low, high: 95 %.",
)
csat = _mart(
    "csat",
    WHERE,
    *_counts("satisfied", "n"),
    *_numbers("value", "low", "high"),
    doc="Answers of 4-5 of 5, per cent; the last answer per person and month. low, high: 95 %.",
)
average_check = _mart(
    "average_check",
    (*WHERE, "currency"),
    *_counts("n"),
    *_numbers("total", "value"),
    doc="Money of sales / sales.",
)
frequency = _mart(
    "frequency",
    WHERE,
    *_counts("orders", "n"),
    *_numbers("value"),
    doc="Purchases / known buyers of a month (day: its first). Channel `all`: over all channels.",
)
retention = _mart(
    "retention",
    (*WHERE, "age"),
    *_counts("kept", "n"),
    *_numbers("value"),
    doc="Share of those who first bought in a month (day: its first) that bought again age months later.",
)
clv = _mart(
    "clv",
    ("day", "segment"),
    *_counts("n"),
    *_numbers("total", "value"),
    doc="Expected money of the next 12 months / persons, as it stood on each day.",
)
conversion = _mart(
    "conversion",
    ("day", "channel", "campaign", "segment"),
    *_counts("ordered", "within", "responded", "n"),
    *_numbers("value"),
    doc="Contacts followed by an order within 30 days / contacts. within: in the channel itself; responded: clicked or "
    "redeemed what the campaign offered.",
)
cross_conversion = _mart(
    "cross_conversion",
    WHERE,
    *_counts("converted", "n"),
    *_numbers("value"),
    Column("to_channels", JSONB, nullable=False),
    doc="Contacts whose next order, within 30 days, was placed in another channel / contacts.",
)
engagement = _mart(
    "engagement",
    WHERE,
    *_counts("letters", "opened", "clicked", "n"),
    *_numbers("points", "value"),
    doc="Points of interest shown so far, each halved every 30 days, at the day's end. n: persons who showed some that "
    "day; letters: sent that day, and how many of them were opened and clicked.",
)
engagement_person = table(
    "engagement_person",
    "mart",
    key("person_id"),
    key("channel"),
    Column("value", Double, nullable=False),
    Column("at", MOMENT, nullable=False),
    doc="Points of a person as they stood at a moment; they halve every 30 days from it.",
)
journey = table(
    "journey",
    "mart",
    key("order"),
    Column("day", Date, nullable=False),
    Column("channel", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("first_at", MOMENT, nullable=False),
    Column("ordered_at", MOMENT, nullable=False),
    Column("path", ARRAY(Text), nullable=False),
    Column("touches", JSONB, nullable=False),
    *_counts("n"),
    *_numbers("value"),
    doc="Orders that a contact led to. value: days from the first contact to the purchase; path: channels on the way; "
    "touches: channel to how often it was met.",
)
attribution = _mart(
    "attribution",
    (*WHERE, "currency", "model"),
    *_numbers("value", "n"),
    doc="Money of orders shared among the channels that led to them, by model: first, last, linear, time_decay, "
    "removal. n: orders, in shares.",
)
cancellation = _mart(
    "cancellation",
    WHERE,
    *_counts("cancelled", "n"),
    *_numbers("value"),
    doc="Sales that were cancelled / sales placed, by the day they were placed.",
)
promise = _mart(
    "promise",
    WHERE,
    *_counts("kept", "n"),
    *_numbers("value"),
    doc="Sales delivered by the end of the promised day / sales delivered that had one, by the day they were placed.",
)
availability = _mart(
    "availability",
    WHERE,
    *_counts("available", "n"),
    *_numbers("value"),
    doc="Goods with something to sell / goods listed on the channel, as it stood on each day. Channel `all`: active "
    "goods.",
)
forecast = _mart(
    "forecast",
    ("sku", "location", "day"),
    Column("kind", Text, nullable=False),
    Column("method", Text, nullable=False),
    *_counts("n"),
    *_numbers("value"),
    doc="Units expected to be asked for in the week that begins on day. n: weeks known of the past.",
)
reorder = _mart(
    "reorder",
    ("sku", "location"),
    Column("day", Date, nullable=False),
    *_numbers("available", "reorder_point", "order_up_to", "need", "transfer_in", "transfer_out", "purchase", "value"),
    doc="What to order on day: value = purchase, after transfers from places that have too much.",
)
stock_out = table(
    "stock_out",
    "mart",
    key("sku"),
    key("location"),
    key("day", Date),
    doc="Days on which a place had nothing to sell: demand was not seen then, which is not zero.",
)
made = table(
    "made",
    "mart",
    key("mart"),
    key("facts"),
    key("day", Date),
    Column("print", Numeric, nullable=False),
    doc="What the facts of a day looked like when a mart was made of them; another look, and it is made anew.",
)
looked = table(
    "looked",
    "mart",
    key("what"),
    Column("upto", BigInteger, nullable=False),
    doc="The oldest transaction that was not over when somebody last looked for rows written since. what: marts.",
)

MARTS = {
    one.name: one
    for one in (nps, csat, average_check, frequency, retention, clv, conversion, cross_conversion, engagement, journey,
                attribution, cancellation, promise, availability, forecast, reorder)
}  # fmt: skip
