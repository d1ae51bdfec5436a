"""Thirty-odd bad connectors, each spoilt in one way, with the rule that finds it and a word of why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from types import ModuleType
from typing import Any

import requests
from pydantic import Field as Setting

from connectors.sdk import (
    Accepted,
    ConfigError,
    ConnectionConfig,
    Heard,
    HubError,
    Rejected,
    RejectedError,
    Sink,
    TransientError,
    UnansweredError,
)  # fmt: skip
from connectors.sdk.testing.kit import Kit
from mappings.tables import Derived, Field

Bad = Callable[[ModuleType, Kit], Kit]


def declared(**changed: Any) -> Bad:
    return lambda acme, kit: replace(kit, spec=replace(kit.spec, **changed))


def orders(**changed: Any) -> Bad:
    """The resource `orders`, declared differently."""
    return lambda acme, kit: _with_orders(kit, **changed)


def reading(make: Callable[[ModuleType], Callable[..., Any]]) -> Bad:
    """The resource `orders`, read in another way."""

    def bad(acme: ModuleType, kit: Kit) -> Kit:
        extract = make(acme)
        extract.__doc__ = "Orders."
        return _with_orders(kit, extract=extract)

    return bad


def mapping(name: str, field: Any) -> Bad:
    """The offers' map with one field mapped in another way."""

    def bad(acme: ModuleType, kit: Kit) -> Kit:
        offers = replace(acme.OFFERS, map=acme.to_listing.extended({name: field}))
        return replace(kit, spec=replace(kit.spec, resources=(acme.ORDERS, offers)))

    return bad


def writing(make: Callable[[ModuleType], Callable[..., Any]], **declared: Any) -> Bad:
    """Stock, written in another way."""

    def bad(acme: ModuleType, kit: Kit) -> Kit:
        sink = replace(kit.spec.sinks[0], deliver=make(acme), **declared)
        return replace(kit, spec=replace(kit.spec, sinks=(sink,)))

    return bad


def _with_orders(kit: Kit, **changed: Any) -> Kit:
    first, *others = kit.spec.resources
    return replace(kit, spec=replace(kit.spec, resources=(replace(first, **changed), *others)))


class Undescribed(ConnectionConfig):
    base_url: str
    token: str = "x"


class Unsecret(ConnectionConfig):
    base_url: str = Setting("https://api.example.com", description="API root.")
    token: str = Setting("x", description="Token.")


class NowhereToPoint(ConnectionConfig):
    pass


def undocumented(config: Any, since: Any) -> Iterator[Any]:
    yield from ()


