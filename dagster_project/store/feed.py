"""What a channel that fetches a file is shown, and who came for it.

An item is sent when a version with its value is published, and acknowledged when that version, or a later one, was
fetched whole. So the value and the moment in `sent`, `sent_at` are all that is remembered of a published row.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from dagster_project.store.ledger import ENTITY, Queue, delivering

PUBLISHED = "published, not fetched"
LEFT_OUT = "left out of the feed: "
STOCK = "stock.push"


@dataclass(frozen=True)
class Feed:
    """The capabilities that one file of a connection carries."""

    connection: str
    capabilities: tuple[str, ...]

    @property
    def names(self) -> dict[str, Any]:
        return {"connection": self.connection, "capabilities": list(self.capabilities), "switch": self.switch}

    @property
    def switch(self) -> str:
        """What goes of an offer that belongs no more. The rest of it stays, without stock: a channel may take what is
        left out for unchanged, and go on selling it. Where the file tells no stock, the offer goes."""
        return STOCK if STOCK in self.capabilities else self.capabilities[0]

    def delivering(self, db: Connection) -> None:
        for capability in sorted(self.capabilities):
            delivering(db, Queue(self.connection, capability))


@dataclass(frozen=True)
class Current:
    """The version that the store knows as published."""

    version: str
    rows: int
    published_at: datetime
    first_at: datetime


def current(engine: Engine, connection: str) -> Current | None:
    with engine.connect() as db:
        query = text("select version, rows, published_at, first_at from hub.feed where connection = :connection")
        row = db.execute(query, {"connection": connection}).one_or_none()
    return row and Current(*row)


# The last condition reads every item, so it is asked only while a version waits to be fetched: afterwards what is
# shown and what is confirmed are the same.
_DIFFERS = text("""
select exists (
  select from ledger.outbox o join ledger.item i using (connection, capability, subject)
  where o.connection = :connection and o.capability = any(:capabilities) and o.state = 'ready'
    and i.sent is distinct from o.becomes and not starts_with(coalesce(i.reason, ''), :left_out)
) or exists (
  select from ledger.item
  where connection = :connection and capability = :switch and state = 'excluded' and sent is not null
) or :unconfirmed and exists (
  select from ledger.item
  where connection = :connection and capability = any(:capabilities) and state = 'in_sync'
    and sent is not null and sent is distinct from acknowledged
)
""")


def differs(engine: Engine, feed: Feed, *, unconfirmed: bool) -> bool:
    """Whether the channel should be shown something else than the published version, which is `unconfirmed` or not."""
    with engine.connect() as db:
        values = {**feed.names, "left_out": LEFT_OUT, "unconfirmed": unconfirmed}
        return bool(db.execute(_DIFFERS, values).scalar_one())


# Held and rejected rows keep what was confirmed last; excluded ones are switched off.
_ITEMS = """
from ledger.item i left join ledger.outbox o
  on o.connection = i.connection and o.capability = i.capability and o.subject = i.subject and o.state = 'ready'
cross join lateral (select i.state = 'excluded' and i.capability = :switch as off,
                           coalesce(o.becomes, i.acknowledged, i.sent) as wanted) w
