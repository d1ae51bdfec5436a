"""How a connector writes: one outcome each, nothing twice, and the truth about what it does not know."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.sdk.deliver import Accepted, Change, Deferred, Outcome, Rejected, Shown, Unknown
from connectors.sdk.errors import HubError
from connectors.sdk.spec import Offer, Sink, Snapshot
from connectors.sdk.testing.builders import a_change, an_order
from connectors.sdk.testing.kit import DoesNotApply, Kit, Vendor, names, require, settle
from connectors.sdk.testing.sandbox import Seen

PERSON = {"first_name": "Әлия", "last_name": "Бейсенова", "email": "buyer1@example.com", "phone": "+77000000001"}
VALUES: dict[str, Any] = {
    "stock.push": 5,
    "price.push": "1000",
    "order.status": {"status": "confirmed"},
    "segment.push": {"audience": "kit", "member": True},
    "customer.push": {
        "first_name": "Әлия", "last_name": "Бейсенова", "emails": ["buyer1@example.com"], "phones": ["+77000000001"],
    },
    "order.push": an_order(
        contact_name="Әлия Бейсенова", contact_phone="+77000000001", contact_email="buyer1@example.com"
    ).model_dump(mode="json"),
}  # fmt: skip
MAKES = {"order.push", "customer.push"}
"""Capabilities that make something at the vendor: twice under one key must be the same thing."""
ABOUT: dict[str, dict[str, Any]] = {"segment.push": {"about": PERSON}}
"""What the hub tells of a change beside its value, where that is not a thing on sale."""


def an_empty_batch_makes_no_call(kit: Kit) -> None:
    for sink in kit.deltas:
        with kit.anybody(200) as vendor:
            made = list(sink.deliver(vendor.config, []))
        require(not made, f"{sink.capabilities[0]} gives outcomes of no changes")
        require(
            not vendor.sandbox.journal,
            f"{sink.capabilities[0]} makes {len(vendor.sandbox.journal)} calls for no changes",
        )


def every_change_gets_one_outcome(kit: Kit) -> None:
    """Whatever the vendor answers; an exception of another kind than the hub's own would lose the whole batch."""
    for sink in kit.deltas:
        for status, body, kind in (
            (200, "{}", "application/json"), (200, "[]", "application/json"), (200, "<html></html>", "text/html"),
            (400, "{}", "application/json"), (404, "", "text/plain"), (409, "null", "application/json"),
        ):  # fmt: skip
            changes = _some(sink)
            with kit.anybody(status, body, kind) as vendor:
                made, error = _delivered(sink, vendor, changes)
            where = f"{sink.capabilities[0]}, answered {status} {body}"
            require(error is None or isinstance(error, HubError), f"{where}: raises {error!r}; say what it means")
            told = Counter(outcome.change.subject for outcome in made)
            known = {change.subject for change in changes}
            require(max(told.values(), default=1) == 1, f"{where}: more than one outcome for a change")
            require(set(told) <= known, f"{where}: an outcome of a change that was not asked for")
            require(
                error or set(told) == known, f"{where}: {len(known - set(told))} of {len(known)} changes get no outcome"
            )


def a_write_is_confirmed_and_can_be_read_back(kit: Kit) -> None:
    for sink, vendor, changes in _on_sandboxes(kit):
        made = settle(sink, vendor.config, changes)
        where = sink.capabilities[0]
        require(all(isinstance(one, Accepted) for one in made), f"{where}: its own sandbox answers {names(made)}")
        _shows(sink, vendor, changes, f"{where}, after an accepted write")


def a_repeat_has_one_effect(kit: Kit) -> None:
    for sink, vendor, changes in _on_sandboxes(kit):
        first = {one.change.subject: one for one in settle(sink, vendor.config, changes)}
        again = {one.change.subject: one for one in settle(sink, vendor.config, changes)}
        where = f"{sink.capabilities[0]}, sent twice under one key"
        for subject, outcome in first.items():
            twice = again[subject]
            require(not isinstance(twice, Rejected), f"{where}: the repeat is refused ({names([twice])})")
            if (
                isinstance(outcome, Accepted)
                and isinstance(twice, Accepted)
                and outcome.receipt
                and MAKES & set(sink.capabilities)
            ):
                require(outcome.receipt == twice.receipt, f"{where}: makes {outcome.receipt} and then {twice.receipt}")
        _shows(sink, vendor, changes, where)


def a_lost_answer_is_unknown_and_nothing_is_sent_again(kit: Kit) -> None:
    for sink in kit.deltas:
        write = _write_of(kit, sink)
        for fault in ("lost_reply", "cut", "500"):
            with kit.vendor() as vendor:
                changes = kit.changes(vendor, sink)[:1]
                vendor.sandbox.journal.clear()
                vendor.sandbox.faults.set(fault, match=f"write {write.method} {write.path}")
                made = settle(sink, vendor.config, changes)
            where = f"{sink.capabilities[0]}, {fault} after {write.method} {write.path}"
            require(all(isinstance(one, Unknown) for one in made), f"{where}: must be Unknown, is {names(made)}")
            sent = Counter(
                (seen.method, seen.path, seen.body) for seen in vendor.sandbox.journal if not vendor.sandbox.reads(seen)
            )
            require(
                max(sent.values(), default=0) == 1, f"{where}: the write left {max(sent.values(), default=0)} times"
            )


