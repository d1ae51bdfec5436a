"""Somebody buys → leaves the segment → the ad network takes him off, with all of Dagster running.

The shop and the network are simulators on loopback, so no vendor's own delay is in the number: what is measured is the
way through the hub, from the moment of the order to the moment when its removal was accepted.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, text

from connectors.sdk.testing.shop import Shop, a_shop
from dagster_project import clock
from dagster_project.bench.row import Row
from dagster_project.bench.throwaway import throwaway_store
from dagster_project.connections import load
from dagster_project.home import home
from dagster_project.simulators import Simulator, simulators
from dagster_project.steps.people.membership import activate
from dagster_project.steps.sync import sync
from dagster_project.up import dagster, free_port

NAMES = ("ad_suppression",)
SEED, PEOPLE, PURCHASES, BETWEEN, PATIENCE = 1, 300, 20, 3.0, 120.0
GOAL = 60.0
SEGMENT: dict[str, Any] = {
    "segment": "seekers",
    "title": dict.fromkeys(("ru", "kk", "en"), "Seekers"),
    "where": {"field": "orders.count", "op": "=", "value": 0},
    "consent": {"channel": "ads", "purpose": "marketing"},
    "activate": [{"channel": "network", "audience": "seekers"}],
}
_TAKEN_OFF = text("""
select extract(epoch from i.acknowledged_at - min(o.placed_at))::float8
from canonical."order" o join ledger.item i
  on i.connection = 'network' and i.capability = 'segment.push' and i.subject = 'seekers/' || o.person_id
where o.placed_at >= :start and i.acknowledged ->> 'member' = 'false' and i.acknowledged_at >= :start
group by i.subject, i.acknowledged_at order by 1
""")
_BUYERS = text('select count(distinct person_id) from canonical."order" where placed_at >= :start')


def rows() -> Iterator[Row]:
    """`ad_suppression`: the 95th percentile in seconds; who was not taken off in time counts as the whole patience."""
    shop = a_shop(seed=SEED, variants=20, people=PEOPLE, orders=0)
    with throwaway_store() as engine, ExitStack() as opened:
        pulse = _opened(opened, shop)
        _everybody_is_sought(engine, shop)
        with dagster(free_port()):
            taken = _bought(engine, pulse)
    late = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    note = f"{len(taken)} buyers, median {taken[len(taken) // 2]:.1f} s; shop and network are simulators"
    yield Row("ad_suppression", late, "s", f"p95 ≤ {GOAL:g} s", late <= GOAL, seed=SEED, note=note)


def _opened(opened: ExitStack, shop: Shop) -> Any:
    """Both simulators, the folders, connections.yaml; gives what makes somebody buy."""
    players = simulators()
    seller = next(one for one in players if _sells(one))
    network = next(one for one in players if any(sink.reaches == "ads" for sink in one.spec.sinks))
    layouts = {"goods": "products", "counts": "stock", "crm": "customers", "forms": "consents"}
    entries: dict[str, Any] = {
        name: {
            "connector": "files",
            "settings": {"path": f"{name}.csv", "layout": layout, "timezone": "Asia/Almaty"},
        }
        for name, layout in layouts.items()
    }
    for name, player in (("shop", seller), ("network", network)):
        address = opened.enter_context(player.running(shop, limits="off", folder=home()))
        entries[name] = _entry(name, player, address)
    entries["network"] |= {"push": {"segment": "auto", "first": "auto"}, "country": "KZ"}
    entries["shop"] |= {"push": {"stock": "auto", "first": "auto"}, "guards": {"share": 1.0}}
    (home() / "connections.yaml").write_text(yaml.safe_dump(entries), "utf-8")
    return seller.pulse(shop, None, home())


def _sells(player: Simulator) -> bool:
    """A shop that is polled in seconds, whose orders carry the buyer's contact: marketplaces with a file hide it."""
    sinks = {name: sink for sink in player.spec.sinks for name in sink.capabilities}
    return hasattr(player.module, "life") and "order.status" in sinks and sinks["price.push"].mode == "delta"


def _entry(name: str, player: Simulator, address: str) -> dict[str, Any]:
    demo = player.demo
    assert demo is not None
    secrets = {secret: f"BENCH_{name}_{secret}".upper() for secret in demo.secrets}
    os.environ.update({secrets[secret]: value for secret, value in demo.secrets.items()})
    settings = {**demo.settings, **demo.unlimited, "base_url": address}
    return {"connector": player.name, "settings": settings, "secrets": secrets}


def _everybody_is_sought(engine: Engine, shop: Shop) -> None:
    """There is something to buy; all people are known, agreed to ads and are in the network's audience."""
    _write("goods.csv", "sku,name", (f"{one.sku},{one.name}" for one in shop.variants))
    _write("counts.csv", "sku,location,on_hand", (f"{one.sku},Almaty-1,1000" for one in shop.variants))
    reachable = [one for one in shop.people if one.phone]
    _write("crm.csv", "external_id,name,phone", (f"{p.id},{p.first_name} {p.last_name},{p.phone}" for p in reachable))
    said = (f"{person.phone},ads,marketing,granted,2026-01-01 10:00,form" for person in reachable)
    _write("forms.csv", "identifier,channel,purpose,state,at,source", said)
    (home() / "segments").mkdir()
    (home() / "segments" / "seekers.yaml").write_text(yaml.safe_dump(SEGMENT), "utf-8")
    sync(engine, load(), clock=clock.now)
    activate(engine, load(), SEGMENT["segment"], who="the bench", now=clock.now())
    report = sync(engine, load(), clock=clock.now)
    assert not report.errors, report.errors


def _write(name: str, header: str, lines: Iterator[str]) -> None:
    Path(home() / name).write_text("\n".join((header, *lines, "")), "utf-8")


def _bought(engine: Engine, pulse: Any) -> list[float]:
    """Somebody buys every few seconds; the seconds until each buyer was taken off, in order."""
    start = clock.now()
    for _ in range(PURCHASES):
        pulse()
        time.sleep(BETWEEN)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        taken, buyers = _taken_off(engine, start)
        if buyers and len(taken) == buyers:
            return taken
        time.sleep(1)
    taken, buyers = _taken_off(engine, start)
    return [*taken, *[PATIENCE] * max(1, buyers - len(taken))]


def _taken_off(engine: Engine, start: datetime) -> tuple[list[float], int]:
    with engine.connect() as db:
        found = list(db.execute(_TAKEN_OFF, {"start": start}).scalars())
        return found, int(db.execute(_BUYERS, {"start": start}).scalar_one())
