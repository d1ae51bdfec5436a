"""Marts as Dagster shows them: formula, picture, thresholds."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import yaml
from dagster import AssetCheckSeverity, AssetKey, AssetSelection, DagsterInstance, DefaultScheduleStatus, materialize
from dagster import ExecuteInProcessResult as Run
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project import clock
from dagster_project.connections import Hub, Reorder, parse
from dagster_project.factories import marts
from dagster_project.factories.marts import GROUP, MartConfig, mart_assets, mart_schedules
from dagster_project.factories.plots import PLOTS
from dagster_project.store.mart_tables import MARTS
from tests.dagster_project.steps.marts.conftest import Facts

PUBLIC = (
    "nps, csat, average_check, frequency, retention, clv, conversion, cross_conversion, engagement, journey, "
    "attribution, cancellation, promise, availability, forecast, reorder"
)


@pytest.fixture
def hub() -> Hub:
    return parse("", {})


@pytest.fixture
def shop(store: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Facts:
    monkeypatch.setattr(clock, "now", lambda: now)
    return Facts(store, now)


@pytest.fixture
def night(shop: Facts, hub: Hub) -> Callable[..., Run]:
    def run(*names: str) -> Run:
        chosen = [AssetKey(["mart", name]) for name in names]
        selection = AssetSelection.assets(*chosen) if names else None
        with DagsterInstance.ephemeral() as instance:
            return materialize(mart_assets(hub), selection=selection, instance=instance)

    return run


def test_marts_have_the_names_that_dashboards_rely_on_and_say_their_formula(hub: Hub) -> None:
    [marts] = mart_assets(hub)
    described = {key.path[1]: marts.descriptions_by_key[key] for key in marts.keys}
    assert set(described) == set(MARTS) == set(PUBLIC.split(", "))
    assert "100 × (answers of 9-10 − answers of 0-6) / answers" in described["nps"]
    assert all(len(said) > 150 for said in described.values())
    assert set(marts.group_names_by_key.values()) == {GROUP}


def test_a_nights_run_shows_a_picture_and_the_rows_of_each_mart(shop: Facts, night: Callable[..., Run]) -> None:
    for week in range(1, 9):
        shop.meets("viktor", f"c{week}", 7 * week + 1, "email", "sent", campaign="sofas")
        shop.meets("aigul", f"s{week}", 7 * week + 1, "sms", "survey", value=week)
        shop.meets("aigul", f"q{week}", 7 * week + 1, "site", "survey", value=week % 5 + 1, campaign="csat")
        shop.buys("viktor", f"o{week}", 7 * week, 100.0 * week, lines={"lamp": 2}, location="almaty")
    shop.buys("viktor", "march", 0, 100, delivery={"promised_at": "2026-03-05T00:00:00+05:00"})
    shop.moves("march", "delivered", 0)
    shop.does("insert into canonical.product (sku, connection, external_id, name, status, source) "
              "values ('lamp', 'erp', '1', 'Lamp', 'active', '{}')")  # fmt: skip
    shop.does("insert into segment.person_value (person_id, clv) values ('viktor', 500)")
    shop.does("insert into position.stock (sku, location, on_hand, as_of, connection) "
              "values ('lamp', 'almaty', 1, now(), 'erp')")  # fmt: skip
    run = night()
    assert run.success
    for name in MARTS:
        [made] = run.asset_materializations_for_node("marts")[list(MARTS).index(name) :][:1]
        assert made.asset_key == AssetKey(["mart", name])
        assert made.metadata["dagster/row_count"].value == shop.sees(f"select count(*) from mart.{name}")[0][0] > 0
        shown = made.metadata["plot"].value
        head, _, encoded = shown.partition("base64,")
        assert head == f"![{name}](data:image/png;"
        assert base64.b64decode(encoded[:-1]).startswith(b"\x89PNG")
        assert "viktor" not in shown


def test_an_empty_hub_has_nothing_to_show_and_nothing_to_warn_of(night: Callable[..., Run]) -> None:
    run = night()
    assert run.success
    assert all(one.passed for one in run.get_asset_check_evaluations())
    assert {one.metadata["plot"].value for one in run.asset_materializations_for_node("marts")} == {"_nothing yet_"}


@pytest.mark.parametrize(("channel", "check", "opened", "passes"), [
    ("email", "email_opens", 2, True), ("email", "email_opens", 1, False),
    ("push", "push_opens", 1, True), ("push", "push_opens", 0, False),
])  # fmt: skip
def test_letters_that_too_few_open_are_warned_of(
    shop: Facts, night: Callable[..., Run], channel: str, check: str, opened: int, passes: bool
) -> None:
    for person in range(10):
        shop.meets(f"p{person}", f"s{person}", 3, channel, "sent", campaign="spring")
    for person in range(opened):
        shop.meets(f"p{person}", f"o{person}", 2, channel, "opened", campaign="spring")
    found = {one.check_name: one for one in night("engagement").get_asset_check_evaluations()}
    assert found[check].passed is passes
    assert found[check].severity == AssetCheckSeverity.WARN
    assert found[check].metadata["share"].value == opened / 10


def test_contacts_that_lead_to_no_other_channel_are_warned_of(shop: Facts, night: Callable[..., Run]) -> None:
    shop.meets("viktor", "c1", 33, "site", "page_view")
    shop.buys("viktor", "o1", 32, 100, "site")
    [found] = night("cross_conversion").get_asset_check_evaluations()
    assert not found.passed
    shop.buys("viktor", "o1", 32, 100, "store")
    [found] = night("cross_conversion").get_asset_check_evaluations()
    assert found.passed


@pytest.mark.parametrize(("ago", "passes"), [(30, True), (31, False), (60, False), (61, True)])
def test_a_contact_is_judged_in_the_30_days_after_nothing_can_follow_it_any_more(
    shop: Facts, night: Callable[..., Run], ago: int, passes: bool
) -> None:
    shop.meets("viktor", "c1", ago, "site", "page_view")
    [found] = night("cross_conversion").get_asset_check_evaluations()
    assert found.passed is passes


def test_a_day_is_over_when_it_is_over_where_the_hub_is(
    shop: Facts, night: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 19:30 UTC it is half past midnight in Almaty: the day 31 days back has had its 30 days."""
    shop.meets("viktor", "c1", 31, "site", "page_view")
    monkeypatch.setattr(clock, "now", lambda: shop.now.replace(hour=19, minute=30) - timedelta(days=1))
    [found] = night("cross_conversion").get_asset_check_evaluations()
    assert not found.passed


