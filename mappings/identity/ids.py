"""Clusters → persons whose ids last. An id follows its records and is never given to somebody else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mappings.relations import unordered

MEMBERSHIP = pa.schema({"record": pa.int64(), "person_id": pa.string()})
PERSONS = pa.schema({"person_id": pa.string(), "created_at": pa.timestamp("us", "UTC")})
EVENTS = pa.schema(
    {"person_id": pa.string(), "kind": pa.string(), "other_id": pa.string(), "records": pa.list_(pa.int64())}
)
"""created: first seen. merged: the id ends, `other_id` goes on. split: the id begins (or is given back to those who
had it)
with records of `other_id`. moved: records went over to `other_id`, both go on. retired: no record is left."""

Fresh = Callable[[int], Sequence[str]]
"""That many new ids, random and never seen before."""


@dataclass(frozen=True)
class Identities:
    """`membership` of every record in the clusters; `events`: what became of the persons since."""

    membership: pa.Table
    events: pa.Table


def identify(
    clusters: pa.Table,
    held: pa.Table,
    persons: pa.Table,
    former: pa.Table,
    fresh: Fresh,
    later: pa.Table = MEMBERSHIP.empty_table(),
) -> Identities:
    """Ids of the clusters that touch the persons of `held`.

    `held`: MEMBERSHIP of all records of these persons, those that are gone included. `persons`: when each was created.
    `former`: MEMBERSHIP, at their end, of persons that were merged into one of these: if a merge is undone, they come
    back. `later`: MEMBERSHIP, of such persons, of records nobody knew at their end: they come along, however many.
    The largest overlap keeps the id, on a tie the older one; each id is used once. Whoever was merged into a person and
    parts again leaves that person's id to the others, whatever their number: undoing a merge gives everybody's id back.
    """
    matched = _matched(clusters, held, persons, _revived(clusters, {}, former, later))
    revived = _revived(clusters, matched, former, later)
    named = {**matched, **revived}
    every = unordered("select distinct cluster from clusters order by cluster", clusters=clusters)[
        "cluster"
    ].to_pylist()
    nameless = [cluster for cluster in every if cluster not in named]
    named.update(zip(nameless, fresh(len(nameless)), strict=True))
    ids = pa.table(
        [list(named), list(named.values())], schema=pa.schema({"cluster": pa.int64(), "person_id": pa.string()})
    )
    membership = unordered(
        "select record, person_id from clusters join ids using (cluster)", clusters=clusters, ids=ids
    )
    return Identities(membership.cast(MEMBERSHIP), _events(membership, held))


def unsettled(clusters: pa.Table, held: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Of the clusters those that are not exactly what one person holds, and the MEMBERSHIP of the other persons: who is
    as before needs no name."""
    same = unordered(
        """
        with met as (select cluster, person_id, count(*) as common from clusters join held using (record) group by all),
             clustered as (select cluster, count(*) as common from clusters group by 1),
             holding as (select person_id, count(*) as common from held group by 1)
        select cluster, person_id from met join clustered using (cluster, common) join holding using (person_id, common)
        """,
        clusters=clusters,
        held=held,
    )
    rest = unordered("select c.* from c anti join same using (cluster)", c=clusters, same=same)
    return rest, unordered("select h.* from h anti join same using (person_id)", h=held, same=same).cast(MEMBERSHIP)


def uuid7s(count: int, milliseconds: int, entropy: bytes) -> list[str]:
    """UUIDs of version 7 for the instant, made of 16 random bytes each. Raises ValueError where bytes are missing."""
    if len(entropy) < 16 * count:
        raise ValueError(f"{count} ids need {16 * count} random bytes, {len(entropy)} were given")
    time = f"{milliseconds:012x}"
    head = f"{time[:8]}-{time[8:]}-7"
    digits = entropy[: 16 * count].hex()
    return [head + _tail(digits[at : at + 19]) for at in range(0, 32 * count, 32)]


