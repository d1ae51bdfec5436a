"""Publish: the whole desired state of a channel as one file that the channel fetches, and what its fetches confirm.

In a snapshot what is absent is delisted, so a version is never empty, and never much smaller than the one before unless
a person says so. From stale inputs it is made only to take stock away: sales go on while a source is silent.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError, HubError
from connectors.sdk.spec import Offer, Sink, Snapshot
from dagster_project.connections import Connection, Hub
from dagster_project.steps.changes import value_of
from dagster_project.steps.freshness import stale_inputs
from dagster_project.store import feed as feeds
from dagster_project.store import feed_files
from dagster_project.store.feed import Feed
from dagster_project.store.feed_files import FeedFile
from dagster_project.store.locks import alone

PATIENCE = 60.0
"""Seconds to wait for another process that publishes the same feed."""
SILENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Published:
    """`changed`: items shown otherwise than before. `settled`: changes that fetches confirmed. `held`: why not."""

    changed: int = 0
    settled: int = 0
    version: str | None = None
    held: str | None = None


class _Held(Exception):
    """No version this time. `shrunk`: a person may still allow it."""

    def __init__(self, why: str, shrunk: bool = False):
        super().__init__(why)
        self.why, self.shrunk = why, shrunk


def publish(engine: Engine, hub: Hub, connection: Connection, sink: Sink, *, now: datetime) -> Published:
    """Settles what was fetched, and publishes a new version if the channel should be shown anything else.

    A guard's refusal is a result, not an error: the old version stays, the rows get the reason. Raises ConfigError
    where the file cannot be rendered for want of a setting.
    """
    feed = _feed(connection, sink)
    with alone(engine, f"feed:{connection.name}", patience=PATIENCE):
        settled = settle(engine, feed)
        if not _due(engine, feed):
            return Published(settled=settled)
        try:
            version, changed = _new_version(engine, hub, connection, sink, feed, now)
        except _Held as no:
            if no.shrunk:
                feeds.hold(engine, feed, no.why, now=now)
            else:
                feeds.not_published(engine, feed, f"not published: {no.why}")
            return Published(settled=settled, held=no.why)
        except HubError as error:
            feeds.not_published(engine, feed, f"not published: {error}")
            raise
    return Published(changed, settled, version)


def settle_fetches(engine: Engine, connection: Connection) -> int:
    """Accepts what the channel fetched since we last looked. Before a decision: it compares with what was confirmed.

    Raises TransientError while another process publishes for long; that one settles too.
    """
    sinks = connection.spec.sinks if connection.spec else ()
    snapshots = [_feed(connection, sink) for sink in sinks if sink.mode == "snapshot"]
    settled = 0
    for feed in filter(lambda one: one.capabilities, snapshots):
        with alone(engine, f"feed:{connection.name}", patience=PATIENCE):
            settled += settle(engine, feed)
    return settled


def _feed(connection: Connection, sink: Sink) -> Feed:
    return Feed(connection.name, tuple(name for name in sink.capabilities if name in connection.capabilities))


def settle(engine: Engine, feed: Feed) -> int:
    """Accepts what the newest wholly fetched version showed, once."""
    fetched = feeds.last_whole_fetch(engine, feed.connection)
    if fetched is None or fetched[0] <= feeds.settled(engine, feed.connection):
        return 0
    version, at = fetched
    return feeds.settle(engine, feed, version=version, shown_at=feed_files.moment_of(version), at=at)


def fetch_silence(engine: Engine, connection: str, *, now: datetime, limit: timedelta = SILENCE) -> str | None:
    """The alarm, as a sentence, when nobody came for a published feed for longer than `limit`; else None."""
    published = feeds.current(engine, connection)
    if published is None:
        return None
    since = feeds.last_visit(engine, connection) or published.first_at
    if now - since <= limit:
        return None
    hours = (now - since).total_seconds() / 3600
    return (
        f"nobody has fetched the feed of {connection} for {hours:.1f} h: the channel shows what it took before. "
        "Check the feed's address and login in the channel's cabinet, and that the address is reachable from outside."
    )


def _due(engine: Engine, feed: Feed) -> bool:
    """A version that is on record but not served was interrupted between the two: it is made again."""
    known, shown = feeds.current(engine, feed.connection), feed_files.served(feed.connection)
    if known and (shown is None or shown.version != known.version):
        return True
    unconfirmed = known is not None and known.version > feeds.settled(engine, feed.connection)
    return feeds.differs(engine, feed, unconfirmed=unconfirmed)


def _new_version(
    engine: Engine, hub: Hub, connection: Connection, sink: Sink, feed: Feed, now: datetime
) -> tuple[str, int]:
    """The file, then the ledger, then the link: whatever is served was on record before anyone could see it."""
    before = feeds.current(engine, feed.connection)
    stale = _stale(engine, hub, connection, feed, now)
    if stale and not (before and feeds.takes_away(engine, feed)):
        raise _Held(stale)
    version = feed_files.version_at(now, before.version if before else None)
    moment = feed_files.moment_of(version)
    with engine.begin() as db:
        rows = feeds.freeze_shown(db, feed, only_less=stale is not None)
        _guard_size(engine, feed, connection, rows, before)
        body = _rendered(db, hub, connection, sink, Snapshot(version, moment, []))
        file: FeedFile = feed_files.write(feed.connection, version, body)
        digest = hashlib.sha256(body).hexdigest()
        changed = feeds.published(db, feed, version=version, rows=rows, sha256=digest, moment=moment)
    feed_files.serve(feed.connection, file)
    if stale:
        feeds.not_published(engine, feed, f"not published: {stale}")
    return version, changed


def _stale(engine: Engine, hub: Hub, connection: Connection, feed: Feed, now: datetime) -> str | None:
    limit = connection.guards.fresh
    found = stale_inputs(engine, hub, feed.capabilities, limit, now=now)
    return f"stale: {', '.join(found)} not read to the end within {limit}" if found else None


def _guard_size(engine: Engine, feed: Feed, connection: Connection, rows: int, before: feeds.Current | None) -> None:
    if rows == 0:
        raise _Held("empty: an empty file would delist everything; no offer has a value for every capability")
    shrink = connection.guards.shrink
    if before is None or shrink is None or rows >= before.rows * (1 - shrink):
        return
    if not feeds.may_shrink(engine, feed, before.published_at):
        lost = (before.rows - rows) / before.rows
        raise _Held(f"shrink: {before.rows} → {rows} offers, {lost:.0%} fewer; the guard allows {shrink:.0%}", True)


def _rendered(db: Database, hub: Hub, connection: Connection, sink: Sink, empty: Snapshot) -> bytes:
    if sink.render is None:
        raise ConfigError(f"{connection.name}: its connector declares a snapshot and no way to render it")
    offers = [_offer(row, hub.entry.currency) for row in feeds.offers(db)]
    return sink.render(connection.config, Snapshot(empty.version, empty.made_at, offers))


def _offer(row: Any, currency: str) -> Offer:
    about = {**(row.about or {}), "external_id": row.external_id, "currency": currency}
    return Offer(row.subject, {name: value_of(name, text) for name, text in row.shown.items()}, about)