@pytest.mark.parametrize(("cancelled", "passes"), [(1, True), (2, False)])
def test_cancellations_for_which_a_marketplace_switches_a_shop_off_are_warned_of(
    shop: Facts, night: Callable[..., Run], cancelled: int, passes: bool
) -> None:
    """A twentieth it bears; that nobody cancels on the site is no help."""
    for name in range(20):
        shop.buys(None, f"o{name}", 3, 100, "kaspi", status="cancelled" if name < cancelled else "completed")
        shop.buys(None, f"s{name}", 3, 100, "site")
    shop.buys(None, "long ago", 40, 100, "kaspi", status="cancelled")
    [found] = night("cancellation").get_asset_check_evaluations()
    assert (found.passed, found.severity) == (passes, AssetCheckSeverity.WARN)


def test_money_of_two_currencies_is_not_added_up_in_a_picture(shop: Facts, night: Callable[..., Run]) -> None:
    shop.buys("viktor", "o1", 3, 100, "site")
    shop.buys("viktor", "o2", 3, 900, "site", currency="RUB")
    night("average_check", "attribution")
    shown = [(name, value) for _, name, value, *_ in sorted(shop.sees(PLOTS["average_check"].query))]
    assert shown == [("site, KZT", 100), ("site, RUB", 900)]
    assert {name for name, *_ in shop.sees(PLOTS["attribution"].query)} == {"direct, KZT", "direct, RUB"}


@pytest.mark.parametrize("said", [{"service_level": 95}, {"service_level": 1}, {"lead_days": -1}, {"review_days": 400}])
def test_terms_under_which_nothing_could_be_ordered_are_refused(said: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(said))):
        MartConfig(**said)
    with pytest.raises(ConfigError, match=f"hub.reorder.{next(iter(said))}"):
        parse(yaml.safe_dump({"hub": {"reorder": said}}), {})


def test_a_run_may_be_of_other_terms_than_the_hub_is(shop: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(marts, "plan_demand", lambda *_, terms, **__: used.append(terms) or {})
    hub = parse("hub: {reorder: {lead_days: 30, service_level: 0.9}}", {})
    for config in ({}, {"lead_days": 3}):
        ops = {"ops": {"marts": {"config": config}}}
        with DagsterInstance.ephemeral() as instance:
            chosen = AssetSelection.assets(AssetKey(["mart", "reorder"]))
            assert materialize(mart_assets(hub), selection=chosen, instance=instance, run_config=ops).success
    assert used == [
        Reorder(lead_days=30, review_days=7, service_level=0.9), Reorder(lead_days=3, review_days=7, service_level=0.9),
    ]  # fmt: skip


def test_only_what_was_chosen_is_made(shop: Facts, night: Callable[..., Run]) -> None:
    shop.buys("viktor", "o1", 2, 100)
    run = night("average_check")
    assert [one.asset_key.path for one in run.asset_materializations_for_node("marts")] == [["mart", "average_check"]]
    assert shop.sees("select * from mart.frequency") == []


def test_marts_are_made_every_night_after_the_channels_were_decided(hub: Hub) -> None:
    [nightly] = mart_schedules(hub)
    assert nightly.cron_schedule == "20 5 * * *"
    assert nightly.execution_timezone == "Asia/Almaty"
    assert nightly.default_status == DefaultScheduleStatus.RUNNING
