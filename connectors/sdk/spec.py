"""What a connector is: frozen declarations, readable without credentials, network or running the source."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Literal

from connectors.sdk.calls import Hear
from connectors.sdk.config import ConnectionConfig
from connectors.sdk.deliver import Accepted, Change, Outcome, Rejected
from connectors.sdk.errors import RejectedError
from connectors.sdk.http import Reply
from mappings.canonical.money import exact
from mappings.tables import FieldMap, at, unmapped
from mappings.tables.fields import leaves

SDK_VERSION = 1
Record = dict[str, Any]

CAPABILITIES = frozenset({"stock.push", "price.push", "order.push", "order.status", "segment.push", "customer.push"})


@dataclass(frozen=True)
class Since:
    """Where a resource is to be read from.

    `value`: the stored cursor less the lag, in the vendor's own notation, None on the first run. `full`: read it all
    (nightly). `open_keys`: raw keys whose orders are not final, for vendors without an updated-since filter. `now`: the
    clock, passed in. `backfill`: how far back a first run goes. `hinted`: keys of records that a call of the vendor
    named since the last run: whatever their time says, they are to be read too.
    """

    value: str | None = None
    full: bool = False
    open_keys: tuple[str, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    backfill: timedelta = timedelta(days=90)
    hinted: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        return self.value is None or self.full


@dataclass(frozen=True)
class Page:
    """Records of one answer. `cursor` overrides the records' own (for reports whose position is the time of asking)."""

    records: Sequence[Record]
    cursor: str | None = None


Pages = Iterator[Page | Sequence[Record]]
"""What an `extract` gives, page by page."""

Extract = Callable[[Any, Since], Pages]
Reads = Callable[[Any], Sequence[Record] | None]


def by_calls(config: Any, since: Since) -> Iterator[Sequence[Record]]:
    """The `extract` of a resource whose records only the vendor's calls bring: nothing is asked for."""
    return iter(())


def iso(moment: datetime) -> str:
    """A moment as most vendors write it: 2026-03-02T05:00:00Z; without a zone where it came without one."""
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat().replace("+00:00", "Z")


def records_of(resource: "Resource", reply: Any) -> Sequence[Record] | None:
    """Records of a saved reply, if they have the key and most of their fields are known to the resource."""
    found = at(reply, resource.items) if resource.items else reply
    records = list(found) if isinstance(found, list) else [reply if found is None else found]
    own = {path for path in (resource.key, resource.cursor) if isinstance(path, str)}
    covered = own.union(*(one.covered for one in resource.maps.values()))
    return records if records and all(_fits(resource, covered, record) for record in records) else None


def _fits(resource: "Resource", covered: Collection[str], record: Any) -> bool:
    if not isinstance(record, dict) or not record or resource.identity(record) is None:
        return False
    return 2 * len(unmapped(record, covered)) < len(set(leaves(record)))


BY_FIELDS: Reads = partial(records_of, None)  # type: ignore[arg-type]
"""Stands for `records_of` the resource itself, which each puts in its place."""