def being_too_fast_defers(kit: Kit) -> None:
    for sink in kit.deltas:
        write = _write_of(kit, sink)
        with kit.vendor() as vendor:
            changes = kit.changes(vendor, sink)[:1]
            vendor.sandbox.faults.set("429", size=7, match=f"write {write.method} {write.path}")
            made = settle(sink, vendor.config, changes)
        where = f"{sink.capabilities[0]}, a 429 to {write.method} {write.path}"
        require(all(isinstance(one, Deferred) for one in made), f"{where}: must be Deferred, is {names(made)}")
        waits = [one.retry_after for one in made if isinstance(one, Deferred)]
        require(
            all(wait and wait >= 7 for wait in waits), f"{where}: told to wait 7 s, says {waits}; mend `retry_after`"
        )


def a_batch_is_one_request(kit: Kit) -> None:
    tried = False
    for sink, vendor, changes in _on_sandboxes(kit):
        if sink.batch == 1 or len(changes) < 2:
            continue
        tried = True
        vendor.sandbox.journal.clear()
        settle(sink, vendor.config, changes)
        writes = sum(not vendor.sandbox.reads(seen) for seen in vendor.sandbox.journal)
        where = f"{sink.capabilities[0]} says {sink.batch} changes fit in a request"
        require(
            writes <= 1, f"{where}, but sends {writes} for {len(changes)}; one unanswered would leave the rest unclear"
        )
    if not tried:
        raise DoesNotApply("it sends one change in a request")


def a_snapshot_is_whole_and_the_same_every_time(kit: Kit) -> None:
    sinks = [sink for sink in kit.spec.sinks if sink.mode == "snapshot"]
    if not sinks:
        raise DoesNotApply("it has no sink that publishes snapshots")
    about = {"name": 'Шай «Әсем» & <Ұлы> "Дала"', "brand": "Бәйтерек & Co", "currency": "KZT"}
    for sink in sinks:
        require(sink.render, f"{sink.capabilities}: a snapshot sink needs `render`")
        if sink.render is None:
            continue
        value = {"price.push": "1290", "stock.push": _points(kit) if sink.by_point else 3}
        values = {capability: value.get(capability) for capability in sink.capabilities}
        offers = tuple(Offer(f"KR-{number:04d}", values, about) for number in range(1, 31))
        snapshot = Snapshot("v1", datetime(2026, 3, 2, 9, 0, tzinfo=UTC), offers)
        made = sink.render(kit.config, snapshot)
        require(made == sink.render(kit.config, snapshot), "the same snapshot rendered twice gives different bytes")
        absent = [offer.sku for offer in offers if offer.sku.encode() not in made]
        require(
            not absent, f"{len(absent)} of {len(offers)} offers are absent from the snapshot: absent means delisted"
        )
        if made.lstrip().startswith(b"<"):
            _is_xml(made)


def _is_xml(content: bytes) -> None:
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        fromstring(content, forbid_dtd=False)
    except ParseError as error:
        require(False, f"the snapshot is no well-formed XML: {error}")


def _points(kit: Kit) -> dict[str, int]:
    """Points as the settings name them, where they do."""
    named = getattr(kit.config, "points", None)
    return dict.fromkeys(named, 3) if isinstance(named, dict) and named else {"PP1": 3}


def _some(sink: Sink) -> list[Change]:
    capability = sink.capabilities[0]
    value = {"PP1": 5} if sink.by_point else VALUES.get(capability)
    if value is None:
        raise DoesNotApply(f"the kit has no value for {capability}")
    facts = ABOUT.get(capability, {})
    return [a_change(capability, f"SKU-{number}", value, external_id=str(1000 + number), **facts)
            for number in range(1, min(sink.batch, 3) + 1)]  # fmt: skip


def _delivered(sink: Sink, vendor: Vendor, changes: Sequence[Change]) -> tuple[list[Outcome], Exception | None]:
    made: list[Outcome] = []
    try:
        for outcome in sink.deliver(vendor.config, changes):
            made.append(outcome)
    except AssertionError:
        raise
    except Exception as error:
        return made, error
    return made, None


def _on_sandboxes(kit: Kit) -> Any:
    """Each delta sink with a fresh sandbox of its own."""
    for sink in kit.deltas:
        with kit.vendor() as vendor:
            yield sink, vendor, kit.changes(vendor, sink)


def _write_of(kit: Kit, sink: Sink) -> Seen:
    """The request that carries the effect: the last one of an undisturbed delivery that is not a read."""
    with kit.vendor() as vendor:
        changes = kit.changes(vendor, sink)[:1]
        vendor.sandbox.journal.clear()
        made = settle(sink, vendor.config, changes)
        writes = [seen for seen in vendor.sandbox.journal if not vendor.sandbox.reads(seen)]
    require(writes, f"{sink.capabilities[0]}: nothing is written to its own sandbox ({names(made)})")
    return writes[-1]


def _shows(sink: Sink, vendor: Vendor, changes: Sequence[Change], where: str) -> None:
    if sink.read_back is None:
        return
    shown = sink.read_back(vendor.config, changes)
    for change in changes:
        require(change.subject in shown, f"{where}: read_back finds nothing of {change.subject}")
        seen = Shown.of(shown[change.subject]).value
        require(sink.same(change.value, seen), f"{where}: read_back shows {seen!r} for {change.value!r}; mend `same`")
