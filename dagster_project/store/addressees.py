"""Who somebody is at the moment when something leaves for him. What is read here is used and stored nowhere."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagster_project.store.keyring import keys
from dagster_project.store.sealing import SEALED

NAMES = ("first_name", "last_name", "middle_name", "city", "birth_date", "gender", "language")
CONTACTS = ("email", "phone")

_KNOWN = text("""
with recursive up(asked, person_id) as (
  select person_id, person_id from unnest(cast(:persons as text[])) person_id
  union all
  select u.asked, p.merged_into from up u join identity.person p using (person_id) where p.merged_into is not null
)
select u.asked, g.*, (
  select r.external_id from identity.membership m join identity.source_record r using (record)
  where m.person_id = u.person_id and r.connection = :connection and r.kind = 'customer' and r.deleted_at is null
  order by r.record limit 1
) as external_id
from up u left join identity.golden g using (person_id)
where not exists (select from identity.person p where p.person_id = u.person_id and p.merged_into is not null)
""")


def known(db: Connection, connection: str, persons: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Of each person the golden record in clear, and `external_id`: who the person is in that connection, if known.

    Somebody who was merged is who he is now; nobody is known of whom nothing is left.
    """
    rows = db.execute(_KNOWN, {"connection": connection, "persons": list(persons)}).mappings()
    return {row["asked"]: {name: _clear(name, value) for name, value in row.items()} for row in rows}


def _clear(column: str, value: Any) -> Any:
    kind = SEALED["identity.golden"].get(column)
    if kind and isinstance(value, str):
        return keys().open(value, kind)
    return [_clear(column, one) for one in value] if isinstance(value, list) else value