def _tail(digits: str) -> str:
    """The random part, with the two bits that the variant takes."""
    return f"{digits[:3]}-{'89ab'[int(digits[3], 16) % 4]}{digits[4:7]}-{digits[7:19]}"


def _matched(clusters: pa.Table, held: pa.Table, persons: pa.Table, parting: dict[int, str]) -> dict[int, str]:
    """Cluster → the old id it keeps. `parting`: clusters that have an id of their own to go back to."""
    overlaps = unordered(
        """
        with met as (select cluster, person_id, count(*) as common from clusters join held using (record) group by all),
             ranked as (select m.*, p.cluster is not null as parts from met m left join parting p using (cluster)),
             stays as (select person_id, not bool_and(parts) as others_stay from ranked group by 1)
        select cluster, person_id from ranked join stays using (person_id) left join persons using (person_id)
        order by parts and others_stay, common desc, created_at, person_id, cluster
        """,
        clusters=clusters,
        held=held,
        persons=persons,
        parting=pa.table({"cluster": pa.array(parting, pa.int64())}),
    )
    return _greedy(overlaps)


def _greedy(overlaps: pa.Table) -> dict[int, str]:
    """One id for a cluster, one cluster for an id, in the order of the rows (cluster, person_id)."""
    kept: dict[int, str] = {}
    used: set[str] = set()
    for cluster, person in zip(overlaps["cluster"].to_pylist(), overlaps["person_id"].to_pylist(), strict=True):
        if cluster not in kept and person not in used:
            kept[cluster] = person
            used.add(person)
    return kept


def _revived(clusters: pa.Table, matched: dict[int, str], former: pa.Table, later: pa.Table) -> dict[int, str]:
    """A part without an id gets back the one that most of it had, if it is most of what that one was."""
    taken = pa.table({"cluster": pa.array(matched, pa.int64())})
    overlaps = unordered(
        """
        with parts as (select cluster, record from clusters where cluster not in (select cluster from taken)),
             once as (select person_id, record, count(*) over (partition by person_id) as size from former),
             met as (select cluster, person_id, count(*) as common, any_value(size) as was
                     from parts join once using (record) group by all),
             known as (select cluster, person_id, count(*) as size from met join parts using (cluster)
                       anti join later using (record, person_id) group by all)
        select cluster, person_id from met join known using (cluster, person_id)
        where common * 2 > size and common * 2 > was order by common desc, person_id
        """,
        clusters=clusters,
        taken=taken,
        former=former,
        later=later,
    )
    return _greedy(overlaps)


def _events(membership: pa.Table, held: pa.Table) -> pa.Table:
    return unordered(
        """
        with went as (
          select h.person_id as was, m.person_id as now, list(record order by record) as records
          from held h full join membership m using (record) where h.person_id is distinct from m.person_id group by all
        ),
        ended as (select distinct person_id from held where person_id not in (select person_id from membership)),
        begun as (select distinct person_id from membership where person_id not in (select person_id from held)),
        ranked as (
          select *, was in (select person_id from ended) as ends, now in (select person_id from begun) as begins,
                 row_number() over (partition by was order by now is null, len(records) desc, now) as exit,
                 row_number() over (partition by now order by was is null, len(records) desc, was) as entry
          from went
        )
        select was as person_id, 'merged' as kind, now as other_id, records from ranked where ends and exit = 1 and
          now is not null
        union all select was, 'retired', null, records from ranked where ends and exit = 1 and now is null
        union all select now, 'split', was, records from ranked where begins and entry = 1 and was is not null
        union all select now, 'created', null, records from ranked where begins and entry = 1 and was is null
        union all select was, 'moved', now, records from ranked
          where was is not null and now is not null and not (ends and exit = 1) and not (begins and entry = 1)
        order by kind, person_id, other_id
        """,
        membership=membership,
        held=held,
    ).cast(EVENTS)
