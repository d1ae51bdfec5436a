"""Tables about people: what passes between them and the shop, who is who, what they agreed to, where they belong.

Rows of canonical tables that speak of a buyer carry `customer`, the source's id of the buyer, and `person_id`, which
identity fills in and keeps up to date. Columns that hold a contact are sealed at rest.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dagster_project.store.people import contact_views, identity_tables, segment_tables
from dagster_project.store.schema import AMOUNT, MOMENT, QUANTITY, key, source, table


def _texts(name: str) -> Column[object]:
    return Column(name, ARRAY(Text), nullable=False, server_default="{}")


# ── canonical: what passed between a person and the shop ──────────────────────────────────────────────────────────────

contact_event = table(
    "contact_event",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("customer", Text),
    Column("person_id", Text),
    Column("identifier_kind", Text),
    Column("identifier", Text),
    Column("at", MOMENT, nullable=False),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("direction", Text),
    Column("campaign", Text),
    Column("reference", Text),
    Column("value", QUANTITY),
    Column("payload", JSONB, nullable=False, server_default="{}"),
    source(),
    Column("deleted_at", MOMENT),
    Index("contact_event_person", "person_id", "at"),
    Index("contact_event_customer", "connection", "customer"),
    Index("contact_event_at", "at"),
    doc="Calls, messages, letters, page views, survey answers, consultations.",
)

cart = table(
    "cart",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("customer", Text),
    Column("person_id", Text),
    Column("channel", Text, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("state", Text, nullable=False),
    Column("currency", Text),
    source(),
    Column("deleted_at", MOMENT),
    Index("cart_person", "person_id"),
    Index("cart_customer", "connection", "customer"),
    doc="What people mean to buy: open, ordered or dropped. Abandoned is decided by a rule.",
)

cart_line = table(
    "cart_line",
    "canonical",
    key("connection"),
    key("external_id"),
    key("line"),
    Column("variant", Text),
    Column("sku", Text),
    Column("barcode", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", AMOUNT),
    doc="Lines of carts.",
)

loyalty_entry = table(
    "loyalty_entry",
    "canonical",
    key("connection"),
    key("external_id"),
    Column("customer", Text),
    Column("person_id", Text),
    Column("loyalty_id", Text),
    Column("at", MOMENT, nullable=False),
    Column("points", QUANTITY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reference", Text),
    source(),
    Column("deleted_at", MOMENT),
    Index("loyalty_entry_person", "person_id", "at"),
    Index("loyalty_entry_customer", "connection", "customer"),
    doc="One append-only ledger of points for all channels; a balance is the sum of its entries.",
)

consent_event = table(
    "consent_event",
    "canonical",
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("customer", Text),
    Column("identifier_kind", Text, nullable=False),
    Column("identifier", Text),
    Column("subject", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Column("text_version", Text),
    Column("evidence", JSONB, nullable=False, server_default="{}"),
    Column("evidence_hash", LargeBinary, nullable=False),
    Column("recorded_at", MOMENT, nullable=False, server_default=func.now()),
    source(),
    Column("statement", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("consent_event_once", "statement", unique=True),
    Index("consent_event_subject", "subject", "channel", "purpose", "at"),
    Index(
        "consent_event_account",
        "connection",
        text("coalesce(customer, external_id)"),
        postgresql_where=text("identifier_kind = 'account'"),
    ),
    doc="Append-only statements, each chained to the one before. subject: hash of the sealed identifier. evidence: a "
    "sealed JSON text. statement: HMAC of what was said, without identifier and evidence: the chain outlives them.",
)

# ── identity: who is who ──────────────────────────────────────────────────────────────────────────────────────────────

source_record = table(
    "source_record",
    "identity",
    key("record", BigInteger),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="customer"),
    Column("payload_hash", LargeBinary),
    Column("first_seen", MOMENT, nullable=False, server_default=func.now()),
    Column("last_seen", MOMENT, nullable=False, server_default=func.now()),
    Column("deleted_at", MOMENT),
    Index("source_record_key", "connection", "external_id", unique=True),
    fill=90,
    doc="Buyers as systems know them. kind: customer, or order for one known only by the contacts of an order, an "
    "event or points that name no customer (`order:<digest>`; see mention).",
)

membership = table(
    "membership",
    "identity",
    key("record", BigInteger),
    Column("person_id", Text, nullable=False),
    Column("since", MOMENT, nullable=False),
    Index("membership_person", "person_id"),
    doc="Which person a record is.",
)

person = table(
    "person",
    "identity",
    key("person_id"),
    Column("status", Text, nullable=False, server_default="active"),
    Column("merged_into", Text),
    Column("created_at", MOMENT, nullable=False),
    Column("records", Integer, nullable=False, server_default="0"),
    Index("person_merged", "merged_into", postgresql_where=text("merged_into is not null")),
    doc="Ids of persons: active, merged or retired. An id is never given to somebody else.",
)

person_event = table(
    "person_event",
    "identity",
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("other_id", Text),
    Column("records", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("cause", Text),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Index("person_event_person", "person_id"),
    Index("person_event_other", "other_id", postgresql_where=text("other_id is not null")),
    doc="created, merged, split, moved, retired: everything downstream follows these.",
)

golden = table(
    "golden",
    "identity",
    key("person_id"),
    Column("name", Text),
    _texts("names"),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("middle_name", Text),
    Column("phone", Text),
    _texts("phones"),
    Column("email", Text),
    _texts("emails"),
    Column("loyalty_id", Text),
    _texts("loyalty_ids"),
    Column("birth_date", Date),
    Column("gender", Text),
    Column("language", Text),
    Column("city", Text),
    Column("town", Text),
    Column("address", Text),
    _texts("tags"),
    Column("preferred_channel", Text),
    Column("first_seen", MOMENT),
    Column("last_seen", MOMENT),
    Column("records", Integer, nullable=False, server_default="1"),
    Column("provenance", JSONB, nullable=False, server_default="{}"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("updated_at", MOMENT, nullable=False, server_default=func.now()),
    fill=75,
    doc="The best of what all systems say of a person. phone and email are the primary ones; town: one key of "
    "the city, however it is written; provenance: field to {connection, record, at, rule}.",
)

household = table(
    "household",
    "identity",
    key("person_id"),
    Column("household_id", Text, nullable=False),
    Column("since", MOMENT, nullable=False),
    Index("household_id", "household_id"),
    doc="Persons who share a phone, e-mail or flat without being one person.",
)

# ── privacy: what may be done with it ─────────────────────────────────────────────────────────────────────────────────

suppression = table(
    "suppression",
    "privacy",
    key("identifier_hash"),
    key("channel"),
    Column("reason", Text, nullable=False),
    Column("since", MOMENT, nullable=False),
    CheckConstraint("length(identifier_hash) >= 32", name="suppression_is_a_hash"),
    doc="Hashes of identifiers that must not be written to or loaded again; they outlive erasure.",
)

consent_state = table(
    "consent_state",
    "privacy",
    key("subject"),
    key("channel"),
    key("purpose"),
    Column("identifier_kind", Text, nullable=False),
    Column("identifier", Text),
    Column("state", Text, nullable=False),
    Column("since", MOMENT, nullable=False),
    Column("as_of", MOMENT, nullable=False),
    Column("person_at", MOMENT),
    Column("expires_at", MOMENT),
    _texts("givers"),
    Column("holder", Text),
    Column("held_as_of", MOMENT),
    Index("consent_state_identifier", "identifier"),
    doc="What the statements about an identifier come to. person_at: the last consent that the person gave; it ends a "
    "suppression from before. givers: connection:customer of those who gave the consent that holds. holder: the person "
    "whose a consent is that names nobody; it counts while held_as_of is as_of, a later statement may be another's.",
)

erasure_request = table(
    "erasure_request",
    "privacy",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("received_at", MOMENT, nullable=False),
    Column("due_at", MOMENT, nullable=False),
    Column("basis", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("report", JSONB, nullable=False, server_default="{}"),
    doc="Demands to be forgotten, with their term and the proof of what was searched.",
)

erasure_duty = table(
    "erasure_duty",
    "privacy",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("request", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("connection", Text),
    Column("capability", Text),
    Column("subject", Text),
    Column("confirms", JSONB),
    Column("confirmed_at", MOMENT),
    Column("confirmed_by", Text),
    Column("why", Text),
    Index("erasure_duty_open", "request", postgresql_where=text("confirmed_at is null")),
    doc="What an erasure still waits for. confirms: what the channel must have acknowledged of the subject, null where "
    "a person has to do it. confirmed_by: the connection, or the person who did it.",
)

data_key = table(
    "data_key",
    "privacy",
    key("number", BigInteger),
    Column("wrapped", Text, nullable=False),
    doc="Keys under which what is personal lies sealed, wrapped by the master key: of each card (number: its record's) "
    "and of each person. Dropping a row is crypto-erasure: it reaches backups too.",
)

access_log = table(
    "access_log",
    "privacy",
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", MOMENT, nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("person", Text),
    Column("fields", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("rows", Integer, nullable=False, server_default="0"),
    doc="Who opened what of whom. person: a pseudonym.",
)

# ── views under the stable names ──────────────────────────────────────────────────────────────────────────────────────

GIVERS = """unnest(e.givers) giver join identity.source_record r
  on r.connection = split_part(giver, ':', 1) and r.external_id = substr(giver, strpos(giver, ':') + 1)
