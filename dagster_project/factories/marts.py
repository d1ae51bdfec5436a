"""Marts as assets: each with its formula, a picture, and the borders outside which a channel is not worth its cost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from inspect import cleandoc
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Config,
    DefaultScheduleStatus,
    MaterializeResult,
    MetadataValue,
    ScheduleDefinition,
    define_asset_job,
    in_process_executor,
    multi_asset,
)
from pydantic import Field as Setting
from sqlalchemy import text

from dagster_project import clock
from dagster_project.connections import Hub, Reorder
from dagster_project.factories import keys
from dagster_project.factories.plots import picture
from dagster_project.steps.demand import plan_demand
from dagster_project.steps.marts import MADE, fill
from dagster_project.store.database import engine
from dagster_project.store.mart_tables import MARTS
from mappings.forecast import choice, reorder
from mappings.metrics import attribution, contacts, journeys, purchases, service, surveys

GROUP = "mart_8"
EVERY_NIGHT = "20 5 * * *"
"""An hour after everything was decided anew."""
CONTACTS, ORDERS = ("contact_event",), ("order",)


@dataclass(frozen=True)
class Said:
    """Where a mart's formula is written, and the canonical entities that it is made of."""

    formula: Callable[..., Any]
    of: tuple[str, ...]


SAID = {
    "nps": Said(surveys.nps, CONTACTS),
    "csat": Said(surveys.csat, CONTACTS),
    "average_check": Said(purchases.average_check, ORDERS),
    "frequency": Said(purchases.frequency, ORDERS),
    "retention": Said(purchases.retention, ORDERS),
    "clv": Said(purchases.clv, ORDERS),
    "conversion": Said(contacts.conversion, (*CONTACTS, *ORDERS)),
    "cross_conversion": Said(contacts.cross_conversion, (*CONTACTS, *ORDERS)),
    "engagement": Said(contacts.decayed, CONTACTS),
    "journey": Said(journeys.journey, (*CONTACTS, *ORDERS)),
    "attribution": Said(attribution.attribution, (*CONTACTS, *ORDERS)),
    "cancellation": Said(service.cancellation, ORDERS),
    "promise": Said(service.promise, ORDERS),
    "availability": Said(service.availability, ("stock_level", "listing", "product")),
    "forecast": Said(choice.choose, ORDERS),
    "reorder": Said(reorder.replenish, (*ORDERS, "stock_level")),
}


@dataclass(frozen=True)
class Threshold:
    """A share of the last 30 days that should not be lower than its border, or not higher, `above`. `share`: SQL that
    gives part and whole of the days up to `:last`. `waits`: days until which something may yet follow what was counted;
    a day is judged once they are over."""

    name: str
    mart: str
    border: float
    share: str
    waits: int = 0
    above: bool = False

    @property
    def description(self) -> str:
        over = f" for which the following {self.waits} days are over" if self.waits else ""
        side = "above" if self.above else "below"
        return f"Warns when {self.name.replace('_', ' ')} of the last 30 days{over} is {side} {self.border:.0%}."

    def holds(self, share: float) -> bool:
        return share <= self.border if self.above else share >= self.border

    def last(self, today: date) -> date:
        """The last day that is judged."""
        return today - timedelta(self.waits + 1) if self.waits else today


RECENT = "segment = 'all' and day > cast(:last as date) - 30 and day <= cast(:last as date)"
THRESHOLDS = (
    Threshold("cross_channel_conversion", "cross_conversion", 0.01,
              f"select sum(converted) as part, sum(n) as whole from mart.cross_conversion where {RECENT}",
              contacts.ORDER_WINDOW.days),
    Threshold("email_opens", "engagement", 0.20,
              "select sum(opened) as part, sum(letters) as whole from mart.engagement "
              f"where channel = 'email' and {RECENT}"),
    Threshold("push_opens", "engagement", 0.05,
              "select sum(opened) as part, sum(letters) as whole from mart.engagement "
              f"where channel = 'push' and {RECENT}"),
    # of the worst channel: above it a marketplace switches a shop off
    Threshold("cancellations", "cancellation", 0.05,
              "select sum(cancelled) as part, sum(n) as whole from mart.cancellation "
              f"where {RECENT} group by channel order by sum(cancelled) / sum(n) desc limit 1", above=True),
)  # fmt: skip