@dataclass(frozen=True)
class Resource:
    """Something to read.

    `key`: dotted path or function of a record's identity. `cursor`: path or function whose maximum is kept (text
    compares as text: use a fixed-width notation), None where there is nothing to follow. `lag`: overlap read again;
    `parse_cursor`/`format_cursor` move the cursor back by it, ISO 8601 where they are not given. `map`: one mapping, or
    entity → mapping. `reads(reply)`: the records of a saved reply of this resource, None where the reply is of another
    shape; by default those at the dotted path `items` (else the reply itself) whose fields the mappings know.
    `complete`: every run (or, with `"full"`, every full run) reads all there is, so absence means deletion. Where that
    would be too much, `complete(config)` gives the keys alone of all there is, and is asked after a nightly run.
    `open_orders`: pass keys of unfinished orders in `Since.open_keys`. `hot`: polled in seconds by the hot lane.
    `refusals`: tells in few requests who refused by now. It is read before anything is sent to people there; of a
    connector where none does, everything that feeds consents is.
    """

    name: str
    extract: Extract
    key: str | Callable[[Record], str]
    map: FieldMap | Mapping[str, FieldMap]
    reads: Reads = BY_FIELDS
    items: str = ""
    cursor: str | Callable[[Record], str | None] | None = None
    lag: timedelta = timedelta(0)
    parse_cursor: Callable[[str], datetime] | None = None
    format_cursor: Callable[[datetime], str] | None = None
    complete: bool | Literal["full"] | Callable[[Any], Iterable[str]] = False
    open_orders: bool = False
    hot: bool = False
    refusals: bool = False
    every: str = "*/30 * * * *"

    def __post_init__(self) -> None:
        if getattr(self.reads, "func", None) is records_of:
            object.__setattr__(self, "reads", partial(records_of, self))
        if self.lag and self.parse_cursor is None:
            object.__setattr__(self, "parse_cursor", datetime.fromisoformat)
            object.__setattr__(self, "format_cursor", self.format_cursor or iso)

    @classmethod
    def from_dlt(cls, name: str, source: Callable[[Any, Since], Iterable[Record]], **declared: Any) -> "Resource":
        """A resource that dlt already has: `source(config, since)` gives it, filled with credentials and `since.value`.

        Its records go the way of all others, in pages of 500. What dlt was told of keys, cursors and tables is not
        read: `declared` says it in the hub's words.
        """

        def extract(config: Any, since: Since) -> Iterator[Sequence[Record]]:
            records = iter(source(config, since))
            while page := list(islice(records, 500)):
                yield page

        extract.__doc__ = source.__doc__
        return cls(name, extract, **declared)

    @property
    def maps(self) -> Mapping[str, FieldMap]:
        """Entity → mapping."""
        return {self.map.model.entity: self.map} if isinstance(self.map, FieldMap) else self.map

    def identity(self, record: Record) -> Any:
        """What `key` finds in a record, None where it finds nothing."""
        return self.key(record) if callable(self.key) else at(record, self.key)

    def key_of(self, record: Record) -> str:
        """Raises KeyError where the record has none: the connector's `key` is wrong or the vendor's answer is."""
        value = self.identity(record)
        if value is None:
            raise KeyError(f"a record of {self.name} has no {self.key if isinstance(self.key, str) else 'key'}")
        return str(value)

    def cursor_of(self, record: Record) -> str | None:
        value = self.cursor(record) if callable(self.cursor) else at(record, self.cursor) if self.cursor else None
        return None if value is None else str(value)

    @property
    def description(self) -> str:
        return (self.extract.__doc__ or "").strip()


