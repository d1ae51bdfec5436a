"""Token buckets in the store: all processes together keep to what a vendor allows one account."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Engine, text

from connectors.sdk.runtime import ALONE, Runtime, current, using

# By the server's clock, which all processes share. Tokens may go below zero: the debt is the wait. After a pause `at`
# lies in the future, and the count goes on from there.
# Nothing is lost with the last tokens counted before a crash, and a request must not wait for the disk: hence `fast`.
_TAKE = text("""
with fast as (select set_config('synchronous_commit', 'off', true))
insert into hub.bucket as b (account, tokens, at)
select :account, cast(:burst as float8) - cast(:cost as float8), clock_timestamp() from fast
on conflict (account) do update set
  tokens = least(:burst, b.tokens + cast(:per_second as float8)
                 * extract(epoch from greatest(clock_timestamp(), b.at) - b.at)::float8) - :cost,
  at = greatest(clock_timestamp(), b.at)
returning extract(epoch from greatest(at - clock_timestamp(), interval '0'))::float8
          + greatest(0, -tokens / cast(:per_second as float8)) as wait
""")

_PAUSE = text("""
insert into hub.bucket as b (account, tokens, at, paused_until)
values (:account, 0, clock_timestamp() + make_interval(secs => :seconds),
        clock_timestamp() + make_interval(secs => :seconds))
on conflict (account) do update set
  tokens = least(b.tokens, 0), at = greatest(b.at, excluded.at), paused_until = excluded.paused_until
""")


@dataclass(frozen=True)
class StoreBucket:
    """`connectors.sdk.runtime.Bucket` over `hub.bucket`."""

    engine: Engine

    def take(self, account: str, cost: float, per_second: float, burst: float) -> float:
        """Seconds to wait before the request may leave."""
        asked = {"account": account, "cost": cost, "per_second": per_second, "burst": burst}
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            return float(db.execute(_TAKE, asked).scalar_one())

    def pause(self, account: str, seconds: float) -> None:
        """Nobody calls this account for `seconds`."""
        with self.engine.begin() as db:
            db.execute(_PAUSE, {"account": account, "seconds": seconds})


@contextmanager
def lent(engine: Engine) -> Iterator[Runtime]:
    """Lends the store's buckets to connector calls inside; a runtime that already brings a bucket keeps it."""
    runtime = current()
    if runtime.bucket is ALONE.bucket:
        runtime = replace(runtime, bucket=StoreBucket(engine))
    with using(runtime) as lending:
        yield lending