class MartConfig(Config):
    """How goods are bought, for the mart `reorder`, in this run only; what is not set is as `hub.reorder` says."""

    lead_days: int | None = Setting(None, ge=0, le=365, description="Days from an order to the goods on the shelf.")
    review_days: int | None = Setting(None, ge=0, le=365, description="Days between two looks at what to order.")
    service_level: float | None = Setting(
        None, gt=0, lt=1, description="Chance with which stock shall last until the next delivery, a share of 1."
    )

    def over(self, base: Reorder) -> Reorder:
        """These terms where set, else `base`."""
        return Reorder(**{**dict(base), **self.model_dump(exclude_none=True)})


def mart_assets(hub: Hub) -> list[AssetsDefinition]:
    """Assets `mart/<name>`, made in one step: the days that changed are looked for once."""
    specs = [_spec(hub, name) for name in MARTS]
    thresholds = [AssetCheckSpec(one.name, asset=key(one.mart), description=one.description) for one in THRESHOLDS]

    @multi_asset(name="marts", specs=specs, check_specs=thresholds, can_subset=True)
    def marts(context: AssetExecutionContext, config: MartConfig) -> Iterator[MaterializeResult | AssetCheckResult]:
        chosen = [name for name in MARTS if key(name) in context.selected_asset_keys]
        done, today = _made(hub, chosen, config), hub.local(clock.now()).date()
        for name in chosen:
            plot = picture(engine(), name, today)
            shown = {"dagster/row_count": _rows(name), "made_anew": done.get(name, 0), "plot": plot}
            yield MaterializeResult(asset_key=key(name), metadata=shown)
        asked = {one.name for one in context.selected_asset_check_keys}
        yield from (_judged(one, today) for one in THRESHOLDS if one.name in asked)

    return [marts]


def mart_schedules(hub: Hub) -> list[ScheduleDefinition]:
    """Every night, after channels were decided; brings its job with it."""
    job = define_asset_job("marts_nightly", AssetSelection.groups(GROUP), executor_def=in_process_executor)
    return [
        ScheduleDefinition(
            name="marts_nightly_schedule",
            job=job,
            cron_schedule=EVERY_NIGHT,
            execution_timezone=hub.entry.timezone,
            default_status=DefaultScheduleStatus.RUNNING,
        )
    ]


def key(name: str) -> AssetKey:
    return AssetKey(["mart", name])


def _spec(hub: Hub, name: str) -> AssetSpec:
    fed = keys.feeds(hub)
    said = SAID[name]
    return AssetSpec(
        key(name),
        deps=[keys.canonical(entity) for entity in said.of if entity in fed],
        group_name=GROUP,
        kinds={"postgres", "pandas"},
        description=f"{MARTS[name].comment}\n\n{cleandoc(said.formula.__doc__ or '')}",
        metadata={"table": f"mart.{name}"},
        skippable=True,
    )


def _made(hub: Hub, chosen: Sequence[str], config: MartConfig) -> dict[str, int]:
    """Days made anew of each mart; of forecast and reorder, which are made as a whole, rows."""
    now = clock.now()
    done = fill(engine(), hub, [name for name in chosen if name in MADE], now=now)
    if {"forecast", "reorder"} & set(chosen):
        done |= plan_demand(engine(), hub, now=now, terms=config.over(hub.entry.reorder))
    return done


def _rows(name: str) -> MetadataValue:
    with engine().connect() as db:
        return MetadataValue.int(db.execute(text(f"select count(*) from mart.{name}")).scalar_one())


def _judged(threshold: Threshold, today: date) -> AssetCheckResult:
    """Passes where there is nothing to judge: missing is not low."""
    with engine().connect() as db:
        part, whole = db.execute(text(threshold.share), {"last": threshold.last(today)}).first() or (None, None)
    share = float(part or 0) / float(whole) if whole else None
    return AssetCheckResult(
        check_name=threshold.name,
        asset_key=key(threshold.mart),
        passed=share is None or threshold.holds(share),
        severity=AssetCheckSeverity.WARN,
        metadata={"share": "nothing to judge" if share is None else round(share, 4), "threshold": threshold.border},
    )
