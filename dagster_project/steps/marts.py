"""Marts made of what happened, anew only for the days that a changed fact can reach."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeAlias

import pandas as pd
from sqlalchemy import Connection, Engine

from dagster_project.connections import Hub
from dagster_project.store import marts as store
from dagster_project.store.canonical_tables import listing, product, stock
from dagster_project.store.locks import in_turn
from dagster_project.store.mart_tables import MARTS, engagement_person
from dagster_project.store.marts import Prints
from dagster_project.store.people.segment_tables import person_value
from mappings.metrics import attribution, contacts, journeys, purchases, service, surveys

Frame: TypeAlias = pd.DataFrame
Make: TypeAlias = Callable[..., Frame]
"""(contacts, orders, members) → rows; orders are those `placed` where a mart is made of these. Where days are made
`apart`, also `since`: the first day that is asked for."""
Grain: TypeAlias = Literal["day", "month", "all"]
LONGEST = 366
"""Days made at once, so that ten years of facts are not in memory together."""
BEGINNING, END = date(1970, 1, 1), date(9999, 12, 30)
NIGHT = contacts.DELIVERY.days


@dataclass(frozen=True)
class Mart:
    """How a mart is made. A row of a day depends on facts from `before` days earlier to `after` days later; `grain`:
    the days that are made together, since rows of one depend on facts of the others; `apart`: and on no others.
    `only`: the kinds of contacts that it is made of."""

    name: str
    make: Make
    facts: tuple[str, ...]
    grain: Grain = "day"
    before: int = 0
    after: int = 0
    apart: bool = False
    only: tuple[str, ...] = ()


def _letters_and_interest(touched: Frame, orders: Frame, members: Frame) -> Frame:
    """Both in one row a day, channel and segment; the running sum is made when all days are there."""
    keys = ["day", "channel", "segment"]
    sent = contacts.letters(touched, members).rename(columns={"n": "letters"}).drop(columns="value")
    both = contacts.interest(touched, members).merge(sent, on=keys, how="outer").sort_values(keys)
    counts = ["letters", "opened", "clicked", "n"]
    return both.fillna(dict.fromkeys([*counts, "points"], 0)).astype(dict.fromkeys(counts, "int64"))


SPANNED = {
    mart.name: mart
    for mart in (
        Mart("nps", lambda c, o, m: surveys.nps(c, m), ("contacts",), "month", only=surveys.SURVEYS),
        Mart("csat", lambda c, o, m: surveys.csat(c, m), ("contacts",), "month", only=surveys.SURVEYS),
        Mart("average_check", lambda c, o, m: purchases.average_check(o, m), ("orders",)),
        Mart("frequency", lambda c, o, m: purchases.frequency(o, m), ("orders",), "month"),
        Mart("retention", lambda c, o, m: purchases.retention(o, m), ("orders",), "all"),
        Mart(
            "conversion", contacts.conversion, ("contacts", "orders"), before=NIGHT, after=contacts.RESPONSE_WINDOW.days
        ),
        Mart(
            "cross_conversion",
            contacts.cross_conversion,
            ("contacts", "orders"),
            before=NIGHT,
            after=contacts.ORDER_WINDOW.days,
        ),
        Mart("engagement", _letters_and_interest, ("contacts",), before=NIGHT, after=contacts.OPEN_WINDOW.days),
        Mart("journey", lambda c, o, m: journeys.journey(c, o), ("contacts", "orders"), before=journeys.LOOKBACK.days),
        Mart(
            "attribution",
            attribution.attribution,
            ("contacts", "orders"),
            "month",
            before=journeys.LOOKBACK.days,
            apart=True,
        ),
        Mart("cancellation", lambda c, o, m: service.cancellation(o, m), ("placed",)),
        Mart("promise", lambda c, o, m: service.promise(o, m), ("placed",)),
    )
}
DAILY = {"clv": (person_value,), "availability": (stock, listing, product)}
"""Made of what stands today, anew when a row of these tables was written."""
MADE = (*SPANNED, *DAILY)
LOOK = "marts"


def fill(engine: Engine, hub: Hub, names: Collection[str], *, now: datetime) -> dict[str, int]:
    """Brings the marts `names` up to date; gives how many days each was made anew for. One transaction a mart.

    Facts are looked at before they are read: what is written in between is found changed the next time.
    """
    with engine.begin() as db:
        prints = store.prints(db, hub.entry.timezone)
    return {name: _filled(engine, hub, name, prints, None, now) for name in names}


def fill_written(engine: Engine, hub: Hub, *, now: datetime) -> dict[str, int]:
    """The same for all marts of facts that were written since this was last called, at the cost of their days.

    A day that a fact has left, and persons who moved between segments, wait for `fill`, which looks at every day.
    """
    zone = hub.entry.timezone
    with engine.begin() as db:
        upto, since = store.upto(db), store.looked(db, LOOK)
        days = None if since is None else store.written_days(db, since, zone)
        prints = store.prints(db, zone, days) if days != set() else {}
        moved = [name for name in DAILY if since is None or _written(db, name, since)]
    done = {name: _filled(engine, hub, name, prints, days, now) for name in SPANNED if prints}
    done |= {name: _filled(engine, hub, name, prints, days, now) for name in moved}
    with engine.begin() as db:
        store.note_looked(db, LOOK, upto)
    return done


def _written(db: Connection, name: str, since: int) -> bool:
    return any(store.written(db, table, since) for table in DAILY[name])


def _filled(engine: Engine, hub: Hub, name: str, prints: Prints, among: set[date] | None, now: datetime) -> int:
    with engine.begin() as db:
        in_turn(db, f"mart:{name}")
        if name in SPANNED:
            return _spanned(db, SPANNED[name], prints, hub.entry.timezone, among)
        return _as_it_stands(db, name, hub.local(now).date())


def spans(changed: Collection[date], mart: Mart) -> Iterator[tuple[date, date]]:
    """First and last days to make anew, apart from each other: where `mart` has rows that depend on a changed day."""
    if not changed:
        return
    if mart.grain == "all":
        yield BEGINNING, END
        return
    reach = sorted((day - timedelta(mart.after), day + timedelta(mart.before)) for day in changed)
    if mart.grain == "month":
        reach = sorted({month for first, last in reach for month in _months(first, last)})
    first, last = reach[0]
    for begins, ends in reach[1:]:
        if begins > last + timedelta(1) or (ends - first).days > LONGEST:
            yield first, last
            first = max(begins, last + timedelta(1))
        last = max(last, ends)
    yield first, last


def _spanned(db: Connection, mart: Mart, prints: Prints, zone: str, among: set[date] | None) -> int:
    changed = store.changed_days(db, mart.name, prints, mart.facts, among)
    if not changed:
        return 0
    members, days = store.members(db), 0
    for first, last in spans(changed, mart):
        given = {kind: _facts(db, mart, kind, first, last, zone) for kind in ("contacts", "orders", "placed")}
        for begins, ends in _months(first, last) if mart.apart else [(first, last)]:
            seen = {kind: _between(rows, _earlier(begins, mart.before), ends + timedelta(mart.after))
                    for kind, rows in given.items()}  # fmt: skip
            since = {"since": begins} if mart.apart else {}
            sales = seen["placed" if "placed" in mart.facts else "orders"]
            rows = mart.make(seen["contacts"], sales, members, **since)
            store.replace(db, MARTS[mart.name], _between(rows, begins, ends), begins, ends)
        days += (last - first).days + 1 if mart.grain != "all" else len(changed)
    if mart.name == "engagement":
        _channels_engaged(db)
        _persons_engaged(db, changed if among is not None else None, sorted(prints["contacts"]), zone)
    store.remember(db, mart.name, prints, mart.facts, among)
    return days


def _facts(db: Connection, mart: Mart, kind: str, first: date, last: date, zone: str) -> Frame:
    if kind not in mart.facts:
        return pd.DataFrame()
    only = mart.only if kind == "contacts" else ()
    return store.facts(db, kind, _earlier(first, mart.before), last + timedelta(mart.after), zone, only)


def _channels_engaged(db: Connection) -> None:
    """Running sums of channels by day."""
    kept = store.all_of(db, MARTS["engagement"])
    store.put(db, MARTS["engagement"], kept.assign(value=contacts.decayed(kept, ["channel", "segment"])))


def _persons_engaged(db: Connection, changed: Collection[date] | None, days: list[date], zone: str) -> None:
    """Sums of persons as they stand now: of those met on the days `changed`, of all without them."""
    state = pd.DataFrame(columns=["person_id", "channel", "value", "at"])
    if changed is not None:
        met = contacts.engagement(state, store.contacts_of_who_was_met(db, changed, zone))
        store.put(db, engagement_person, met)
        return
    for first, last in _years(days):
        fresh = contacts.engagement(state, store.facts(db, "contacts", first, last, zone, [*contacts.WEIGHTS]))
        state = pd.concat([fresh, state]).drop_duplicates(["person_id", "channel"]) if len(state) else fresh
    store.replace(db, engagement_person, state)


def _as_it_stands(db: Connection, name: str, today: date) -> int:
    made = {
        "clv": lambda: purchases.clv(store.values(db).assign(day=today), store.members(db)),
        "availability": lambda: service.availability(store.goods(db).assign(day=today)),
    }
    store.replace(db, MARTS[name], made[name](), today, today)
    return 1


def _between(rows: Frame, first: date, last: date) -> Frame:
    return rows[(rows["day"] >= first) & (rows["day"] <= last)] if len(rows) else rows


def _earlier(day: date, days: int) -> date:
    return max(BEGINNING, day - timedelta(days)) if days else day


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """First and last day of each month that the days touch."""
    begins = first.replace(day=1)
    while begins <= last:
        following = (begins + timedelta(31)).replace(day=1)
        yield begins, following - timedelta(1)
        begins = following


def _years(days: list[date]) -> Iterator[tuple[date, date]]:
    if days:
        edges = [*range(days[0].year, days[-1].year + 2)]
        yield from ((date(year, 1, 1), date(following, 1, 1) - timedelta(1)) for year, following in pairwise(edges))
