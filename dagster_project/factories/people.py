"""Who is who, as an asset: persons and golden records, a card of what changed, and what warns when it goes wrong."""

from collections.abc import Sequence

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    asset,
    asset_check,
)
from sqlalchemy import Engine, text

from dagster_project import clock
from dagster_project.connections import Hub
from dagster_project.factories import keys
from dagster_project.factories.preview import markdown
from dagster_project.steps.people.identify import identify_due
from dagster_project.steps.people.points import expire_points
from dagster_project.store.database import engine

FED_BY = ("customer", "order", "contact_event", "cart", "loyalty_entry")
LARGE, LARGEST = 10, 40
"""Records of one person: above LARGE he is rare, above LARGEST he is a mistake (design 2.4, 2.7)."""
LARGE_SHARE, UNMATCHED_SHARE = 0.001, 0.02


def fed(hub: Hub) -> list[AssetKey]:
    """What brings buyers."""
    feeds = keys.feeds(hub)
    return [keys.canonical(entity) for entity in FED_BY if entity in feeds]


def people_assets(hub: Hub) -> list[AssetsDefinition]:
    """`golden/customer`, where anything brings buyers."""
    if not (sources := fed(hub)):
        return []

    @asset(
        key=keys.GOLDEN_CUSTOMER,
        deps=sources,
        group_name=keys.GOLDEN,
        kinds={"postgres", "python"},
        description="One person for all records of a buyer: stable ids, golden records, households.",
        metadata={"table": "identity.golden"},
    )
    def golden_customer() -> MaterializeResult:
        store = engine()
        with store.connect() as db:
            before = db.execute(text("select coalesce(max(seq), 0) from identity.person_event")).scalar_one()
        concerned = identify_due(store, hub, now=clock.now())
        return MaterializeResult(metadata={"persons_concerned": concerned, "changes": card(store, before)})

    return [golden_customer, *([points_asset(hub)] if "loyalty_entry" in keys.feeds(hub) else [])]


def points_asset(hub: Hub) -> AssetsDefinition:
    """`golden/points`: part of the night, like all of its group."""

    @asset(
        key=keys.GOLDEN_POINTS,
        deps=[keys.canonical("loyalty_entry")],
        group_name=keys.GOLDEN,
        kinds={"postgres", "python"},
        description="One ledger of points: what nobody spent within `hub.loyalty.life` ends, once.",
        metadata={"table": "canonical.loyalty_entry"},
    )
    def golden_points() -> MaterializeResult:
        ended = expire_points(engine(), hub, now=clock.now())
        overdrawn = "select count(*) as holders from canonical.loyalty_balance where overdrawn"
        told = {"expired": ended.booked, "taken_back": ended.taken_back, "overdrawn": _counts(overdrawn)["holders"]}
        return MaterializeResult(metadata=told)

    return golden_points


_HAPPENED = text("""
select kind, count(*) as persons, sum(cardinality(records)) as records, min(cause) as cause
from identity.person_event where seq > :before group by kind order by kind""")
_BASE = text("""
select count(*) filter (where status = 'active') as persons, sum(records) as records,
       (select count(distinct household_id) from identity.household) as households,
       (select count(*) from identity.identifier_stat where status = 'shared') as shared,
       (select count(*) from identity.link_aside) as put_aside
from identity.person""")


def card(store: Engine, before: int) -> MetadataValue:
    """What the run did to persons, and how the base stands; nobody is named."""
    with store.connect() as db:
        happened, base = db.execute(_HAPPENED, {"before": before}), db.execute(_BASE)
        tables = [markdown(rows.fetchall(), list(rows.keys())) for rows in (happened, base)]
    return MetadataValue.md("**This run**\n\n{}\n\n**The base**\n\n{}".format(*tables))


# ── what warns ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SIZES = """
select count(*) as persons, count(*) filter (where records > :large) as large, coalesce(max(records), 0) as largest
from identity.person where status = 'active'"""
_UNMATCHED = """
select count(*) as orders, count(*) filter (where person_id is null) as unmatched from canonical."order"
where deleted_at is null and coalesce(customer, contact_phone, contact_email, loyalty_id) is not null"""


def people_checks(hub: Hub) -> Sequence[AssetChecksDefinition]:
    """Proxies of precision and of recall, since nobody knows the truth of a live base."""
    return [large_persons(), giant_cluster(), unmatched_orders()] if fed(hub) else []


def _warning(passed: bool, **metadata: float) -> AssetCheckResult:
    return AssetCheckResult(passed=passed, severity=AssetCheckSeverity.WARN, metadata=metadata)


def _counts(query: str, **values: int) -> dict[str, int]:
    with engine().connect() as db:
        return dict(db.execute(text(query), values).mappings().one())


def large_persons() -> AssetChecksDefinition:
    """Warns when more than 0.1 % of persons have above 10 records: a number of everybody may pass for a key."""

    @asset_check(asset=keys.GOLDEN_CUSTOMER, name="large_persons", description=large_persons.__doc__)
    def check() -> AssetCheckResult:
        found = _counts(_SIZES, large=LARGE)
        share = found["large"] / max(1, found["persons"])
        return _warning(share <= LARGE_SHARE or found["large"] <= 1, share=round(share, 5), **found)

    return check


def giant_cluster() -> AssetChecksDefinition:
    """Warns when a person has more than 40 records: strangers were joined."""

    @asset_check(asset=keys.GOLDEN_CUSTOMER, name="giant_cluster", description=giant_cluster.__doc__)
    def check() -> AssetCheckResult:
        found = _counts(_SIZES, large=LARGEST)
        return _warning(found["largest"] <= LARGEST, **found)

    return check


def unmatched_orders() -> AssetChecksDefinition:
    """Warns when more than 2 % of orders that name somebody are of no person yet."""

    @asset_check(asset=keys.GOLDEN_CUSTOMER, name="unmatched_orders", description=unmatched_orders.__doc__)
    def check() -> AssetCheckResult:
        found = _counts(_UNMATCHED)
        share = found["unmatched"] / max(1, found["orders"])
        return _warning(share <= UNMATCHED_SHARE, share=round(share, 4), **found)

    return check
