"""Where persons answer: which contacts have proved to be theirs, and which channel they use.

Told by what passed, not by what a card says. What a person agreed to is another question, asked when something leaves.
"""

from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection

from dagster_project.store.people.source_records import clear, stage
from dagster_project.store.transfer import read
from mappings.identity.survivorship import GOLDEN

PROVED = pa.schema({"person_id": pa.string(), "phone": pa.string(), "email": pa.string()})
HALF_LIFE_DAYS = 90
"""After so long an answer says half as much of what somebody prefers."""

_CAME_BACK = "e.direction = 'in' and e.kind in ('message', 'call', 'consultation')"
_EVENTS = "people join canonical.contact_event e using (person_id) where e.deleted_at is null"

# What arrived after the last time that something came back proves the contact, and so does what was sent from it.
_PROVED = f"""
select person_id, case when identifier_kind = 'phone' then identifier end as phone,
       case when identifier_kind = 'email' then identifier end as email
from (select e.person_id, e.identifier_kind, e.identifier,
             max(e.at) filter (where e.kind in ('delivered', 'opened', 'clicked') or {_CAME_BACK}) as proved,
             max(e.at) filter (where e.kind = 'bounced') as bounced
      from {_EVENTS} and e.identifier_kind in ('phone', 'email') and e.identifier is not null
      group by 1, 2, 3) heard
where proved > coalesce(bounced, '-infinity')
"""

# A letter opened says little: programs open letters too.
_PREFERRED = f"""
select distinct on (person_id) person_id, channel, connection, at
from (select e.person_id, e.channel, max(e.connection) as connection, max(e.at) as at,
             sum(case when e.kind = 'opened' then 0.2 else 1 end
                 * power(0.5, extract(epoch from :now - e.at) / 86400.0 / {HALF_LIFE_DAYS})) as answers
      from {_EVENTS} and e.channel in ('email', 'sms', 'whatsapp', 'telegram', 'push', 'call')
        and (e.kind in ('opened', 'clicked') or {_CAME_BACK})
      group by 1, 2) heard
order by person_id, answers desc, at desc, channel
"""


def proved(db: Connection, people: pa.Table) -> pa.Table:
    """PROVED: contacts of these persons, in clear text, where something arrived or whence something came."""
    stage(db, "people", people)
    return clear(db, _PROVED).cast(PROVED)


def preferred(db: Connection, people: pa.Table, now: datetime) -> pa.Table:
    """GOLDEN rows of the field `preferred_channel`, of those who ever answered."""
    stage(db, "people", people)
    found = read(db, _PREFERRED, {"now": now})
    count = found.num_rows
    said = {"person_id": found["person_id"], "value": found["channel"], "connection": found["connection"]}
    fixed = {"field": "preferred_channel", "place": 1, "record": None, "rule": "most answers"}
    columns = {**said, "at": found["at"], **{name: pa.repeat(pa.scalar(one), count) for name, one in fixed.items()}}
    return pa.table(columns).select(GOLDEN.names).cast(GOLDEN)
