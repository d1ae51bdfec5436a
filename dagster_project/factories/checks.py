"""What is watched beside each run: freshness, quarantine, oversell, and channels that stopped coming for their feed."""

from collections.abc import Sequence

from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity, AssetKey, asset_check
from sqlalchemy import text

from dagster_project import clock
from dagster_project.connections import Connection, Hub
from dagster_project.factories import keys
from dagster_project.steps.people.localisation import PERSONAL, is_stopped, problem
from dagster_project.steps.publish import fetch_silence
from dagster_project.store.database import engine
from dagster_project.store.people.statements import broken_links

QUARANTINE_SHARE = 0.02


def checks(hub: Hub) -> Sequence[AssetChecksDefinition]:
    """Checks that warn; the law that stops a run stands beside the delivery it guards."""
    feeds = keys.feeds(hub)
    made = [quarantine_share(entity) for entity in feeds]
    if "stock_level" in feeds and keys.writes(hub):
        made.append(no_oversell())
    made += [freshness(one, name) for one in hub.connections.values() for name in keys.resources(one)]
    for one, capability in keys.writes(hub):
        assert one.spec is not None
        if one.spec.sink(capability).mode == "snapshot":
            made.append(feed_is_fetched(one, capability))
    if "order" in feeds:
        made.append(origins_known())
    if "consent_event" in feeds:
        made.append(consent_chain())
    made += [localised(one, capability) for one, capability in keys.writes(hub) if capability in PERSONAL]
    return made


def localised(connection: Connection, capability: str) -> AssetChecksDefinition:
    """Fails when personal data would go to a country that the privacy profile does not allow, or audiences to one that
    nobody named: then nothing of them is delivered. Warns of the merchant's own books in a country that nobody named.
    """

    @asset_check(
        asset=keys.outward("delivery", connection.name, capability), name="localised", description=localised.__doc__
    )
    def check() -> AssetCheckResult:
        found = problem(connection, capability)
        severity = AssetCheckSeverity.ERROR if is_stopped(connection, capability) else AssetCheckSeverity.WARN
        told = {"problem": found or "none", "profile": connection.hub.privacy.profile}
        return AssetCheckResult(passed=found is None, severity=severity, metadata=told)

    return check


_ORPHANS = text("""
select c.connection, split_part(c.copy_of, ':', 1) as named, count(*) as copies from canonical."order" c
where c.copy_of is not null and c.deleted_at is null and not exists (
  select from canonical."order" o where o.connection = split_part(c.copy_of, ':', 1)
    and o.external_id = substr(c.copy_of, strpos(c.copy_of, ':') + 1))
group by 1, 2 order by 1, 2
""")
_ORPHANED = (
    "{connection} has {copies} copies of orders of {named} that were never read: they count nowhere. "
    "`keruen sync {named} --full` reads these; if {named} goes by another name now, call it {named} again in "
    "connections.yaml."
)


def origins_known() -> AssetChecksDefinition:
    """Warns when orders are called copies of orders that were never read: they count in no mart and in nobody's value.
    Says which connection to read, or to call as it was called when the copies were made."""

    @asset_check(asset=keys.canonical("order"), name="origins_known", description=origins_known.__doc__)
    def check() -> AssetCheckResult:
        with engine().connect() as connection:
            found = [row._asdict() for row in connection.execute(_ORPHANS)]
        told = "\n".join(_ORPHANED.format(**row) for row in found)
        return _warning(not found, copies=sum(row["copies"] for row in found), problem=told or "none")

    return check


def consent_chain() -> AssetChecksDefinition:
    """Fails when an old statement of consent was changed, removed or slipped in."""

    @asset_check(asset=keys.canonical("consent_event"), name="consent_chain", description=consent_chain.__doc__)
    def check() -> AssetCheckResult:
        with engine().connect() as connection:
            broken = broken_links(connection)
        return AssetCheckResult(passed=not broken, metadata={"broken": len(broken), "first": min(broken, default=0)})

    return check


def _warning(passed: bool, **metadata: object) -> AssetCheckResult:
    return AssetCheckResult(passed=passed, severity=AssetCheckSeverity.WARN, metadata=metadata)  # type: ignore[arg-type]


def quarantine_share(entity: str) -> AssetChecksDefinition:
    """Warns when more than 2 % of an entity's records are set aside: a rule or a vendor changed."""

    @asset_check(asset=keys.canonical(entity), name="quarantine_share", description=quarantine_share.__doc__)
    def check() -> AssetCheckResult:
        with engine().connect() as connection:
            aside = connection.execute(
                text("select count(*) from ledger.quarantine where state = 'open' and entity in (:entity, '')"),
                {"entity": entity},
            ).scalar_one()
            stored = connection.execute(text(f'select count(*) from canonical."{entity}"')).scalar_one()
        share = aside / max(1, aside + stored)
        return _warning(share <= QUARANTINE_SHARE, set_aside=aside, stored=stored, share=round(share, 4))

    return check


def no_oversell() -> AssetChecksDefinition:
    """Fails when more is promised than a location has."""

    @asset_check(asset=keys.POSITION_STOCK, name="no_oversell", description=no_oversell.__doc__)
    def check() -> AssetCheckResult:
        sql = "select count(*) from position.stock where reserved > on_hand and reserved > 0"
        with engine().connect() as connection:
            oversold = connection.execute(text(sql)).scalar_one()
        return _warning(oversold == 0, oversold=oversold)

    return check


def freshness(connection: Connection, resource: str) -> AssetChecksDefinition:
    """Warns when a resource has not been read to its end within the guard `fresh`."""
    key: AssetKey = keys.raw(connection.name, resource)

    @asset_check(asset=key, name="fresh", description=freshness.__doc__)
    def check() -> AssetCheckResult:
        sql = "select fresh_at, error from hub.cursor where connection = :connection and resource = :resource"
        with engine().connect() as store:
            row = store.execute(text(sql), {"connection": connection.name, "resource": resource}).one_or_none()
        if row is None or row.fresh_at is None:
            return _warning(False, problem=(row and row.error) or "never read to its end")
        age = clock.now() - row.fresh_at
        limit = connection.guards.fresh
        return _warning(limit is None or age <= limit, age_minutes=round(age.total_seconds() / 60, 1))

    return check


def feed_is_fetched(connection: Connection, capability: str) -> AssetChecksDefinition:
    """Warns when nobody came for the feed for two hours: the channel shows old prices and stock."""

    @asset_check(
        asset=keys.outward("delivery", connection.name, capability),
        name="feed_is_fetched",
        description=feed_is_fetched.__doc__,
    )
    def check() -> AssetCheckResult:
        silent = fetch_silence(engine(), connection.name, now=clock.now())
        return _warning(silent is None, problem=silent or "none")

    return check
