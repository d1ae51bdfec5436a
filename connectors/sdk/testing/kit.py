"""What the rules of the kit share: the connector under test, vendors to point it at, and a watchful runtime."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sdk import extract, runtime
from connectors.sdk.config import ConnectionConfig, secrets_of
from connectors.sdk.deliver import Change, Outcome, outcomes
from connectors.sdk.spec import ConnectorSpec, Record, Resource, Since, Sink, by_calls
from connectors.sdk.testing.cases import Case, cases_of
from connectors.sdk.testing.sandbox import Limits, Sandbox, served
from connectors.sdk.testing.shop import Shop, a_shop

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MOST_REQUESTS = 3000
"""A read of the kit's small shop that needs more does not end."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Broken(AssertionError):
    """A rule is broken; the message tells the connector's author what to change."""


class DoesNotApply(Exception):
    """The rule has nothing to look at in this connector."""


def require(holds: object, why: str) -> None:
    if not holds:
        raise Broken(why)


@cache
def small_shop() -> Shop:
    """Enough for several pages everywhere, small enough to be read a hundred times."""
    return a_shop(seed=1, variants=130, people=60, orders=260, days=12, now=NOW)


@dataclass
class Watch:
    """A runtime that waits for nothing and remembers everything. Its clock moves when a connector sleeps."""

    slept: list[float] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    attempts: list[runtime.Attempt] = field(default_factory=list)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        return 0.0

    def pause(self, account: str, seconds: float) -> None:
        self.paused.append(seconds)

    def note(self, attempt: runtime.Attempt) -> None:
        self.attempts.append(attempt)
        require(len(self.attempts) <= MOST_REQUESTS, f"paging does not end: {MOST_REQUESTS} requests and still reading")

    def lent(self) -> runtime.Runtime:
        return runtime.Runtime(bucket=self, note=self.note, sleep=self.slept.append)


class KeepingPace(Watch):
    """Keeps the connector's own rate, in the clock of the sandbox: whether a vendor's limit holds shows at once."""

    def __init__(self) -> None:
        super().__init__()
        self._bucket = runtime.LocalBucket(clock=lambda: sum(self.slept))

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        return self._bucket.take(account, cost, per_second, burst)

    def pause(self, account: str, seconds: float) -> None:
        super().pause(account, seconds)
        self._bucket.pause(account, seconds)


@dataclass(frozen=True)
class Vendor:
    """A simulator that is being served. `state`: what the connector's `sandbox()` gave; None for the kit's own."""

    sandbox: Sandbox
    config: ConnectionConfig
    watch: Watch
    state: Any = None


class Sample(NamedTuple):
    """A record to try the mapping on. `where`: for the author, where it is from."""

    resource: Resource
    where: str
    record: Record


