"""Identifiers that must not be written to again, as hashes: they outlive the person's erasure. None is ever taken back
here; only the person's own later consent ends one (`store.consent`)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from dagster_project.store.transfer import copy_in

CHANNELS = ("email", "sms", "whatsapp", "telegram", "push", "ads", "call")
ERASED = "erased"
LOADS = "load"
"""The channel of an erased identifier under which a later load meets it."""

SUBJECT = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
"""SQL of the subject of a sealed identifier."""

_KEEP = """
insert into privacy.suppression as s (identifier_hash, channel, reason, since)
select distinct on (identifier_hash, channel) identifier_hash, channel, reason, since from ({rows}) told
where identifier_hash is not null order by identifier_hash, channel, reason = 'bounced', since desc
on conflict (identifier_hash, channel) do update
  set since = greatest(s.since, excluded.since),
      reason = case when s.reason in ('bounced', 'refused') then excluded.reason else s.reason end
where s.since < excluded.since or (s.reason = 'bounced' and excluded.reason <> 'bounced')
returning identifier_hash
"""


def suppress(db: Connection, subjects: Iterable[str], channels: Iterable[str], reason: str, since: datetime) -> None:
    rows = [(subject, channel) for subject in subjects for channel in channels]
    values = {"hashes": [one for one, _ in rows], "channels": [one for _, one in rows], "reason": reason, "at": since}
    told = """select identifier_hash, channel, cast(:reason as text) as reason, cast(:at as timestamptz) as since
from unnest(cast(:hashes as text[]), cast(:channels as text[])) t(identifier_hash, channel)"""
    db.execute(text(_KEEP.format(rows=told)), values)


# A platform that names only its customer means the contact by which it reached him.
_HEARD = f"""
select {SUBJECT.format("i.identifier")} as identifier_hash, e.channel,
       e.kind as reason, e.at as since, i.identifier, case
         when e.identifier is not null then coalesce(e.identifier_kind, 'account')
         when e.channel = 'email' then 'email' else 'phone' end as identifier_kind
from incoming_contact_event e
left join canonical.customer c
  on e.identifier is null and c.connection = :connection and c.external_id = e.customer
cross join lateral unnest(case
  when e.identifier is not null then array[e.identifier] when e.channel = 'email' then c.emails
  when e.channel in ('sms', 'whatsapp', 'call') then c.phones end) i(identifier)
where (e.kind in ('unsubscribed', 'complained') or e.kind = 'bounced' and e.payload ->> 'bounce' = 'hard')
"""
_FROM_CONTACTS = text(f"""
with heard as materialized ({_HEARD}), kept as ({_KEEP.format(rows="select * from heard")})
select distinct h.identifier_kind, h.identifier from heard h join kept k using (identifier_hash)
""")


def from_contacts(db: Connection, values: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What the incoming contact events say of being left alone; gives what is newly suppressed: its kind, and the
    sealed identifier."""
    found = db.execute(_FROM_CONTACTS, {"connection": values["connection"]})
    return {(kind, identifier) for kind, identifier in found}


def from_refusals(db: Connection, refusals: pa.Table) -> None:
    """Refusals of marketing: subject, channel, at."""
    db.execute(text("create temporary table if not exists refusal (subject text, channel text, at timestamptz)"))
    db.execute(text("delete from refusal"))
    copy_in(db, "refusal", refusals)
    told = "select subject as identifier_hash, channel, 'refused' as reason, at as since from refusal"
    db.execute(text(_KEEP.format(rows=told)))
