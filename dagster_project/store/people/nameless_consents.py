"""Whose a consent is that names nobody: the only person's who has the number, found once and for good.

Numbers pass from one to another, and what was agreed to does not pass with them. A consent that came before its number
was anybody's, or while several had it, waits for the first who has it alone.
"""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.people.keyring import keys
from dagster_project.store.people.source_records import stage
from dagster_project.store.people.tables import GIVERS
from dagster_project.store.transfer import FEW, read
from mappings.identity.contacts import email_key
from mappings.identity.digests import DIGEST, pads
from mappings.relations import unordered

_NOBODYS = f"""e.state = 'granted' and e.identifier_kind in ('phone', 'email') and e.identifier is not null
  and e.held_as_of is distinct from e.as_of and not exists (select from {GIVERS})"""

_OF_PEOPLE = "e.identifier in (select h.identifier from privacy.contact_holder h where h.person_id = any(:people))"


def bind_said(db: Connection, identifiers: Collection[str]) -> None:
    """Of these sealed identifiers, of which something was said."""
    _bind(db, "e.identifier = any(:identifiers)", {"identifiers": list(identifiers)})


def bind_held(db: Connection, people: Collection[str]) -> None:
    """Of what these persons have; costs what they have."""
    _bind(db, _OF_PEOPLE, {"people": list(people)})


def bind_all(db: Connection) -> None:
    _bind(db, "true", {})


def _bind(db: Connection, these: str, values: Mapping[str, Any]) -> None:
    asked = f"select distinct e.identifier_kind, e.identifier from privacy.consent_state e where {_NOBODYS} and {these}"
    nobodys = read(db, asked, values)
    if not nobodys.num_rows:
        return
    stage(db, "nobodys", nobodys.select(["identifier"]))
    if nobodys.num_rows > FEW:
        db.execute(text(_BIND.format(these="true")))
    else:
        db.execute(text(_BIND.format(these="h.person_id = any(:people)")), {"people": having(db, nobodys)})


# Rows are locked in the order in which `statements` writes them.
_BIND = f"""
with alone as (
  select identifier, min(h.person_id) as person_id from nobodys join privacy.contact_holder h using (identifier)
  where {{these}} group by identifier having count(*) = 1
), found as (
  select e.subject, e.channel, e.purpose, a.person_id from privacy.consent_state e join alone a using (identifier)
  where {_NOBODYS} order by 1, 2, 3 for update of e
)
update privacy.consent_state e set holder = f.person_id, held_as_of = e.as_of
from found f where (e.subject, e.channel, e.purpose) = (f.subject, f.channel, f.purpose)
"""

# The keys of identity find everybody who has a contact, guests included; a contact that can be nobody's key finds none.
_KEYS = f"""
select distinct kind, {DIGEST.format("value")} as value from (
  select 'phone' as kind, clear as value from contacts where identifier_kind = 'phone'
  union all select 'email', {email_key("lower(trim(clear))")} from contacts where identifier_kind = 'email')
where value is not null
"""
_WITH_KEYS = """
select distinct m.person_id from contact_key k join identity.identifier i on i.kind = k.kind and i.value = k.value
join identity.membership m using (record)
"""


def having(db: Connection, contacts: pa.Table) -> list[str]:
    """Persons who may have any of these contacts (identifier_kind, sealed identifier), and all who do."""
    told = zip(contacts["identifier"].to_pylist(), contacts["identifier_kind"].to_pylist(), strict=True)
    secret = keys()
    clear = pa.array([secret.open(identifier, kind) for identifier, kind in told], pa.string())
    found = unordered(_KEYS, pads(secret.digests), contacts=contacts.append_column("clear", clear))
    stage(db, "contact_key", found)
    return list(db.execute(text(_WITH_KEYS)).scalars())