@dataclass(frozen=True)
class Kit:
    """The connector under test. `make_sandbox`: its own `sandbox`; without it the rules that need one do not apply."""

    spec: ConnectorSpec
    config: ConnectionConfig
    cases: Path | None = None
    make_sandbox: Callable[..., Any] | None = None

    @property
    def networked(self) -> bool:
        return bool(self.spec.resources) or any(sink.mode == "delta" for sink in self.spec.sinks)

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(secret.get_secret_value() for secret in secrets_of(self.config))

    @property
    def sends(self) -> list[Sink]:
        """Sinks that send changes; perhaps none."""
        return [sink for sink in self.spec.sinks if sink.mode == "delta"]

    @property
    def deltas(self) -> list[Sink]:
        return self.sends or _nothing("it has no sink that sends changes")

    @property
    def resources(self) -> Sequence[Resource]:
        return self.spec.resources or _nothing("it reads no resource over a network")

    @property
    def reads(self) -> list[Resource]:
        """Resources that are asked for, perhaps none; the others only come by the vendor's calls."""
        return [one for one in self.spec.resources if one.extract is not by_calls]

    @property
    def asked(self) -> Sequence[Resource]:
        return (self.resources and self.reads) or _nothing("nothing is asked for")

    def all_cases(self) -> list[Case]:
        found = [case for resource in self.resources if self.cases for case in cases_of(resource, self.cases)]
        return found or _nothing("no recorded cases at hand")

    @cached_property
    def samples(self) -> list[Sample]:
        """Every record of the cases; without cases, a few of each resource as its sandbox gives them."""
        resources = self.resources  # a sandbox that only drops files is no vendor to ask
        try:
            cases = self.all_cases()
        except DoesNotApply:
            with self.vendor() as vendor:
                found = [(resource, records(resource, vendor.config)[:3]) for resource in resources]
            return [Sample(resource, "the sandbox", record) for resource, some in found for record in some]
        return [Sample(case.resource, case.raw.name, record) for case in cases for record in case.records]

    @contextmanager
    def vendor(self, watch: Watch | None = None, limits: Limits = "off") -> Iterator[Vendor]:
        """The connector's own sandbox, fresh, with the small shop in it."""
        if self.make_sandbox is None:
            raise DoesNotApply("the connector has no sandbox")
        watch = watch or Watch()
        state = self.make_sandbox(small_shop(), limits=limits, clock=watch.now)
        with served(state.sandbox) as url, runtime.using(watch.lent()):
            yield Vendor(state.sandbox, self.at(url), watch, state)

    @contextmanager
    def anybody(
        self, status: int, body: str = "{}", kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> Iterator[Vendor]:
        """A vendor that gives the same answer to whatever it is asked."""
        if "base_url" not in type(self.config).model_fields:
            raise DoesNotApply("the connector speaks to no network")

        async def answer(request: Request) -> Response:
            return Response(body, status, headers, media_type=kind)

        sandbox = Sandbox("anybody", [Route("/{path:path}", answer, methods=METHODS)])
        watch = Watch()
        with served(sandbox) as url, runtime.using(watch.lent()):
            yield Vendor(sandbox, self.at(url), watch)

    def at(self, base_url: str) -> ConnectionConfig:
        """The same settings, pointed at a simulator."""
        settings = {name: getattr(self.config, name) for name in self.config.model_fields_set}
        return type(self.config).model_validate({**settings, "base_url": base_url}).named(self.config.connection)

    def pace(self) -> Watch:
        return KeepingPace()

    def accepted(self, sink: Sink) -> list[Change]:
        """`changes` to be sent elsewhere; none where the kit can make none."""
        try:
            with self.vendor() as vendor:
                return self.changes(vendor, sink)
        except DoesNotApply:
            return []

    def changes(self, vendor: Vendor, sink: Sink) -> list[Change]:
        """Changes that the sandbox should accept, one subject each: the state's own where it offers some.

        A sandbox's state may have `changes(capability) -> list[Change]`; without it they are made from what the
        connector itself reads: listings for prices and stock, open orders for statuses, the shop's orders for copies.
        """
        from connectors.sdk.testing.changes import changes

        return changes(self, vendor, sink)


def read(resource: Resource, config: ConnectionConfig, since: Since | None = None) -> list[dict[str, Any]]:
    """The resource's rows in the raw envelope."""
    batches = extract.pages(resource, config, since or Since(now=NOW))
    return [row for batch in batches for row in batch.to_pylist()]


def records(resource: Resource, config: ConnectionConfig) -> list[dict[str, Any]]:
    return [json.loads(row["payload"]) for row in read(resource, config)]


def settle(sink: Sink, config: ConnectionConfig, changes: Sequence[Change]) -> list[Outcome]:
    """Outcomes as the hub gets them: a batch at a time."""
    size = max(1, sink.batch)
    return [
        one for start in range(0, len(changes), size) for one in outcomes(sink, config, changes[start : start + size])
    ]


def names(found: Sequence[Outcome]) -> str:
    """Kinds of outcomes, with the first reason: what a broken rule shows."""
    told = next((why for one in found if (why := getattr(one, "message", "") or getattr(one, "why", ""))), "")
    return ", ".join(sorted({type(one).__name__ for one in found})) + (f" ({told})" if told else "")


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Everything that is logged meanwhile, at any level."""
    told: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(self.format(record))

    ear, root = Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


def _nothing(why: str) -> Any:
    raise DoesNotApply(why)