where i.connection = :connection and i.capability = any(:capabilities)
"""
_SHOWN = """
create temporary table shown on commit drop as
select i.capability, i.subject, i.external_id, off, case when not off then {value} end as value
"""
# Units moved from one point to another raise the one, so nothing of that row counts as a fall.
_FALLS = """(i.capability = :switch and i.sent is not null and case jsonb_typeof(wanted)
  when 'object' then not exists (select from jsonb_each(wanted) point
                                 where point.value > coalesce(i.sent -> point.key, to_jsonb(0)))
  else wanted <= i.sent end)"""
_NEVER_MORE = f"case when {_FALLS} then wanted else i.sent end"

_INCOMPLETE = text("""
create temporary table incomplete on commit drop as
select subject from shown group by subject having count(value) + count(*) filter (where off) < :wanted
""")


def takes_away(engine: Engine, feed: Feed) -> bool:
    """Whether anything on sale should be shown with fewer units than the published version has."""
    fewer = f"i.sent is not null and (off or wanted is distinct from i.sent and {_FALLS})"
    with engine.connect() as db:
        return bool(db.execute(text(f"select exists (select {_ITEMS} and {fewer})"), feed.names).scalar_one())


_COMPLETE = "not exists (select from incomplete i where i.subject = s.subject)"


def freeze_shown(db: Connection, feed: Feed, *, only_less: bool = False) -> int:
    """Fixes for this transaction what is to be shown, in the temporary table `shown`; how many SKUs that puts on sale.

    A SKU is on sale when it has a value for every capability of the feed: the channel would make up the other half. One
    that was shown and is switched off stays without stock, and does not count. `only_less`: all stays as published but
    the stock that falls.
    """
    value = _NEVER_MORE if only_less else "wanted"
    db.execute(text(_SHOWN.format(value=value) + _ITEMS), feed.names)
    db.execute(_INCOMPLETE, {"wanted": len(feed.capabilities)})
    db.execute(text("delete from shown where value is null"))
    db.execute(text("analyze shown"))
    query = f"select count(*) from shown s where capability = :switch and {_COMPLETE}"
    return int(db.execute(text(query), feed.names).scalar_one())


_OFFERS = text(f"""
select s.subject, max(s.external_id) as external_id, json_object_agg(s.capability, s.value::text) as shown,
       p.attributes || jsonb_strip_nulls(jsonb_build_object('name', p.name, 'name_kk', p.name_kk, 'brand', p.brand,
         'category', p.category, 'barcodes', p.barcodes, 'unit', p.unit)) as about
from shown s left join canonical.product p on p.sku = s.subject
where {_COMPLETE}
group by s.subject, p.sku order by s.subject collate "C"
""")


def offers(db: Connection) -> Iterator[Any]:
    """The rows of the frozen snapshot by SKU, with what the catalogue says of each. `shown`: capability → JSON text."""
    return iter(db.execute(_OFFERS))


_PUBLISHED = text("""
with changed as (
  update ledger.item i set sent = s.value, sent_at = :moment
  from (select shown.*, incomplete.subject is not null as left_out
        from shown left join incomplete using (subject)) s
  where i.connection = :connection and i.capability = s.capability and i.subject = s.subject and not s.left_out
    and i.sent is distinct from s.value
  returning i.capability, i.subject, i.plan, i.acknowledged, i.sent
), withdrawn as (
  update ledger.item i set sent = null, sent_at = :moment
  where i.connection = :connection and i.capability = any(:capabilities) and i.sent is not null
    and (not exists (select from shown s where s.capability = i.capability and s.subject = i.subject)
         or exists (select from incomplete n where n.subject = i.subject))
  returning i.capability, i.subject, i.plan, i.acknowledged, i.sent
), shown_otherwise as (
  select * from changed union all select * from withdrawn
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, outcome, message, at)
  select plan, :connection, capability, subject, acknowledged, sent, 'in the feed', 'published', :version, :moment
  from shown_otherwise
), each as (
  select capability, count(*) + coalesce((f.uncounted ->> capability)::bigint, 0) as rows
  from shown_otherwise left join hub.feed f on f.connection = :connection group by capability, f.uncounted
), noted as (
  insert into hub.feed as f (connection, version, rows, sha256, published_at, first_at, uncounted)
  select :connection, :version, :rows, :sha256, :moment, :moment, coalesce(jsonb_object_agg(capability, rows), '{}')
  from each
  on conflict (connection) do update
    set version = excluded.version, rows = excluded.rows, sha256 = excluded.sha256,
        published_at = excluded.published_at, uncounted = f.uncounted || excluded.uncounted
)
select count(*) from shown_otherwise
""")

_REASONS = text("""
update ledger.item i set reason = r.reason
from (select o.capability, o.subject,
        case when n.subject is not null then :left_out || 'no ' || array_to_string(array(
               select c from unnest(cast(:capabilities as text[])) c
               where c not in (select s.capability from shown s where s.subject = o.subject)), ', ') || ' yet'
             else :published end as reason
      from ledger.outbox o join ledger.item i using (connection, capability, subject)
      left join incomplete n on n.subject = o.subject
      where o.connection = :connection and o.capability = any(:capabilities) and o.state = 'ready'
        and (n.subject is not null or i.sent is not distinct from o.becomes)) r