left join identity.membership m using (record)"""
"""SQL of whom the consent `e` names: the persons `m`, null of a card that is gone. What it said is nobody else's."""

OF_ACCOUNTS = """
select m.person_id, s.identifier from privacy.consent_state s join canonical.consent_event e using (subject)
join identity.source_record r on r.connection = e.connection and r.external_id = coalesce(e.customer, e.external_id)
join identity.membership m using (record)
where s.identifier_kind = 'account' and e.identifier_kind = 'account' and s.identifier is not null"""
"""SQL of whose accounts are: no card has one, so whoever said anything of it, a refusal too, which has no giver."""

VIEWS = {
    "canonical.person": "select g.*, p.created_at from identity.golden g join identity.person p using (person_id) "
    "where p.status = 'active'",
    "canonical.identity": "select r.connection, r.external_id, m.person_id, m.since from identity.membership m "
    "join identity.source_record r using (record)",
    "canonical.household": "select household_id, person_id, since from identity.household",
    "privacy.contact_holder": """
select m.person_id, i.identifier from identity.membership m join identity.source_record r using (record)
join canonical.customer c on c.connection = r.connection and c.external_id = r.external_id and r.kind = 'customer'
cross join unnest(case when 'phone' = any(c.masked) then '{}' else c.phones end
                  || case when 'email' = any(c.masked) then '{}' else c.emails end) i(identifier)
union
select m.person_id, i.identifier from identity.membership m
join identity.mention n on n.record = m.record and n.entity = 'order'
join canonical."order" o on o.connection = n.connection and o.external_id = n.external_id
cross join unnest(array[o.contact_phone, o.contact_email]) i(identifier) where i.identifier is not null
union
select m.person_id, e.identifier from identity.membership m
join identity.mention n on n.record = m.record and n.entity = 'contact_event'
join canonical.contact_event e on e.connection = n.connection and e.external_id = n.external_id
where e.identifier is not null""",
    "privacy.holder": f"""
select person_id, identifier from privacy.contact_holder
union{OF_ACCOUNTS}""",
    "privacy.stopped": """
select distinct h.person_id, s.channel
from privacy.suppression s
join privacy.holder h on encode(sha256(convert_to(h.identifier, 'UTF8')), 'hex') = s.identifier_hash
where s.reason <> 'bounced'
  and not exists (select from privacy.consent_state e where e.subject = s.identifier_hash and e.channel = s.channel
                  and e.purpose = 'marketing' and e.person_at > s.since)""",
    "canonical.consent": f"""
select h.person_id, e.identifier_kind, e.channel, e.purpose,
       case when bool_or(bool_or(e.state = 'refused' or s.person_id is not null)) over same then 'refused'
            when bool_or(e.state = 'granted' and (e.expires_at is null or e.expires_at > now())) then 'granted'
            else 'expired' end as state, max(e.as_of) as as_of
from privacy.holder h join privacy.consent_state e using (identifier)
left join privacy.stopped s on s.person_id = h.person_id and s.channel = e.channel
where e.state = 'refused' or s.person_id is not null or case
  when exists (select from {GIVERS}) then exists (select from {GIVERS} where m.person_id = h.person_id)
  when e.held_as_of = e.as_of then h.person_id in (
    with recursive up (person_id, merged_into) as (
      select person_id, merged_into from identity.person where person_id = e.holder
      union select p.person_id, p.merged_into from up u join identity.person p on p.person_id = u.merged_into
    ) select person_id from up)
  else e.identifier not in (select identifier from privacy.holder group by identifier having count(*) > 1) end
group by h.person_id, e.identifier_kind, e.channel, e.purpose
window same as (partition by h.person_id, e.channel, e.purpose)""",
    **segment_tables.VIEWS,
    **contact_views.VIEWS,
    **identity_tables.VIEWS,
}
"""Name → query. Made after the tables, in this order."""
