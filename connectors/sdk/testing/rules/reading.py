"""How a connector reads: to the end, without loss, waiting when told to, and never beating a dead horse."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.sdk import extract
from connectors.sdk.calls import Call
from connectors.sdk.deliver import Deferred
from connectors.sdk.errors import ConfigError, HubError, RejectedError
from connectors.sdk.spec import Extract, Record, Resource, Since
from connectors.sdk.testing.kit import NOW, DoesNotApply, Kit, Vendor, names, read, require, settle

UNAUTHORIZED = '{"error": "unauthorized"}'
ASKED = 7.0
"""Seconds of an unlikely Retry-After, so that it is not met by chance."""


def paging_ends_and_repeats_nothing(kit: Kit) -> None:
    for resource in kit.asked:
        with kit.vendor() as vendor:
            rows = read(resource, vendor.config)
        require(rows, f"{resource.name} reads nothing from a sandbox with a shop in it")
        twice = [
            state for state, times in Counter((row["key"], row["payload_hash"]) for row in rows).items() if times > 1
        ]
        require(
            not twice, f"{resource.name} gives {len(twice)} records more than once in one run, e.g. key {_key(twice)}"
        )


def resuming_loses_nothing(kit: Kit) -> None:
    """From the middle: everything at or after the cursor comes again, nothing unknown appears."""
    tried = False
    for resource in kit.asked:
        with kit.vendor() as vendor:
            rows = read(resource, vendor.config)
            cursors = sorted(row["cursor"] for row in rows if row["cursor"] is not None)
            if not cursors:
                continue
            tried = True
            middle = cursors[len(cursors) // 2]
            _overlap(resource, middle)
            since = extract.since(resource, middle, Since(now=vendor.watch.now()))
            again = {row["key"] for row in read(resource, vendor.config, since)}
        expected = {row["key"] for row in rows if _changed_since(resource, row, middle)}
        require(expected <= again, f"{resource.name} resumed from {middle} loses {len(expected - again)} records")
        require(again <= {row["key"] for row in rows}, f"{resource.name} resumed gives records a full run does not")
    if not tried:
        raise DoesNotApply("no resource has a cursor")


def it_waits_as_long_as_the_vendor_asks(kit: Kit) -> None:
    for resource in kit.asked:
        with kit.vendor() as vendor:
            calm = len(read(resource, vendor.config))
            vendor.sandbox.faults.set("429", size=ASKED, times=1)
            rows = _survived(resource, vendor, "a 429 with Retry-After")
        require(len(rows) == calm, f"{resource.name} gives {len(rows)} of {calm} records after a 429")
        waited = max(vendor.watch.slept + vendor.watch.paused, default=0.0)
        require(waited >= ASKED, f"{resource.name}: told to wait {ASKED:g} s, waited {waited:g} s; mend `retry_after`")


def it_tries_again_after_a_failure_of_the_vendor(kit: Kit) -> None:
    for resource in kit.asked:
        with kit.vendor() as vendor:
            calm = len(read(resource, vendor.config))
            for fault in ("500", "cut", "lost_reply"):
                vendor.sandbox.faults.set(fault, times=1)
                rows = _survived(resource, vendor, f"one {fault}")
                require(len(rows) == calm, f"{resource.name} gives {len(rows)} of {calm} records after one {fault}")


def it_does_not_repeat_what_was_refused(kit: Kit) -> None:
    for resource in kit.asked:
        with kit.anybody(400, '{"error": "bad parameter"}') as vendor:
            _caught(lambda resource=resource, vendor=vendor: read(resource, vendor.config))
        sent = Counter((seen.method, seen.path, seen.query, seen.body) for seen in vendor.sandbox.journal)
        most = max(sent.values(), default=0)
        require(most <= 1, f"{resource.name} sends the same request {most} times although the vendor answers 400")


def a_wrong_token_is_the_merchants_to_mend(kit: Kit) -> None:
    if not kit.networked:
        raise DoesNotApply("it speaks to no network")
    for resource in kit.reads:
        with kit.anybody(401, UNAUTHORIZED) as vendor:
            error = _tried(resource, vendor)
        require(isinstance(error, ConfigError), f"{resource.name}: a 401 must be a ConfigError, it is {_kind(error)}")
    for sink in kit.sends:
        changes = kit.accepted(sink)[:1]
        with kit.anybody(401, UNAUTHORIZED) as vendor:
            made = settle(sink, vendor.config, changes)
        waits = all(isinstance(one, Deferred) and one.blocked for one in made)
        require(waits, f"{sink.capabilities[0]}: a 401 must raise ConfigError, so that all waits; it is {names(made)}")
    _checks(kit)


def _checks(kit: Kit) -> None:
    check = kit.spec.check
    require(check is not None, "declare `check`: one cheap authenticated read")
    if check is not None:
        with kit.anybody(401, UNAUTHORIZED) as vendor:
            error = _caught(lambda: check(vendor.config))
        require(isinstance(error, ConfigError), f"check: a 401 must be a ConfigError, it is {_kind(error)}")
        with kit.vendor() as vendor:
            error = _caught(lambda: check(vendor.config))
        require(error is None, f"check fails on a sandbox that is well: {error}")


def an_unknown_answer_is_no_empty_success(kit: Kit) -> None:
    """A page of HTML, or JSON of another shape, means that something moved: nobody must take it for "no records"."""
    for resource in kit.asked:
        for body, kind in (("<html>Login</html>", "text/html"), ('{"unexpected": true}', "application/json")):
            with kit.anybody(200, body, kind) as vendor:
                error = _tried(resource, vendor)
            named = isinstance(error, HubError)
            require(named, f"{resource.name}: the answer {body} must raise ContractError, it gives {_kind(error)}")


def one_bad_record_does_not_stop_the_rest(kit: Kit) -> None:
    for resource, _, record in kit.samples:
        page: list[Record] = [{}, {"unexpected": None}, record]
        rows = _caught_rows(replace(resource, extract=_giving(page)), kit)
        require(len(rows) == len(page), f"{resource.name}: {len(page) - len(rows)} records are lost beside an odd one")


def a_call_that_proves_nothing_is_refused(kit: Kit) -> None:
    """Whoever knows the address may call; what is heard becomes people, consents and orders."""
    hear = kit.spec.hear
    if hear is None:
        raise DoesNotApply("its vendor does not call")
    forged = b'{"auth": "00000000000000000000000000000000", "events_by_user": []}'
    for body in (b"", b"{}", forged, b"event=X&auth[application_token]=", b"\xff"):
        call = Call(body, {"content-type": "application/json", "authorization": ""})
        error = _caught(lambda call=call: list(hear(kit.config, call)))
        refused = isinstance(error, RejectedError | ConfigError)
        require(refused, f"hear: the call {body!r} must raise RejectedError, it gives {_kind(error)}")


def it_keeps_the_vendors_limits(kit: Kit) -> None:
    """At the rate it declares, in the sandbox's own time, no request may be refused for being too fast."""
    for resource in kit.reads:
        with kit.vendor(kit.pace(), limits="contract") as vendor:
            read(resource, vendor.config)
        _in_time(vendor, resource.name)
    for sink in kit.sends:
        changes = kit.accepted(sink)
        with kit.vendor(kit.pace(), limits="contract") as vendor:
            settle(sink, vendor.config, changes)
        _in_time(vendor, sink.capabilities[0])
    if not (kit.reads or kit.sends):
        raise DoesNotApply("it speaks to no network")


