"""Where personal data lie, declared: every table of it, and what erasure does there.

Statements read the temporary tables `erasing_person` (person_id), `erasing_record` (record, connection, external_id),
`erasing_contact` (identifier: sealed, and held by nobody else) and `erasing_order` (connection, external_id), and the
parameter `anonymous`, the id under which facts of accounting go on.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from dagster_project.store.tables import TABLES

_MINE = "t.person_id in (select person_id from erasing_person)"
_OF_RECORD = "(t.connection, t.customer) in (select connection, external_id from erasing_record)"
_CONTACT = "t.identifier in (select identifier from erasing_contact)"
_CUSTOMERS = "select connection || ':' || external_id from erasing_record"
_RECORD = "t.record in (select record from erasing_record)"
ORDER_VALUE = "'{contact_name,contact_phone,contact_email,customer,delivery}'::text[]"

PREPARED = f"""
create temporary table erasing_order on commit drop as
select connection, external_id from canonical."order" t where {_MINE} or {_OF_RECORD}
"""

LINEAGE: Mapping[str, str] = {
    'canonical."order"': """update canonical."order" t set contact_name = null, contact_phone = null,
      contact_email = null, customer = null, loyalty_id = null, person_id = :anonymous,
      delivery = delivery - 'address' - 'recipient' - 'comment', payment = payment - 'reference'
      from erasing_order e where t.connection = e.connection and t.external_id = e.external_id""",
    "canonical.loyalty_entry": f"""update canonical.loyalty_entry t
      set customer = null, loyalty_id = null, person_id = :anonymous where {_MINE} or {_OF_RECORD}""",
    "canonical.contact_event": f"delete from canonical.contact_event t where {_MINE} or {_OF_RECORD} or {_CONTACT}",
    "canonical.cart_line": f"""delete from canonical.cart_line l using canonical.cart t
      where l.connection = t.connection and l.external_id = t.external_id and ({_MINE} or {_OF_RECORD})""",
    "canonical.cart": f"delete from canonical.cart t where {_MINE} or {_OF_RECORD}",
    "canonical.consent_event": f"""update canonical.consent_event t
      set identifier = null, customer = null, evidence = '{{}}' where {_CONTACT} or {_OF_RECORD}""",
    # What the person agreed to stays the person's: it is not found to be of the next who has the number.
    "privacy.consent_state": f"""update privacy.consent_state t
      set identifier = case when {_CONTACT} then null else t.identifier end,
          givers = array(select unnest(t.givers) except {_CUSTOMERS}), holder = 'erased', held_as_of = t.as_of
      where {_CONTACT} or t.holder in (select person_id from erasing_person) or t.givers && array({_CUSTOMERS})""",
    "canonical.customer": """delete from canonical.customer t using erasing_record e
      where t.connection = e.connection and t.external_id = e.external_id""",
    **{
        f"identity.{name}": f"delete from identity.{name} t where {_RECORD}"
        for name in ("mention", "feature", "identifier", "membership", "source_record")
    },
    **{
        f"identity.{name}": f"""delete from identity.{name} t
          where t.a in (select record from erasing_record) or t.b in (select record from erasing_record)"""
        for name in ("edge", "link_aside", "edge_override")
    },
    **{f"identity.{name}": f"delete from identity.{name} t where {_MINE}" for name in ("golden", "household", "pin")},
    "identity.person": f"update identity.person t set status = 'erased', records = 0 where {_MINE}",
    **{
        name: f"delete from {name} t where {_MINE}"
        for name, table in TABLES.items()
        if table.schema in ("segment", "mart") and "person_id" in table.columns
    },
    "ledger.item": f"""update ledger.item t set desired = desired - {ORDER_VALUE}, sent = sent - {ORDER_VALUE},
      acknowledged = acknowledged - {ORDER_VALUE}, observed = observed - {ORDER_VALUE} from erasing_order e
      where t.capability = 'order.push' and t.subject = e.connection || ':' || e.external_id""",
    "ledger.outbox": f"""update ledger.outbox t set was = was - {ORDER_VALUE}, becomes = becomes - {ORDER_VALUE}
      from erasing_order e where t.capability = 'order.push' and t.subject = e.connection || ':' || e.external_id""",
    "ledger.change": f"""update ledger.change t set was = was - {ORDER_VALUE}, becomes = becomes - {ORDER_VALUE}
      from erasing_order e where t.capability = 'order.push' and t.subject = e.connection || ':' || e.external_id""",
    "ledger.quarantine": """delete from ledger.quarantine t using erasing_record e
      where t.connection = e.connection and t.key = e.external_id""",
}
"""Table → the statement that erases there. In this order: who owned a row is told by tables erased later."""


def erase(db: Connection, anonymous: str) -> dict[str, int]:
    """Runs the whole list; gives the rows that each table lost or changed."""
    db.execute(text(PREPARED))
    return {name: db.execute(text(statement), {"anonymous": anonymous}).rowcount for name, statement in LINEAGE.items()}


WORDS: Mapping[str, str] = {
    "identity.edge_override": "why",
    "identity.pin": "why",
    "identity.person_event": "cause",
    "segment.membership": "why",
    "segment.change": "cause",
    "hub.dirty": "because",
    "hub.order_request": "why",
    "ledger.plan": "why",
    "ledger.outbox": "because",
    "ledger.change": "because",
    "canonical.order_event": "note",
    "privacy.erasure_request": "basis",
    "privacy.erasure_duty": "why",
}
"""Table → a column in which people wrote what they liked, or what came of it, and may have named somebody."""


def unsaid(db: Connection, pattern: str) -> dict[str, int]:
    """Takes what the pattern finds out of these words; gives how many of each table had it. The rest of them stays."""
    return {
        table: db.execute(text(_UNSAID.format(table=table, words=words)), {"pattern": pattern}).rowcount
        for table, words in WORDS.items()
    }


_UNSAID = "update {table} set {words} = regexp_replace({words}, :pattern, '', 'gi') where {words} ~* :pattern"

RECORD_HASH = (
    "encode(sha256(cast(:outer as bytea) || sha256(cast(:inner as bytea) || "
    "convert_to({0} || chr(31) || {1}, 'UTF8'))), 'hex')"
)
"""SQL of the keyed hash under which an erased record is known: connection and external id; or, as in
`mappings.privacy.known_again`, an erased key of identity: `chr(31) || kind` and value. The statement takes the
parameters of `mappings.identity.digests.pads`."""


def tables(db: Connection) -> list[str]:
    """Every table of the store, quoted: Dagster's and the stages included."""
    found = db.execute(
        text(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
            "where schemaname !~ '^(pg_|information_schema)' order by 1"
        )
    )
    return [row[0] for row in found]


def raw_tables(db: Connection) -> list[str]:
    """Those that hold payloads, quoted: what vendors said, record by record."""
    found = db.execute(
        text(
            "select quote_ident(c.table_schema) || '.' || quote_ident(c.table_name) from information_schema.columns c "
            "join information_schema.tables t using (table_schema, table_name) where c.column_name = 'payload' "
            "and t.table_type = 'BASE TABLE' and c.table_schema like 'raw\\_%' order by 1"
        )
    )
    return [row[0] for row in found]


def hits(db: Connection, pattern: str) -> dict[str, int]:
    """Table → rows in which the pattern is found."""
    counted = {
        name: db.execute(
            text(f"select count(*) from {name} t where t::text ~* :pattern"), {"pattern": pattern}
        ).scalar()
        for name in tables(db)
    }
    return {name: count for name, count in counted.items() if count}
