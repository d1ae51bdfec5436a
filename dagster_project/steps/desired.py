"""What every product should show on a channel: its settings applied to a slice, by the rules of `mappings`."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.sdk.spec import Sink
from dagster_project.connections import Connection, Hub
from dagster_project.steps.slices import Slice
from mappings.pricing.rules import NO_CEILING, Cents, channel_price, in_force
from mappings.stock.availability import Floats, available_to_sell, free, offered, together
from mappings.stock.policy import fresh
from mappings.sync.offers import excluded
from mappings.sync.values import by_name, numbers

UNCOUNTED = "blank: not counted in any location that sells here"
NO_POINTS = "blank: no location of this channel is named under `locations` in connections.yaml"


# ── stock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stock(hub: Hub, connection: Connection, sink: Sink, slice: Slice, now: datetime) -> pa.Table:
    """Available to sell of each product, its facts, and `fresh`: counted lately enough to raise it."""
    rules, counted = connection.entry.stock, slice.stock
    points = selling_points(connection, sink, counted.places)
    columns = [counted.places.index(place) for place in points.values()]
    on_hand, reserved = counted.on_hand[:, columns], counted.reserved[:, columns]
    unpromised = free(on_hand, reserved)
    shared = offered(
        unpromised, rules.allocation, rules.share, [served_before(hub, connection, p) for p in points.values()]
    )
    if not sink.by_point:
        unpromised, shared = together(unpromised), together(shared)
    available = available_to_sell(shared, unpromised, rules.safety)
    value = _quantities(available, points, sink)
    counted_at = counted.counted_at[:, columns]
    patience = np.inf if connection.guards.fresh is None else connection.guards.fresh.total_seconds()
    return pa.table(
        {
            "subject": slice.products["sku"],
            "value": value,
            "excluded": _excluded(connection, sink, slice, now, counted=pc.is_valid(value)),
            "hold": pc.if_else(
                pc.is_valid(value), None, UNCOUNTED if connection.entry.locations or not sink.by_point else NO_POINTS
            ),
            "withdrawal": _withdrawal(available, points, sink),
            "fresh": fresh(counted_at, now.timestamp(), patience),
            "counted_at": np.min(np.where(np.isnan(counted_at), np.inf, counted_at), axis=1, initial=np.inf),
            "on_hand": together(on_hand)[:, 0],
            "reserved": together(reserved)[:, 0],
        }
    )


def selling_points(connection: Connection, sink: Sink, counted: Sequence[str]) -> dict[str, str]:
    """Where the channel sells from: its own name of each point, or the location's where it has none → our location."""
    sells = connection.entry.stock.from_ or counted
    named = connection.entry.locations if sink.by_point else {place: place for place in sells}
    return {name: place for name, place in named.items() if place in sells and place in counted}


def served_before(hub: Hub, connection: Connection, place: str) -> list[float]:
    """Shares of the channels that are served first at a location, in their order, for allocation by priority."""

    def turn(one: Connection) -> tuple[int, str]:
        return one.entry.stock.priority, one.name

    def competes(one: Connection) -> bool:
        rules = one.entry.stock
        sells = "stock.push" in one.capabilities and place in (rules.from_ or (place,))
        return sells and rules.allocation == "priority" and turn(one) < turn(connection)

    return [one.entry.stock.share for one in sorted(filter(competes, hub.connections.values()), key=turn)]


def _quantities(values: Floats, points: dict[str, str], sink: Sink) -> pa.Array:
    return by_name(list(points), values) if sink.by_point else numbers(values[:, 0])


def _withdrawal(available: Floats, points: dict[str, str], sink: Sink) -> pa.Array:
    """Nothing to sell, for a product that belongs no more. In a file its stock goes when the file is made."""
    if sink.mode == "snapshot":
        return pa.nulls(len(available), pa.string())
    return _quantities(np.where(np.isnan(available), np.nan, 0), points, sink)


