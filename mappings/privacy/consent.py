"""What statements about an identifier come to: granted, refused, or nothing.

A consent belongs to an identifier on a channel for a purpose, and only then to a person (design 6):

- a refusal ends only by a later consent of the person's own for the same identifier, channel and purpose; a list that
  was imported, or what a platform assumes, ends none;
- of a consent and a refusal of the same moment the refusal holds;
- a consent of a day yet to come is none: no refusal could end it before that day;
- a consent may expire; what follows then is nothing, and without a record there is no marketing;
- of a person's identifiers the strictest state wins, and what was granted to one identifier is granted to no other.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pyarrow as pa

from mappings.relations import unordered

_KEY = {"subject": pa.string(), "channel": pa.string(), "purpose": pa.string()}
_MOMENT = pa.timestamp("us", "UTC")

STATEMENTS = pa.schema({
    **_KEY, "state": pa.string(), "by": pa.string(), "at": _MOMENT, "expires_at": _MOMENT, "giver": pa.string(),
})  # fmt: skip
"""`subject`: whose identifier. `state`: granted or refused. `by`: person, import or platform. `giver`:
`<connection>:<customer>`, where the statement names one."""

STATES = pa.schema({
    **_KEY, "state": pa.string(), "since": _MOMENT, "as_of": _MOMENT, "person_at": _MOMENT, "expires_at": _MOMENT,
    "givers": pa.list_(pa.string()),
})  # fmt: skip
"""`since`: of the statement that holds. `as_of`: of the last one. `person_at`: of the last one that the person gave.
`givers`: whom the consents that hold name; a consent of one is none of another who has the same number by now."""

_SETTLED = """
with refused as (
  select subject, channel, purpose, max("at") as as_of, max("at") filter (state = 'refused') as refused_at,
         max("at") filter (state = 'granted' and "by" = 'person') as person_at
  from statements group by all
), regained as (
  select r.*, min(s."at") as regained_at from refused r left join statements s
    on (s.subject, s.channel, s.purpose) = (r.subject, r.channel, r.purpose)
   and s.state = 'granted' and s."by" = 'person' and s."at" > r.refused_at
  group by all
), held as (
  select r.subject, r.channel, r.purpose, max(s."at") as granted_at,
         max_by({'ends': s.expires_at},
                (s."at", -epoch_us(coalesce(s.expires_at, '9999-01-01'::timestamptz)))).ends as expires_at,
         list_sort(list(distinct s.giver) filter (s.giver is not null)) as givers
  from regained r join statements s on (s.subject, s.channel, s.purpose) = (r.subject, r.channel, r.purpose)
   and s.state = 'granted' and (r.refused_at is null or s."at" >= r.regained_at)
  group by all
)
select r.subject, r.channel, r.purpose, if(h.granted_at is null, 'refused', 'granted') as state,
       coalesce(h.granted_at, r.refused_at) as since, r.as_of, r.person_at, h.expires_at,
       coalesce(h.givers, []) as givers
from regained r left join held h using (subject, channel, purpose)
order by all
"""

AHEAD = timedelta(days=1)
"""By how much a clock, or a time whose zone was mistaken, may run before ours."""


def yet_to_come(at: datetime | None, now: datetime) -> bool:
    """Whether a statement is of a day that nobody can have spoken on: most often its year is mistyped."""
    return at is not None and at > now + AHEAD


def settled(statements: pa.Table) -> pa.Table:
    """STATES of STATEMENTS: one row for each identifier, channel and purpose, whatever the order of arrival."""
    return unordered(_SETTLED, statements=statements.select(STATEMENTS.names).cast(STATEMENTS)).cast(STATES)


def state_now(state: str, expires_at: datetime | None, now: datetime) -> str:
    """granted, refused or expired."""
    return "expired" if state == "granted" and expires_at is not None and expires_at <= now else state


def strictest(states: Iterable[str]) -> str:
    """Of one person's identifiers on a channel for a purpose: a refusal of one is a refusal of all; none is `none`."""
    told = set(states)
    return next((state for state in ("refused", "granted", "expired") if state in told), "none")
