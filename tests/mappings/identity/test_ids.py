"""Ids that follow records through merges and splits."""

import itertools
import uuid
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity.clusters import CLUSTERS
from mappings.identity.ids import MEMBERSHIP, PERSONS, identify, unsettled, uuid7s


def named(clusters, held, former=(), ages=(), later=(), narrowed=lambda clusters, held: (clusters, held)):
    """What becomes of persons `held` = {id: records} when records fall into `clusters`; fresh ids are N1, N2, …."""
    fresh = itertools.count(1)
    born = dict(ages) or {person: place for place, person in enumerate(sorted(held), start=1)}
    asked = pa.table([[r for c in clusters for r in c], [min(c) for c in clusters for _ in c]], schema=CLUSTERS)
    result = identify(
        *narrowed(asked, _membership(held)),
        pa.table([list(born), [datetime(2020, 1, day, tzinfo=UTC) for day in born.values()]], schema=PERSONS),
        _membership(dict(former)),
        lambda count: [f"N{next(fresh)}" for _ in range(count)],
        _membership(dict(later)),
    )
    ids = dict(zip(*(result.membership[name].to_pylist() for name in MEMBERSHIP.names), strict=True))
    events = {(event["kind"], event["person_id"], event["other_id"]) for event in result.events.to_pylist()}
    return [ids.get(min(cluster)) for cluster in clusters], events


def _membership(people):
    return pa.table(
        [[r for rs in people.values() for r in rs], [p for p, rs in people.items() for _ in rs]], schema=MEMBERSHIP
    )


def test_in_a_merge_the_larger_person_goes_on():
    assert named([{1, 2, 3}], {"A": [1], "B": [2, 3]}) == (["B"], {("merged", "A", "B")})


def test_in_a_merge_of_equals_the_older_goes_on():
    assert named([{1, 2}], {"A": [1], "B": [2]}, ages={"A": 9, "B": 3}) == (["B"], {("merged", "A", "B")})


def test_in_a_split_the_largest_part_keeps_the_id():
    assert named([{1}, {2, 3}], {"A": [1, 2, 3]}) == (["N1", "A"], {("split", "N1", "A")})


def test_a_record_that_changes_sides_moves_and_both_go_on():
    assert named([{1, 2}, {3, 4, 5}], {"A": [1, 2, 3], "B": [4, 5]}) == (["A", "B"], {("moved", "A", "B")})


def test_a_newcomer_changes_nobodys_id():
    assert named([{1, 2, 7}, {8}], {"A": [1, 2]}) == (["A", "N1"], {("created", "N1", None)})


def test_a_merge_taken_back_gives_the_id_back_to_those_who_had_it():
    ids, events = named([{1, 2, 3}, {4, 5}], {"A": [1, 2, 3, 4, 5]}, former={"B": [4, 5]})
    assert (ids, events) == (["A", "B"], {("split", "B", "A")})


def test_a_former_id_is_not_given_to_those_who_only_brush_it():
    ids, _ = named([{1, 2, 3}, {4, 5, 6}], {"A": [1, 2, 3, 4, 5, 6]}, former={"B": [4, 7, 8, 9]})
    assert ids == ["A", "N1"]


def test_a_former_id_comes_back_with_all_who_came_since():
    held, former = {"A": [1, 2, 3, 4, 5, 6]}, {"B": [4]}
    assert named([{1, 2, 3}, {4, 5, 6}], held, former, later={"B": [5, 6]})[0] == ["A", "B"]
    assert named([{1, 2, 3}, {4, 5, 6}], held, former, later={"B": [6]})[0] == ["A", "N1"], "5 was the other's"


def test_an_id_is_a_uuid_of_its_time():
    first, second = uuid7s(2, 1_772_323_200_000, bytes(range(32)))
    assert (uuid.UUID(first).version, uuid.UUID(first).int >> 80) == (7, 1_772_323_200_000)
    assert first != second
    with pytest.raises(ValueError, match="32 random bytes"):
        uuid7s(2, 1_772_323_200_000, bytes(31))


def test_whoever_leaves_a_merge_goes_back_to_the_own_id_and_leaves_the_other_to_those_who_stay():
    """Of equals either could keep the survivor's id, and of unequals the larger would: then both ids were wrong."""
    assert named([{1}, {2}], {"A": [1, 2]}, former={"B": [1]})[0] == ["B", "A"]
    assert named([{1, 2}, {3}], {"A": [1, 2, 3]}, former={"B": [1, 2]})[0] == ["B", "A"]


def test_an_unchanged_person_keeps_the_id_whatever_went_into_it():
    assert named([{1, 2}], {"A": [1, 2]}, former={"B": [1, 2]}) == (["A"], set())


def _parts(owners):
    return {owner: [record for record, one in enumerate(owners) if one == owner] for owner in sorted(set(owners))}


@given(st.lists(st.sampled_from("ABCD"), min_size=5, max_size=5), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_who_stays_as_he_was_need_not_be_asked(before, after):
    held, clusters = _parts(before), [set(records) for records in _parts(after).values()]
    all_ids, all_events = named(clusters, held)
    ids, events = named(clusters, held, narrowed=unsettled)
    assert events == all_events
    same = [person for person, records in held.items() if set(records) in clusters]
    assert [one or kept for one, kept in zip(ids, all_ids, strict=True)] == all_ids
    assert [one for one, now in zip(all_ids, ids, strict=True) if now is None] == [
        one for one in all_ids if one in same
    ]
