"""Who should be in the audiences of a channel: members of its segments, as far as they may be reached through it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection as Database

from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.people.activation import Activation, activated
from dagster_project.steps.slices import Slice
from dagster_project.store.ledger import Queue
from dagster_project.store.people import consent
from dagster_project.store.people.keyring import keys
from dagster_project.store.people.memberships import concerned, widened
from mappings.sync.diff import Faced
from mappings.sync.plan import FEW
from mappings.sync.values import as_json

LEFT = "left the segment"
NOT_ACTIVE = "the segment is not activated here"
HOLD_OUT = "hold-out: kept aside for comparison"
ERASED = "erased on demand"
"""The rule that keeps away for good; nothing delays a removal by it."""
MOVES = "shown in another audience or by other contacts now: taken out as he was, then shown anew"
NOT_THERE = "not known there: comes once that system has a card of the person"
READ = "was written to under another id that is his too"


def memberships(hub: Hub, connection: Connection, queue: Queue, slice: Slice, now: datetime) -> Faced:
    """Subjects are `segment/person_id`. Who left, refused, was merged away or erased is withdrawn from the audience.

    Beside what `Faced` asks for: `at_once`, a removal that no guard and no approval delays, as the person may not be
    reached any more; `emptied`, a removal by which a whole audience would go. Who belongs to another audience now, or
    is reached by other contacts, is `first` taken out as he was shown: only then nothing of him stays behind. Whoever
    was sent a message stays as he was told, whatever it is called now: he has read it. Of a segment that must be mended
    nothing is decided but what is `at_once`.
    """
    assert connection.spec is not None
    sink = connection.spec.sink(queue.capability)
    channel = sink.reaches
    listed = sink.needs_listing and not channel  # what reaches people needs a contact of theirs, and no card
    with slice.engine.connect() as db:
        active = activated(db, hub, connection)
        if slice.subjects is not None:
            slice = Slice(slice.engine, hub, widened(db, slice.subjects))
        people = concerned(db, queue, list(active), slice.subjects, listed=listed)
        contacts = _contacts(db, people, list(active.values()), channel, now)
    desired = _desired(people, active, sink, contacts)
    stopped = pa.array([name for name, one in active.items() if one.stopped], pa.string())
    desired = desired.filter(pc.or_(desired["at_once"], pc.invert(pc.is_in(people["segment"], stopped))))
    return Faced(desired, slice.confirmed(queue), slice.restless(queue))


def unreachable(channel: str | None, purpose: str) -> str:
    """The rule that keeps away whoever may not be reached."""
    return f"consent: may not be reached by {channel} for {purpose}"


def _contacts(
    db: Database, people: pa.Table, active: Sequence[Activation], channel: str | None, now: datetime
) -> pa.ChunkedArray | pa.Array:
    """For each row a digest of the contacts by which the person agreed to be reached so, null where by none; empty for
    a mere record about them, which asks for no consent and is found by its own number."""
    if channel is None:
        return pa.repeat(pa.scalar(""), people.num_rows)
    found = pa.nulls(people.num_rows, pa.string())
    for purpose in {one.purpose for one in active}:
        meant = pa.array([one.segment for one in active if one.purpose == purpose], pa.string())
        mine = pc.is_in(people["segment"], meant)
        asked = pc.unique(people["survivor"].filter(mine)).to_pylist()
        digests = _digests(consent.reachable(db, asked, channel, purpose, now=now))
        of_person = digests["digest"].combine_chunks().take(_one(pc.index_in(people["survivor"], digests["person_id"])))
        found = pc.if_else(mine, of_person, found)
    return found


def _digests(reachable: pa.Table) -> pa.Table:
    """person_id, digest: by the key of this hub, so that it tells nobody else whose contacts they are."""
    sealed = reachable.group_by("person_id", use_threads=False).aggregate([("identifier", "list")])
    secret = keys()
    told = (secret.subject("segment.push", " ".join(some))[:16] for some in sealed["identifier_list"].to_pylist())
    return pa.table({"person_id": sealed["person_id"], "digest": pa.chunked_array([pa.array(told, pa.string())])})


def _desired(people: pa.Table, active: dict[str, Activation], sink: Sink, contacts: Any) -> pa.Table:
    refused = _refusals(people, active, sink.reaches, pc.is_null(contacts))
    rules = _rules(people, active, refused)
    told, values = people["told"], _values(people, active, contacts)
    if sink.messages:
        told = pc.coalesce(told, people["unanswered"])
        values, rules = pc.if_else(_is_shown(told), told, values), pc.coalesce(rules, _has_read(people, told))
    moves = pc.and_(_is_shown(told), pc.fill_null(pc.not_equal(told, values), False))
    since = pc.binary_join_element_wise("in the segment since", people["since"], " ")
    withdrawal = pc.if_else(pc.and_(people["erased"], sink.forgets), _forget(told), _without(told))
    return pa.table(
        {
            "subject": people["subject"],
            "value": values,
            "first": pc.if_else(moves, _without(told), None),
            "excluded": rules,
            "hold": pa.nulls(people.num_rows, pa.string()),
            "withdrawal": pc.if_else(_merged(people, rules), None, withdrawal),
            "external_id": pa.nulls(people.num_rows, pa.string()),
            "because": pc.if_else(moves, MOVES, since),
            "about": pa.nulls(people.num_rows, pa.string()),
            "at_once": pc.or_(pc.is_valid(refused), people["erased"]),
            "emptied": _emptied(people, told),
        }
    )


def _refusals(people: pa.Table, active: dict[str, Activation], channel: str | None, where: Any) -> Any:
    words = pa.array([unreachable(channel, one.purpose) for one in active.values()], pa.string())
    of_segment = pc.index_in(people["segment"], pa.array(active, pa.string()))
    return pc.if_else(where, words.take(_one(of_segment)), None)


def _rules(people: pa.Table, active: dict[str, Activation], refused: Any) -> Any:
    """The first rule that says no."""
    rules = pc.if_else(_one(people["retired"]), _named("merged into", people["survivor"]), None)
    rules = pc.coalesce(refused, rules)
    rules = pc.if_else(people["there"], rules, pc.coalesce(rules, NOT_THERE))
    rules = pc.if_else(people["hold_out"], HOLD_OUT, rules)
    rules = pc.if_else(people["member"], rules, LEFT)
    rules = pc.if_else(pc.is_in(people["segment"], pa.array(active, pa.string())), rules, NOT_ACTIVE)
    return pc.if_else(people["erased"], ERASED, rules)


def _has_read(people: pa.Table, told: Any) -> Any:
    """The rule that keeps from a second message whoever got it, or may have, before he was merged."""
    whose = pc.binary_join_element_wise(people["segment"], people["survivor"], "/")
    shown = _is_shown(told)
    again = pc.and_(pc.is_in(whose, _one(whose.filter(shown))), pc.invert(shown))
    return pc.if_else(again, READ, None)


def _merged(people: pa.Table, rules: Any) -> Any:
    """Whoever was merged stays in the audience with the one he is now, as long as that one belongs there."""
    return pc.fill_null(pc.equal(rules, _named("merged into", people["survivor"])), False)


def _values(people: pa.Table, active: dict[str, Activation], contacts: Any) -> Any:
    """The audience, and by which contacts the person is shown there, in the order in which the store has keys."""
    audiences = pa.array([as_json(one.audience) for one in active.values()], pa.string())
    audience = audiences.take(_one(pc.index_in(people["segment"], pa.array(active, pa.string()))))
    known = pc.if_else(pc.equal(contacts, ""), "", pc.binary_join_element_wise('"contact": "', contacts, '", ', ""))
    return pc.binary_join_element_wise('{"member": true, ', known, '"audience": ', audience, "}", "")


def _is_shown(told: Any) -> Any:
    return pc.fill_null(pc.starts_with(told, '{"member": true'), False)


def _without(told: Any) -> Any:
    """What was told, with the membership taken back; null where nothing was."""
    return pc.replace_substring(told, '"member": true', '"member": false', max_replacements=1)


def _forget(told: Any) -> Any:
    """What was told, as the word that everything of the person is to go, though the membership may be over."""
    open_ = pc.if_else(pc.match_substring(told, '"forget"'), None, told)
    forget = pc.replace_substring_regex(open_, '"member": (true|false)', '"forget": true, "member": false')
    return pc.coalesce(forget, told)


def _emptied(people: pa.Table, told: Any) -> Any:
    """Rows of a segment that has nobody left, and had more than a few: an empty result is a mistake more often than
    the truth."""
    gone = people.filter(pc.and_(_is_shown(told), pc.invert(people["peopled"])))
    counts = gone.group_by("segment").aggregate([("subject", "count")])
    many = counts.filter(pc.greater(counts["subject_count"], FEW))["segment"]
    return pc.and_(pc.invert(people["peopled"]), pc.is_in(people["segment"], many))


def _named(rule: str, values: Any) -> Any:
    return pc.binary_join_element_wise(rule, values, " ")


def _one(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
