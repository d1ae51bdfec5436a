"""Who may be written to: the one question that every path to a person asks before anything leaves."""

from collections.abc import Collection
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection

from dagster_project import clock
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.tables import GIVERS
from dagster_project.store.transfer import read

REACH = pa.schema({"person_id": pa.string(), "identifier": pa.string()})

# A person is stopped by any refusal, of any identifier. A consent reaches whom it names; one that names nobody known
# reaches its holder, whoever else has the identifier by now. As long as it has none, it reaches the only person who has
# the identifier, and where several share it, nobody.
_REACHED = f"""
with recursive said as materialized (
  select h.person_id, e.* from privacy.holder h join privacy.consent_state e using (identifier)
  where e.channel = :channel and e.purpose = :purpose and {{these}}
), stopped as (
  select person_id from said where state = 'refused'
  union select h.person_id from privacy.stopped h where h.channel = :channel and {{these}}
), granted as (
  select s.person_id, s.identifier_kind, s.identifier, s.givers,
         case when s.held_as_of = s.as_of then s.holder end as holder
  from said s
  left join privacy.suppression off
    on off.identifier_hash = s.subject and off.channel = s.channel and off.since >= coalesce(s.person_at, '-infinity')
  where s.state = 'granted' and (s.expires_at is null or s.expires_at > :now) and off.identifier_hash is null
    and not exists (select from stopped t where t.person_id = s.person_id)
), named as (
  select e.identifier, m.person_id from (select distinct identifier, givers from granted) e cross join {GIVERS}
), merged (holder, person_id) as (
  select distinct holder, holder from granted where holder <> person_id
  union
  select b.holder, p.merged_into from merged b join identity.person p using (person_id) where p.merged_into is not null
), shared as (
  select identifier from privacy.holder where identifier in (select identifier from granted)
  group by identifier having count(*) > 1
)
select g.person_id, g.identifier_kind, g.identifier from granted g
where case when g.identifier in (select identifier from named)
           then (g.identifier, g.person_id) in (select identifier, person_id from named)
           when g.holder is not null
           then g.holder = g.person_id or (g.holder, g.person_id) in (select holder, person_id from merged)
           else g.identifier not in (select identifier from shared) end
order by g.person_id, g.identifier
"""


def reachable(
    db: Connection,
    person_ids: Collection[str] | None,
    channel: str,
    purpose: str = "marketing",
    *,
    now: datetime | None = None,
) -> pa.Table:
    """person_id, identifier_kind, identifier as in `may_reach`, but sealed: for whoever wants to know the persons."""
    these = "true" if person_ids is None else "h.person_id = any(:person_ids)"
    values = {"channel": channel, "purpose": purpose, "now": now or clock.now(), "person_ids": list(person_ids or ())}
    return read(db, _REACHED.format(these=these), values)


def may_reach(
    db: Connection,
    person_ids: Collection[str] | None,
    channel: str,
    purpose: str = "marketing",
    *,
    now: datetime | None = None,
) -> pa.Table:
    """REACH: the persons (of `person_ids`; None: of all) who may be written to, and by which identifiers of theirs.

    Who is not in it must not be reached: nothing was said, or refused, or the consent ran out, or the identifier is
    suppressed. Identifiers are clear text: use them when something leaves, store them nowhere.
    """
    found = reachable(db, person_ids, channel, purpose, now=now)
    sealed = zip(found["identifier"].to_pylist(), found["identifier_kind"].to_pylist(), strict=True)
    secret = keys()
    opened = [secret.open(identifier, kind) for identifier, kind in sealed]
    return pa.table({"person_id": found["person_id"], "identifier": pa.array(opened, pa.string())}, schema=REACH)