def turns_in_circles(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        while True:
            yield acme.http(config).get("orders").json()["data"]

    return read


def gives_the_first_page_twice(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        yield acme.http(config).get("orders").json()["data"]
        yield from acme.orders(config, since)

    return read


def skips_a_day(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        value = since.value and f"{since.value[:8]}{int(since.value[8:10]) + 1:02d}{since.value[10:]}"
        yield from acme.orders(config, replace(since, value=value))

    return read


def hears_no_retry_after(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        account = acme.http(config)
        account._retry_after = lambda response: None
        yield from account.pages("orders", {"limit": 100}, items="data", next="next")

    return read


def speaks_over_its_own_wire(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        token = config.token.get_secret_value()
        answer = requests.get(f"{config.base_url}orders", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        if not answer.ok:
            raise TransientError("the vendor fails")
        yield answer.json()["data"]

    return read


def beats_a_dead_horse(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        for _ in range(3):
            try:
                yield acme.http(config).get("orders").json()["data"]
            except RejectedError:
                continue
            return

    return read


def swallows_errors(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        try:
            yield from acme.orders(config, since)
        except ConfigError:
            return

    return read


def takes_anything_for_an_answer(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        yield acme.http(config).get("orders").json().get("data", [])

    return read


def tells_the_token(acme: ModuleType) -> Any:
    def read(config: Any, since: Any) -> Iterator[Any]:
        try:
            yield from acme.orders(config, since)
        except HubError as error:
            raise ConfigError(f"the token {config.token.get_secret_value()} does not work") from error

    return read


def as_it_is(acme: ModuleType) -> Any:
    return acme.CONNECTOR.sink("stock.push").deliver


def calls_for_nothing(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        acme.http(config).get("offers")
        yield from as_it_is(acme)(config, changes)

    return deliver


def forgets_what_fails(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        yield from (outcome for outcome in as_it_is(acme)(config, changes) if isinstance(outcome, Accepted))

    return deliver


def breaks_on_an_odd_answer(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        for change in changes:
            reply = acme.http(config).send("PUT", f"offers/{change.external_id}", json={"available": change.value})
            yield Accepted(change, receipt=str(reply.json()["id"]))

    return deliver


def tries_a_lost_write_again(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        try:
            yield from list(as_it_is(acme)(config, changes))
        except UnansweredError:
            yield from as_it_is(acme)(config, changes)

    return deliver


def takes_for_a_no(error: type[HubError], code: str, but: tuple[type[HubError], ...] = ()) -> Any:
    """A writer that calls it a refusal when `error` is raised, unless it is one of `but`."""

    def written(acme: ModuleType) -> Any:
        def deliver(config: Any, changes: Any) -> Iterator[Any]:
            try:
                yield from list(as_it_is(acme)(config, changes))
            except error as raised:
                if isinstance(raised, but):
                    raise
                yield from (Rejected(change, code, str(raised)) for change in changes)

        return deliver

    return written


takes_silence_for_a_no = takes_for_a_no(UnansweredError, "failed")
takes_a_pause_for_a_no = takes_for_a_no(TransientError, "429", but=(UnansweredError,))
takes_a_wrong_token_for_a_no = takes_for_a_no(ConfigError, "401")


def writes_in_haste(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        account = acme.http(config)
        account._rate = (1000.0, 1000.0)
        for change in changes:
            account.send("PUT", f"offers/{change.external_id}", json={"available": change.value})
            yield Accepted(change)

    return deliver


def reading_nothing(bad: Bad) -> Bad:
    """A connector that only writes."""

    def without(acme: ModuleType, kit: Kit) -> Kit:
        made = bad(acme, kit)
        return replace(made, spec=replace(made.spec, resources=()))

    return without


def adds_instead_of_setting(acme: ModuleType) -> Any:
    def deliver(config: Any, changes: Any) -> Iterator[Any]:
        for change in changes:
            shown = acme.http(config).get(f"offers/{change.external_id}").json()["available"]
            yield from as_it_is(acme)(config, [replace(change, value=shown + change.value)])

    return deliver


def a_feed(render: Callable[[Any, Any], bytes]) -> Bad:
    return declared(sinks=(Sink("price.push", mode="snapshot", render=render),))


def unescaped(config: Any, snapshot: Any) -> bytes:
    offers = "".join(f"<offer sku='{one.sku}'>{one.about['name']}</offer>" for one in snapshot.offers)
    return f"<offers>{offers}</offers>".encode()


def shortened(config: Any, snapshot: Any) -> bytes:
    return "\n".join(offer.sku for offer in snapshot.offers[:-1]).encode()


def restless(config: Any, snapshot: Any) -> bytes:
    restless.runs = getattr(restless, "runs", 0) + 1  # type: ignore[attr-defined]
    return "\n".join([str(restless.runs), *(offer.sku for offer in snapshot.offers)]).encode()  # type: ignore[attr-defined]


BAD: dict[str, tuple[Bad, str, str]] = {
    "has no title": (declared(title=" "), "the_registry_takes_it", "title"),
    "offers what does not exist": (declared(sinks=(Sink("stock.pull"),)), "the_registry_takes_it", "unknown"),
    "leaves a setting undescribed": (declared(config=Undescribed), "every_setting_is_described", "base_url"),
    "keeps its token as text": (declared(config=Unsecret), "secrets_are_secret", "SecretStr"),
    "cannot be pointed anywhere": (declared(config=NowhereToPoint), "it_can_be_pointed_at_a_sandbox", "base_url"),
    "does not say what it reads": (orders(extract=undocumented), "every_resource_says_what_it_reads", "docstring"),
    "looks for its key in the wrong place": (orders(key="code"), "keys_and_cursors_stand_in_the_cases", "no code"),
    "looks for its cursor in the wrong place": (orders(cursor="moved"), "keys_and_cursors_stand_in_the_cases", "moved"),
    "believes whoever calls": (
        declared(hear=lambda config, call: [Heard("orders", records=[{}])]),
        "a_call_that_proves_nothing_is_refused", "must raise RejectedError",
    ),
    "forgets a field": (mapping("title", Field("sku")), "every_field_is_mapped_or_ignored", "title"),
    "maps otherwise than its golden file": (mapping("title", Field("title", str.upper)), "golden_files_match", "title"),
    "breaks on a missing field": (
        mapping("title", Derived(lambda offer, _: offer.get("title", "")[0], ("title",))),
        "a_missing_or_broken_field_is_set_aside", "IndexError"),
    "rounds prices": (mapping("observed_price", Field("price", lambda price: Decimal(price).quantize(Decimal(1)))),
                      "amounts_keep_their_cents", "loses cents of price"),
    "turns in circles": (reading(turns_in_circles), "paging_ends_and_repeats_nothing", "does not end"),
    "gives records twice": (reading(gives_the_first_page_twice), "paging_ends_and_repeats_nothing", "more than once"),
    "loses what came late": (reading(skips_a_day), "resuming_loses_nothing", "loses"),
    "has a lag it cannot apply": (orders(cursor="state"), "resuming_loses_nothing", "lag"),
    "hears no Retry-After": (reading(hears_no_retry_after), "it_waits_as_long_as_the_vendor_asks", "waited"),
    "gives up at once": (reading(speaks_over_its_own_wire), "it_tries_again_after_a_failure_of_the_vendor", "survive"),
    "repeats what was refused": (reading(beats_a_dead_horse), "it_does_not_repeat_what_was_refused", "3 times"),
    "swallows a wrong token": (reading(swallows_errors), "a_wrong_token_is_the_merchants_to_mend", "no error at all"),
    "cannot be checked": (declared(check=None), "a_wrong_token_is_the_merchants_to_mend", "check"),
    "cannot be checked though it reads nothing": (
        reading_nothing(declared(check=None)), "a_wrong_token_is_the_merchants_to_mend", "check"),
    "takes a wrong token for a no": (
        writing(takes_a_wrong_token_for_a_no), "a_wrong_token_is_the_merchants_to_mend", "stock.push: a 401"),
    "writes in haste": (writing(writes_in_haste), "it_keeps_the_vendors_limits", "too fast"),
    "takes anything for an answer": (
        reading(takes_anything_for_an_answer), "an_unknown_answer_is_no_empty_success", "ContractError"),
    "stops at an odd record": (
        orders(key=lambda record: str(1 // len(record))), "one_bad_record_does_not_stop_the_rest", "ZeroDivisionError"),
    "calls for nothing": (writing(calls_for_nothing), "an_empty_batch_makes_no_call", "1 calls"),
    "forgets what fails": (writing(forgets_what_fails), "every_change_gets_one_outcome", "get no outcome"),
    "breaks on an odd answer": (writing(breaks_on_an_odd_answer), "every_change_gets_one_outcome", "KeyError"),
    "cannot read its own writing": (
        writing(as_it_is, read_back=lambda config, changes: {one.subject: 0 for one in changes}),
        "a_write_is_confirmed_and_can_be_read_back", "read_back shows 0"),
    "adds instead of setting": (writing(adds_instead_of_setting), "a_repeat_has_one_effect", "read_back shows"),
    "tries a lost write again": (
        writing(tries_a_lost_write_again), "a_lost_answer_is_unknown_and_nothing_is_sent_again", "left 2 times"),
    "takes silence for a no": (
        writing(takes_silence_for_a_no), "a_lost_answer_is_unknown_and_nothing_is_sent_again", "must be Unknown"),
    "takes a pause for a no": (writing(takes_a_pause_for_a_no), "being_too_fast_defers", "must be Deferred"),
    "splits a batch": (writing(as_it_is, batch=100), "a_batch_is_one_request", "sends 6 for 6"),
    "publishes broken XML": (a_feed(unescaped), "a_snapshot_is_whole_and_the_same_every_time", "well-formed"),
    "publishes less than all": (a_feed(shortened), "a_snapshot_is_whole_and_the_same_every_time", "absent"),
    "publishes something new each time": (a_feed(restless), "a_snapshot_is_whole_and_the_same_every_time", "different"),
    "tells its token": (reading(tells_the_token), "nothing_secret_or_personal_is_told", "secret"),
}  # fmt: skip