def _in_time(vendor: Vendor, what: str) -> None:
    refused = max(vendor.sandbox.too_fast, sum(seen.status == 429 for seen in vendor.sandbox.journal))
    require(refused == 0, f"{what}: {refused} of {len(vendor.sandbox.journal)} requests came too fast")


def _survived(resource: Resource, vendor: Vendor, what: str) -> list[dict[str, Any]]:
    try:
        return read(resource, vendor.config)
    except HubError as error:
        require(False, f"{resource.name} does not survive {what}: {error}")
        raise


def _tried(resource: Resource, vendor: Vendor) -> Exception | None:
    """What reading raises; incremental and from the start, whichever complains first."""
    for since in (Since(now=NOW), Since(full=True, now=NOW)):
        if error := _caught(lambda since=since: read(resource, vendor.config, since)):
            return error
    return None


def _caught(work: Any) -> Exception | None:
    try:
        work()
    except AssertionError:
        raise
    except Exception as error:
        return error
    return None


def _caught_rows(resource: Resource, kit: Kit) -> list[dict[str, Any]]:
    try:
        return read(resource, kit.config)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        require(False, f"{resource.name}: key or cursor of an odd record raises {error!r}")
        raise


def _changed_since(resource: Resource, row: dict[str, Any], cursor: str) -> bool:
    """By the record's own cursor: a page may state another for all its records."""
    own = resource.cursor_of(json.loads(row["payload"]))
    if own is None or resource.parse_cursor is None:
        return own is not None and own >= cursor
    return resource.parse_cursor(own) >= resource.parse_cursor(cursor)


def _giving(page: Sequence[Record]) -> Extract:
    return lambda config, since: iter([page])


def _overlap(resource: Resource, cursor: str) -> None:
    """A cursor that is an instant must survive the way there and back, or the lag moves it wrongly."""
    if resource.parse_cursor is None or resource.format_cursor is None:
        return
    try:
        moment = resource.parse_cursor(cursor)
    except ValueError:
        require(False, f"{resource.name} has a lag and a cursor that it cannot move back, {cursor}: give parse_cursor")
        return
    require(isinstance(moment, datetime), f"{resource.name}: parse_cursor gives {moment!r}, not a moment")
    back = resource.parse_cursor(resource.format_cursor(moment))
    require(
        abs((back - moment).total_seconds()) < 1, f"{resource.name}: {cursor} comes back from format_cursor as {back}"
    )


def _kind(error: Exception | None) -> str:
    return "no error at all" if error is None else f"{type(error).__name__}: {error}"


def _key(states: list[tuple[str, str]]) -> str:
    return states[0][0] if states else ""