where i.connection = :connection and i.capability = r.capability and i.subject = r.subject and i.state = 'pending'
  and i.reason is distinct from r.reason
""")

_RESOLVED = text("""
update ledger.plan set state = 'superseded'
where connection = :connection and capability = any(:capabilities) and state = 'held' and rows = 0
""")


def published(db: Connection, feed: Feed, *, version: str, rows: int, sha256: str, moment: datetime) -> int:
    """Notes what the frozen snapshot shows, in its transaction; how many items it shows otherwise than before."""
    feed.delivering(db)
    values = {**feed.names, "version": version, "rows": rows, "sha256": sha256, "moment": moment}
    changed = int(db.execute(_PUBLISHED, values).scalar_one())
    db.execute(_REASONS, {**feed.names, "published": PUBLISHED, "left_out": LEFT_OUT})
    db.execute(_RESOLVED, feed.names)
    return changed


_COUNTED = text("""
with told as (
  select connection, coalesce((uncounted ->> :capability)::bigint, 0) as rows
  from hub.feed where connection = :connection for update
), forgotten as (
  update hub.feed f set uncounted = f.uncounted - cast(:capability as text)
  from told where f.connection = told.connection and told.rows > 0
)
select rows from told
""")


def counted(engine: Engine, connection: str, capability: str) -> int:
    """Rows of a capability that are shown otherwise since it was asked last, whoever published the file they share."""
    with engine.begin() as db:
        return db.execute(_COUNTED, {"connection": connection, "capability": capability}).scalar_one_or_none() or 0


_NOT_PUBLISHED = text("""
update ledger.item i set reason = :why
from ledger.outbox o
where o.connection = :connection and o.capability = any(:capabilities) and o.state = 'ready'
  and i.connection = o.connection and i.capability = o.capability and i.subject = o.subject
  and i.state = 'pending' and i.sent is distinct from o.becomes and i.reason is distinct from :why
""")


def not_published(engine: Engine, feed: Feed, why: str) -> None:
    """Gives the rows that wait for the next version the reason why there is none."""
    with engine.begin() as db:
        feed.delivering(db)
        db.execute(_NOT_PUBLISHED, {**feed.names, "why": why})


_HOLD = text("""
insert into ledger.plan (connection, capability, state, reason, created_at)
select :connection, :capability, 'held', :why, :now
where not exists (select from ledger.plan where connection = :connection and capability = any(:capabilities)
                  and state = 'held' and rows = 0)
""")

_RELEASED = text("""
select exists (select from ledger.plan where connection = :connection and capability = any(:capabilities)
               and state = 'released' and reason like 'shrink%' and decided_at > :since)
