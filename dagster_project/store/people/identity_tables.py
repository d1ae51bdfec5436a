"""What identity works with: keys and features of records, weighed pairs, what people decided of them.

Derived from the canonical tables, but for overrides and pins: a full run makes all of it anew.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Double, Identity, Index, Text, text

from dagster_project.store.schema import MOMENT, key, table
from mappings.identity.rules import RuleVersion

mention = table(
    "mention",
    "identity",
    key("entity"),
    key("connection"),
    key("external_id"),
    Column("record", BigInteger, nullable=False),
    Index("mention_record", "record"),
    doc="Orders, events and points that name no customer: the record made of the contacts they carry. Equal contacts "
    "are one record, or a loyal guest's hundredth order would make his phone look like a placeholder.",
)

feature = table(
    "feature",
    "identity",
    key("record", BigInteger),
    Column("connection", Text, nullable=False),
    Column("first", Text),
    Column("last", Text),
    Column("birth", Date),
    Column("city", Text),
    Column("first_share", Double),
    Column("last_share", Double),
    Column("established", Boolean, nullable=False),
    fill=90,
    doc="What of a record can be compared: keys of names and towns, dates that say something, shares of the names.",
)

identifier = table(
    "identifier",
    "identity",
    key("record", BigInteger),
    key("kind"),
    key("value", BigInteger),
    Index("identifier_value", "kind", "value", "record"),
    doc="Keys of records: digests of phones, e-mails, cards, accounts, references, names with dates or flats.",
)

identifier_stat = table(
    "identifier_stat",
    "identity",
    key("kind"),
    key("value", BigInteger),
    Column("records", BigInteger, nullable=False),
    Column("names", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    doc="How many records and first names hold a value that several records hold. status: ok, shared (makes pairs, "
    "links by name only), common, blocked (no key). Of a value over its cap `records` says only that it is over.",
)

edge = table(
    "edge",
    "identity",
    key("a", BigInteger),
    key("b", BigInteger),
    Column("weight", Double, nullable=False),
    *(
        Column(name, Double)
        for name in (
            "phone", "email", "loyalty", "reference", "account", "first", "last", "birth", "city", "rare",
        )
    ),
    Index("edge_b", "b"),
    Index("edge_review", "weight", "a", "b", postgresql_where=text(f"weight < {RuleVersion().link}")),
    doc="Pairs of records (a < b) that may be one person, with the bits that each evidence adds.",
)  # fmt: skip

link_aside = table(
    "link_aside",
    "identity",
    key("a", BigInteger),
    key("b", BigInteger),
    Column("reason", Text, nullable=False),
    Index("link_aside_b", "b"),
    doc="Links that a veto put aside, each with its reason.",
)

edge_override = table(
    "edge_override",
    "identity",
    key("a", BigInteger),
    key("b", BigInteger),
    Column("verdict", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text),
    Column("at", MOMENT, nullable=False),
    Index("edge_override_b", "b"),
    CheckConstraint("a < b and verdict in ('must_link', 'must_not_link')", name="edge_override_is_a_verdict"),
    doc="What a person decided of two records; it stands above every rule.",
)

pin = table(
    "pin",
    "identity",
    key("person_id"),
    key("field"),
    Column("value", Text, nullable=False),
    Column("instead_of", Text),
    Column("who", Text, nullable=False),
    Column("why", Text),
    Column("at", MOMENT, nullable=False),
    doc="A value of the golden record set by hand. It wins until the value it replaced (instead_of) changes.",
)

population = table(
    "population",
    "identity",
    Column("population", BigInteger, Identity(), primary_key=True),
    Column("rule_version", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("persons", BigInteger, nullable=False),
    doc="What was usual in the base when a rule version began; the newest row counts.",
)

population_name = table(
    "population_name",
    "identity",
    key("population", BigInteger),
    key("key"),
    Column("as_first", BigInteger, nullable=False),
    Column("as_last", BigInteger, nullable=False),
    doc="How often a name stood as a first and as a last name.",
)

population_date = table(
    "population_date",
    "identity",
    key("population", BigInteger),
    key("birth", Date),
    doc="Birthdays that tills invent.",
)

VIEWS = {
    "canonical.timeline": """
select person_id, placed_at as at, case when kind = 'return' then 'return' when channel = 'store' then 'receipt'
       else 'order' end as kind, channel, connection, external_id,
       concat_ws(' ', number, status, total, currency) as detail
from canonical."order" where person_id is not null and deleted_at is null
union all
select person_id, at, kind, channel, connection, external_id, concat_ws(' ', direction, campaign, reference, value)
from canonical.contact_event where person_id is not null and deleted_at is null
union all
select person_id, at, 'points', null, connection, external_id, concat_ws(' ', points, reason, reference)
from canonical.loyalty_entry where person_id is not null and deleted_at is null
union all
select person_id, updated_at, 'cart', channel, connection, external_id, state
from canonical.cart where person_id is not null and deleted_at is null""",
}
"""timeline: everything that passed between a person and the shop, over all systems; without contacts."""