# ── price ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def price(hub: Hub, connection: Connection, sink: Sink, slice: Slice, now: datetime) -> pa.Table:
    """Channel price of each product, in major units. Beside it base, floor and ceiling, NaN where there is none."""
    rules, currency = connection.entry.price, hub.entry.currency
    types = [name for name in (rules.from_, rules.floor, rules.ceiling) if name]
    found = in_force(slice.prices(types), now)
    base, coin = _of_type(found, rules.from_, slice)
    floor, ceiling = _of_type(found, rules.floor, slice)[0], _of_type(found, rules.ceiling, slice)[0]
    amount = channel_price(_filled(base, 0), rules.markup, rules.round, _filled(floor, 0), _filled(ceiling, NO_CEILING))
    foreign = pc.fill_null(pc.not_equal(coin, currency), False)
    missing = pc.invert(pc.is_valid(base))
    hold = pc.if_else(foreign, pc.binary_join_element_wise(f"currency: the {rules.from_} price is in", coin, " "), None)
    hold = pc.if_else(missing, f"blank: no {rules.from_} price", hold)
    value = pc.if_else(pc.is_valid(hold), None, numbers(amount / 100, places=2))
    return pa.table(
        {
            "subject": slice.products["sku"],
            "value": value,
            "excluded": _excluded(connection, sink, slice, now, priced=pc.is_valid(base)),
            "hold": hold,
            "withdrawal": pa.nulls(len(value), pa.string()),
            "base": _major(base),
            "floor": _major(floor),
            "ceiling": _major(ceiling),
        }
    )


def _of_type(found: pa.Table, kind: str | None, slice: Slice) -> tuple[pa.Array, pa.Array]:
    """Hundredths and currency of one price type for each product, null where it has none."""
    rows = found.filter(pc.equal(found["price_type"], kind)) if kind else found.slice(0, 0)
    at = pc.index_in(slice.products["sku"], rows["sku"]).combine_chunks()
    return tuple(rows[name].combine_chunks().take(at) for name in ("cents", "currency"))


def _filled(cents: pa.Array, default: int) -> Cents:
    return pc.fill_null(cents, default).to_numpy(zero_copy_only=False)


def _major(cents: pa.Array) -> pa.Array:
    return pc.divide(pc.cast(cents, pa.float64()), 100.0)


# ── what belongs on the channel ───────────────────────────────────────────────────────────────────────────────────────


def _excluded(
    connection: Connection,
    sink: Sink,
    slice: Slice,
    now: datetime,
    *,
    counted: pa.Array | None = None,
    priced: pa.Array | None = None,
) -> pa.Array:
    offers = connection.entry.offers
    has = {}
    if "price" in offers.has:
        has["price"] = _priced(connection, slice, now) if priced is None else priced
    if "stock" in offers.has:
        has["stock"] = _counted(connection, slice) if counted is None else counted
    reasons = excluded(
        slice.products,
        status=offers.status,
        under=(offers.category, slice.categories) if offers.category else None,
        exclude=offers.exclude,
        has=has,
        unlisted=slice.unlisted(connection.name) if sink.needs_listing else (),
    )
    return reasons if sink.belongs is Sink.belongs else _fitting(connection, sink, slice, reasons)


def _priced(connection: Connection, slice: Slice, now: datetime) -> pa.Array:
    found = in_force(slice.prices([connection.entry.price.from_]), now)
    return pc.is_in(slice.products["sku"], found["sku"]).combine_chunks()


def _counted(connection: Connection, slice: Slice) -> pa.Array:
    sells = connection.entry.stock.from_
    columns = [place for place, name in enumerate(slice.stock.places) if not sells or name in sells]
    return pa.array(~np.isnan(slice.stock.on_hand[:, columns]).all(axis=1))


def _fitting(connection: Connection, sink: Sink, slice: Slice, reasons: pa.Array) -> pa.Array:
    """The connector's own rule, for products that no rule of the merchant keeps away."""
    about = dict(zip(*(slice.about[name].to_pylist() for name in ("sku", "about")), strict=True))
    skus = slice.products["sku"].to_pylist()
    return pa.array(
        [
            reason or sink.belongs(connection.config, sku, json.loads(about[sku]))
            for sku, reason in zip(skus, reasons.to_pylist(), strict=True)
        ],
        pa.string(),
    )
