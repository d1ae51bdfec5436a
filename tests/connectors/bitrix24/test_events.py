"""Events are hints: what they name is read again, and the truth stays with the list."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.sandbox import Sandboxed
from connectors.sdk import Call, ConfigError, Heard, Since, extract
from tests.connectors.bitrix24.conftest import FIRST, Settings, pages, read


@pytest.fixture
def application(settings: Settings, tmp_path: Path) -> Any:
    """Makes the settings of a hub that is installed as a local application."""

    def make(portal: Sandboxed, **given: Any) -> Bitrix24Config:
        known = settings(portal)
        return settings(
            portal, webhook=None, client_id="local.app", client_secret="sandbox-app-secret",
            refresh_token="first-refresh-token", token_file=str(tmp_path / "tokens.json"),
            oauth_url=f"{str(known.base_url).rstrip('/')}/oauth/token/", offline_events=True, **given,
        )  # fmt: skip

    return make


def again(config: Bitrix24Config, name: str, cursor: str | None, *hinted: str) -> list[Any]:
    return read(config, name, extract.since(CONNECTOR.resource(name), cursor, Since(hinted=hinted)))


def test_product_rows_that_change_without_the_deals_time_are_read_for_the_event(portal, application, clock):
    """The list by DATE_MODIFY alone would not show it (contract 6.6)."""
    config = application(portal)
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(hours=1)
    portal.set_rows(5, [{"productName": "Шай", "price": 700, "quantity": 1}])
    assert again(config, "deals", cursor) == []
    portal.happened("DEAL", "UPDATE", 5)
    [deal] = again(config, "deals", cursor)
    assert (deal["ID"], deal["PRODUCT_ROWS"][0]["productName"]) == ("5", "Шай")


def test_what_the_list_has_shown_is_not_read_a_second_time(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(hours=1)
    portal.change("CONTACT", 7, {"LAST_NAME": "Ахметова"})
    assert [row["ID"] for row in again(config, "contacts", cursor)] == ["7"]
    assert portal.queue == {}


def test_the_event_of_a_deletion_brings_nothing_and_stops_nothing(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(hours=1)
    portal.delete("CONTACT", 7)
    assert again(config, "contacts", cursor) == []


def test_a_queue_longer_than_a_page_is_emptied_of_its_kind_only(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(hours=1)
    for key in list(portal.crm["DEAL"])[:75]:
        portal.happened("DEAL", "UPDATE", key)
    portal.happened("CONTACT", "UPDATE", 1)
    assert len(again(config, "deals", cursor)) == 75
    assert list(portal.queue) == [("CONTACT", 1)]


def test_a_webhook_cannot_read_the_queue(empty, settings):
    with pytest.raises(ValidationError, match="need an application"):
        settings(empty, offline_events=True)


def test_an_application_whose_chain_is_broken_is_the_merchants_to_mend(empty, application):
    empty.door.refresh_token = "another-altogether"
    with pytest.raises(ConfigError, match="install the application again") as broken:
        read(application(empty), "contacts", FIRST)
    assert "first-refresh-token" not in str(broken.value)


@pytest.mark.parametrize("given", [{"webhook": None}, {"client_id": "local.app"}])
def test_one_way_in_is_given_and_a_whole_one(empty, settings, given):
    if "webhook" not in given:
        given = {**given, "webhook": None}
    with pytest.raises(ValidationError, match="give `webhook`, or `client_id`"):
        settings(empty, **given)


# ── events that are pushed ────────────────────────────────────────────────────────────────────────────────────────────


def event(name: str, key: str | None = "7", token: str = "portal-token") -> Call:
    fields = {"event": name, "auth[application_token]": token, **({"data[FIELDS][ID]": key} if key else {})}
    return Call(urlencode(fields).encode())


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("ONCRMCONTACTUPDATE", "contacts"), ("ONCRMDEALDELETE", "deals"), ("ONCRMACTIVITYADD", "activities"),
        ("ONORDERENTITYSAVED", "shop_orders"), ("CATALOG.PRODUCT.ON.UPDATE", "products"),
        ("CATALOG.PRICE.ON.ADD", "prices"),
    ],
)  # fmt: skip
def test_an_event_asks_for_its_record_to_be_read_again(empty, settings, name, resource):
    config = settings(empty, application_token="portal-token")
    assert list(CONNECTOR.hear(config, event(name))) == [Heard(resource, keys=("7",))]


@pytest.mark.parametrize(
    "call", [event("ONTASKADD"), event("ONCRMCONTACTUPDATE", None), event("ONCRMDEALADD", "7 or 1")]
)
def test_an_event_of_what_is_not_read_asks_for_nothing(empty, settings, call):
    assert list(CONNECTOR.hear(settings(empty, application_token="portal-token"), call)) == []


def test_the_ping_of_the_queue_asks_for_everything_the_queue_may_hold(empty, settings):
    config = settings(empty, application_token="portal-token")
    heard = list(CONNECTOR.hear(config, event("ONOFFLINEEVENT", None)))
    assert {(one.resource, one.keys) for one in heard} == {
        (name, ("",)) for name in ("contacts", "companies", "leads", "deals", "activities")
    }


def test_a_hinted_record_is_read_though_its_time_did_not_move(portal, settings, clock):
    config = settings(portal)
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(hours=1)
    portal.set_rows(5, [{"productName": "Шай", "price": 700, "quantity": 1}])
    [deal] = again(config, "deals", cursor, "5", "")
    assert (deal["ID"], deal["PRODUCT_ROWS"][0]["productName"]) == ("5", "Шай")


def test_a_hint_does_not_widen_what_the_settings_let_in(portal, settings, clock):
    config = settings(portal, pipelines=[1])
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(hours=1)
    other = next(key for key, deal in portal.crm["DEAL"].items() if deal["CATEGORY_ID"] == "0")
    assert again(config, "deals", cursor, str(other)) == []


def test_a_flood_of_hints_is_read_in_few_requests(portal, settings, clock):
    """Mass changes flood: each id once, twenty in a list, lists in one batch (contract 9)."""
    config = settings(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(hours=1)
    keys = [str(key) for key in list(portal.crm["CONTACT"])[:75]]
    portal.sandbox.journal.clear()
    assert [row["ID"] for row in again(config, "contacts", cursor, *keys)] == keys
    assert len(portal.sandbox.journal) <= 3


def test_a_hinted_product_is_read_from_its_catalogue(portal, settings, clock):
    config = settings(portal)
    clock.passes(hours=1)
    cursor = pages(config, "products", FIRST)[-1].cursor
    key = str(portal.catalogue["products"][-1]["id"])
    assert [str(row["id"]) for row in again(config, "products", cursor, key)] == [key]