@dataclass(frozen=True)
class Offer:
    """One row of a snapshot: a SKU with everything the channel shows of it. `values`: capability → value or None."""

    sku: str
    values: Mapping[str, Any]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The whole desired state of a channel, sorted by SKU. `version` names it in file, log and ledger."""

    version: str
    made_at: datetime
    offers: Sequence[Offer]


def equal(wanted: Any, seen: Any) -> bool:
    """Numbers by value, however they are written: `"1300.00"` is 1300. Anything else by equality."""
    try:
        return exact(wanted) == exact(seen)
    except ValueError:
        return bool(wanted == seen)


@dataclass(frozen=True)
class Sink:
    """Something to write.

    delta: `deliver(config, changes)` sends at most `batch` changes in ONE request (batch=1: one each) and yields
    one outcome per change; when it raises, the rest of the batch gets the outcome the exception means.
    snapshot: `render(config, snapshot)` gives the bytes of the whole file; the hub publishes them atomically.
    `read_back(config, changes)`: subject → value the channel shows now (absent: none), or a `Shown` with the receipt
    that a write of it gives; None when it cannot be read.
    `same(value, observed)`: whether what is shown is what was wanted, where plain equality is too strict.
    `by_point`: stock values are mappings point → quantity. `needs_listing`: only subjects listed on the channel
    belong; of people, where nothing reaches them, those of whom the connection has a card.
    `belongs(config, sku, about)`: why a SKU cannot be on the channel (the rule that excludes it), None where it can.
    `asks`: what a person may ask of an order there (`cancelled`, `returned`, `arrived`, `keep`); no more is ever sent.
    `reaches`: the channel of consent (email, sms, ads …) by which what is written here comes to a person; None where it
    only changes a record about them.
    `takes(config)`: of people, facts beyond names and contacts that the settings ask for: `points`, the balance.
    `hint`: for a merchant, what the channel does with it.
    `forgets`: of people. A change with `"forget": true` in its value deletes all that was written of a person who was
    erased here, found by the receipts alone; without it a person of the shop must do that, as `by_hand` says.
    `messages`: of people. Joining writes to the person, who reads it: nothing takes it back.
    """

    capability: str | tuple[str, ...]
    deliver: Callable[[Any, Sequence[Change]], Iterable[Outcome]] = lambda config, changes: ()
    mode: Literal["delta", "snapshot"] = "delta"
    render: Callable[[Any, Snapshot], bytes] | None = None
    read_back: Callable[[Any, Sequence[Change]], Mapping[str, Any]] | None = None
    same: Callable[[Any, Any], bool] = equal
    batch: int = 100
    by_point: bool = False
    needs_listing: bool = True
    belongs: Callable[[Any, str, Mapping[str, Any]], str | None] = lambda config, sku, about: None
    login: Callable[[Any], tuple[str, str] | None] = lambda config: None
    asks: frozenset[str] = frozenset()
    reaches: str | None = None
    takes: Callable[[Any], Collection[str]] = lambda config: ()
    hint: str = ""
    forgets: bool = False
    by_hand: str = ""
    messages: bool = False

    @classmethod
    def one_by_one(
        cls,
        capability: str,
        write: Callable[[Any, Change], Reply],
        shown: Callable[[Any, Change], Any] | None = None,
        **declared: Any,
    ) -> "Sink":
        """A sink of a vendor that takes one change a request.

        `write(config, change)` sends it; a reply that is not `ok` is a definite no, in the vendor's words.
        `shown(config, change)` asks for the value that the channel shows now; a 404 says that it shows none.
        """

        def deliver(config: Any, changes: Sequence[Change]) -> Iterator[Outcome]:
            for change in changes:
                reply = write(config, change)
                yield Accepted(change) if reply.ok else Rejected(change, str(reply.status), reply.text)

        read_back = None if shown is None else partial(_found, shown)
        return cls(capability, deliver, read_back=read_back, batch=1, **declared)

    @property
    def capabilities(self) -> tuple[str, ...]:
        return (self.capability,) if isinstance(self.capability, str) else self.capability


def _found(shown: Callable[[Any, Change], Any], config: Any, changes: Sequence[Change]) -> dict[str, Any]:
    """Subject → value, without those that the channel does not know."""
    found = {}
    for change in changes:
        try:
            found[change.subject] = shown(config, change)
        except RejectedError as error:
            if error.code != "404":
                raise
    return found


@dataclass(frozen=True)
class FileDrop:
    """Files as a source: the file itself is the raw record.

    `find(config)` lists candidates that are whole (stable size, no `.part`); `read(config, path)` gives a
    `FileFrames` (connectors.sdk.files) or raises `ConfigError`/`RejectedError` naming the line where it broke: a half
    file is refused whole.
    """

    name: str
    find: Callable[[Any], Iterable[Any]]
    read: Callable[[Any, Any], Any]
    entities: tuple[str, ...] = ()
    every: str = "*/5 * * * *"


@dataclass(frozen=True)
class ConnectorSpec:
    """A connector. `order_authority`: statuses an ERP copy may move. `config` is the class of its settings.

    `check`: one cheap authenticated read; a text that it gives is a remark for whoever asked.
    `hear`: reads the calls that the vendor makes to us, where it makes any (`connectors.sdk.calls`).
    """

    name: str
    title: str
    config: type[ConnectionConfig]
    resources: tuple[Resource, ...] = ()
    sinks: tuple[Sink, ...] = ()
    files: FileDrop | None = None
    channel: str | None = None
    check: Callable[[Any], str | None] | None = None
    hear: Hear | None = None
    sdk: int = SDK_VERSION

    def resource(self, name: str) -> Resource:
        return next(resource for resource in self.resources if resource.name == name)

    def sink(self, capability: str) -> Sink:
        return next(sink for sink in self.sinks if capability in sink.capabilities)

    @property
    def capabilities(self) -> tuple[str, ...]:
        return tuple(name for sink in self.sinks for name in sink.capabilities)
