"""Who waits for whom while several vendors are read: only mapping waits, and only for goods."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from connectors.sdk.errors import TransientError
from dagster_project.connections import Connection, Hub, parse
from dagster_project.steps import pull
from dagster_project.steps.canonical import Mapped
from dagster_project.steps.land import Landed
from dagster_project.steps.pull import Pull, Pulled
from tests.dagster_project.steps.pull.conftest import TWO_SYSTEMS, Vendor

PATIENCE = 20
"""Seconds after which a thread that waits in vain fails its test."""


@dataclass
class Watch:
    """Stands in for landing and mapping: notes what is done in which order, and lets a test hold a step back."""

    hub: Hub
    mapped: list[tuple[str, str]] = field(default_factory=list)
    done: dict[tuple[str, str, str], Event] = field(default_factory=dict)
    until: dict[tuple[str, str, str], tuple[str, str, str]] = field(default_factory=dict)
    fails: set[tuple[str, str]] = field(default_factory=set)

    def event(self, step: tuple[str, str, str]) -> Event:
        return self.done.setdefault(step, Event())

    def steps(self, step: tuple[str, str, str]) -> None:
        if step in self.until:
            assert self.event(self.until[step]).wait(PATIENCE), f"{step} waited in vain for {self.until[step]}"
        self.event(step).set()

    def land(self, engine: Any, connection: Connection, resource: Any, **given: Any) -> Landed:
        if (connection.name, resource.name) in self.fails:
            raise TransientError("the vendor fails")
        self.steps(("land", connection.name, resource.name))
        return Landed()

    def map_new(self, engine: Any, hub: Hub, connection: Connection, resource: Any, **given: Any) -> Mapped:
        self.steps(("map", connection.name, resource.name))
        self.mapped.append((connection.name, resource.name))
        return Mapped()

    def pulls(self) -> list[Pulled]:
        now = datetime(2026, 3, 2, tzinfo=UTC)
        reading = Pull(None, self.hub, lambda: now, False, lambda connection, what: None)  # type: ignore[arg-type]
        return list(reading.all(list(self.hub.connections.values())))


@pytest.fixture
def watch(monkeypatch) -> Callable[..., Watch]:
    def make(connections: str = TWO_SYSTEMS) -> Watch:
        names = [line.split(":")[0] for line in connections.strip().splitlines()[1:]]
        made = Watch(parse(connections, {name: Vendor().spec(name) for name in names}))
        monkeypatch.setattr(pull, "land", made.land)
        monkeypatch.setattr(pull, "map_new", made.map_new)
        return made

    return make


def test_a_market_is_read_at_once_and_mapped_after_the_goods_of_the_erp(watch):
    told = watch()
    told.until["map", "erp", "goods"] = ("land", "market", "sales")
    told.pulls()
    goods = told.mapped.index(("erp", "goods"))
    assert all(place > goods for place, (name, _) in enumerate(told.mapped) if name == "market")


def test_what_came_is_mapped_while_the_next_resource_is_read(watch):
    told = watch()
    told.until["land", "erp", "sales"] = ("map", "erp", "people")
    assert all(part.error is None for part in told.pulls())


def test_an_erp_that_fails_keeps_nobody_waiting(watch):
    told = watch()
    told.fails |= {("erp", "goods"), ("erp", "places")}
    errors = {(part.connection, part.resource): part.error for part in told.pulls() if part.error}
    assert errors == {("erp", "goods"): "the vendor fails", ("erp", "places"): "the vendor fails"}
    assert ("market", "sales") in told.mapped


def test_owners_may_be_more_than_are_read_side_by_side(watch):
    owners = [f"erp{number}" for number in range(pull.SIDE_BY_SIDE + 2)]
    told = watch(
        f"hub: {{authority: {{product: [{', '.join(owners)}]}}}}\n"
        + "\n".join(f"{name}: {{connector: {name}}}" for name in owners)
    )
    assert {part.connection for part in told.pulls()} == set(owners)