""")


def hold(engine: Engine, feed: Feed, why: str, *, now: datetime) -> None:
    """Asks a person: a held plan without rows stands for the file itself."""
    with engine.begin() as db:
        db.execute(_HOLD, {**feed.names, "capability": feed.capabilities[0], "why": why, "now": now})
    not_published(engine, feed, f"not published: {why}")


def may_shrink(engine: Engine, feed: Feed, since: datetime) -> bool:
    """Whether a person has released a shrunken snapshot since the last version."""
    with engine.connect() as db:
        return bool(db.execute(_RELEASED, {**feed.names, "since": since}).scalar_one())


# A fetch proves what its version showed. A change is done if that is what waits in the outbox now; an item that was
# thought in sync by an older confirmation is planned anew.
_SETTLE = text("""
with shown as (
  select i.capability, i.subject, o.key, i.state = 'in_sync' as surprised, o.version = i.version as newest
  from ledger.item i left join ledger.outbox o
    on o.connection = i.connection and o.capability = i.capability and o.subject = i.subject and o.state = 'ready'
    and o.becomes is not distinct from i.sent
  where i.connection = :connection and i.capability = any(:capabilities) and i.sent_at <= :shown_at
    and (i.sent is distinct from i.acknowledged or (i.state = 'pending' and o.key is not null))
), moved as (
  update ledger.item i set acknowledged = i.sent, acknowledged_at = :at,
    state = case when s.newest then 'in_sync' when s.key is not null or s.surprised then 'pending' else i.state end,
    reason = case when s.newest then null
                  when s.key is not null or s.surprised then 'a newer value is being planned' else i.reason end
  from shown s where i.connection = :connection and i.capability = s.capability and i.subject = s.subject
), done as (
  delete from ledger.outbox o using shown s
  where o.connection = :connection and o.capability = s.capability and o.subject = s.subject and s.key is not null
  returning o.*
), journal as (
  insert into ledger.change (plan, connection, capability, subject, was, becomes, because, guard, outcome, message,
                             key, at)
  select plan, connection, capability, subject, was, becomes, because, guard, 'accepted', :message, key, :at from done
), again as (
  insert into hub.dirty (entity, subject, because)
  select cast(:entities as jsonb) ->> capability, subject, 'the feed showed another value' from shown
  where surprised or not newest
), remembered as (
  insert into hub.cursor (connection, resource, value) values (:connection, 'feed', :version)
  on conflict (connection, resource) do update set value = excluded.value
)
select count(*) from done
""")


def settle(engine: Engine, feed: Feed, *, version: str, shown_at: datetime, at: datetime) -> int:
    """Accepts what a wholly fetched version showed; how many changes that settles."""
    entities = json.dumps({name: ENTITY[name.partition(".")[0]] for name in feed.capabilities})
    values = {"version": version, "shown_at": shown_at, "at": at, "message": f"fetched in version {version}"}
    with engine.begin() as db:
        feed.delivering(db)
        return int(db.execute(_SETTLE, {**feed.names, **values, "entities": entities}).scalar_one())


def settled(engine: Engine, connection: str) -> str:
    """The newest version that was settled; empty before the first."""
    query = text("select value from hub.cursor where connection = :connection and resource = 'feed'")
    with engine.connect() as db:
        return db.execute(query, {"connection": connection}).scalar_one_or_none() or ""


_FETCHED = text("""
select version, at from hub.feed_fetch
where connection = :connection and status = 200 and complete and version is not null
order by version desc limit 1
""")


def last_whole_fetch(engine: Engine, connection: str) -> tuple[str, datetime] | None:
    """The newest version that was fetched whole, and when."""
    with engine.connect() as db:
        row = db.execute(_FETCHED, {"connection": connection}).one_or_none()
    return row and (row.version, row.at)


_LOG = text("""
insert into hub.feed_fetch (connection, at, status, version, complete)
values (:connection, :at, :status, :version, :complete)
""")


def log_fetch(
    engine: Engine, connection: str, *, at: datetime, status: int, version: str | None, complete: bool
) -> None:
    """One line per request for the feed. `complete`: the whole body of `version` was handed over."""
    values = {"connection": connection, "at": at, "status": status, "version": version, "complete": complete}
    with engine.begin() as db:
        db.execute(_LOG, values)


_LAST_VISIT = text("""
select max(at) from hub.feed_fetch where connection = :connection and (status = 304 or (status = 200 and complete))
""")


def last_visit(engine: Engine, connection: str) -> datetime | None:
    """When the channel last took the feed, or saw that it had the newest version."""
    with engine.connect() as db:
        moment: datetime | None = db.execute(_LAST_VISIT, {"connection": connection}).scalar_one()
    return moment
