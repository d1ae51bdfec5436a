"""Token buckets in the store: all processes together keep to what a vendor allows one account."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, LiteralString, NamedTuple, cast

import psycopg
from sqlalchemy import Connection, Engine

from connectors.sdk.runtime import ALONE, Runtime, current, using

# By the server's clock, which all processes share. Tokens may go below zero: the debt is the wait. After a pause `at`
# lies in the future, and the count goes on from there.
# Nothing is lost with the last tokens counted before a crash, and a request must not wait for the disk: hence `fast`.
_TAKE = """
with fast as (select set_config('synchronous_commit', 'off', true))
insert into hub.bucket as b (account, tokens, at)
select %(account)s, cast(%(burst)s as float8) - cast(%(cost)s as float8), clock_timestamp() from fast
on conflict (account) do update set
  tokens = least(%(burst)s, b.tokens + cast(%(per_second)s as float8)
                 * extract(epoch from greatest(clock_timestamp(), b.at) - b.at)::float8) - %(cost)s,
  at = greatest(clock_timestamp(), b.at)
returning extract(epoch from greatest(at - clock_timestamp(), interval '0'))::float8
          + greatest(0, -tokens / cast(%(per_second)s as float8)) as wait, tokens
"""

_PAUSE = """
insert into hub.bucket as b (account, tokens, at, paused_until)
values (%(account)s, 0, clock_timestamp() + make_interval(secs => %(seconds)s),
        clock_timestamp() + make_interval(secs => %(seconds)s))
on conflict (account) do update set
  tokens = least(b.tokens, 0), at = greatest(b.at, excluded.at), paused_until = excluded.paused_until
"""

AHEAD = 0.2
"""Seconds for which a worker may take tokens in one question; a pause that another process orders is heard so late."""


class Prepaid(NamedTuple):
    """Tokens taken and not yet used, good `until` (monotonic); what is not used by then is lost, never overdrawn."""

    tokens: float
    until: float


@dataclass
class StoreBucket:
    """`connectors.sdk.runtime.Bucket` over `hub.bucket`, for one thread.

    It keeps a connection, and asks the driver itself: to fetch one from the pool for every request, or to compile and
    wrap every question, would cost more than the question. Where the account has plenty, it takes for several requests.
    """

    engine: Engine
    _kept: Connection | None = None
    _prepaid: dict[str, Prepaid] = field(default_factory=dict)
    _left: dict[str, float] = field(default_factory=dict)

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        """Seconds to wait before the request may leave."""
        paid = self._prepaid.pop(account, Prepaid(0.0, 0.0))
        if 0 < cost <= paid.tokens and monotonic() < paid.until:
            self._prepaid[account] = paid._replace(tokens=paid.tokens - cost)
            return 0.0
        # Half of what was left last time at most: others may have come since, and nobody is to wait for tokens unused.
        taken = max(cost, min(per_second * AHEAD, self._left.get(account, 0.0) / 2)) if cost else cost
        asked = {"account": account, "cost": taken, "per_second": per_second, "burst": burst}
        answer = self._ask(_TAKE, asked).fetchone()
        assert answer is not None
        wait, self._left[account] = map(float, answer)
        if not wait:
            self._prepaid[account] = Prepaid(taken - cost, monotonic() + AHEAD)
        return wait

    def pause(self, account: str, seconds: float) -> None:
        """Nobody calls this account for `seconds`."""
        self._prepaid.pop(account, None)
        self._ask(_PAUSE, {"account": account, "seconds": seconds})

    def close(self) -> None:
        if self._kept:
            self._kept.close()
            self._kept = None

    def _ask(self, statement: LiteralString, values: Mapping[str, object]) -> psycopg.Cursor[Any]:
        """A connection that was lost in the meantime is replaced once."""
        fresh = self._kept is None
        if self._kept is None:
            self._kept = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        driver: psycopg.Connection[Any] = cast(Any, self._kept.connection.driver_connection)
        try:
            return driver.execute(statement, values)
        except psycopg.OperationalError:
            if not driver.closed:
                raise
            self._kept.invalidate()
            self.close()
            if fresh:
                raise
            return self._ask(statement, values)


@contextmanager
def lent(engine: Engine) -> Iterator[Runtime]:
    """Lends the store's buckets to connector calls inside; a runtime that already brings a bucket keeps it."""
    runtime = current()
    if runtime.bucket is not ALONE.bucket:
        yield runtime
        return
    bucket = StoreBucket(engine)
    try:
        with using(replace(runtime, bucket=bucket)) as lending:
            yield lending
    finally:
        bucket.close()
