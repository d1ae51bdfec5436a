"""Events are hints: what they name is read again, and the truth stays with the list."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.config import Bitrix24Config
from connectors.bitrix24.sandbox import Sandboxed
from connectors.sdk import ConfigError, Since, extract
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


def again(config: Bitrix24Config, name: str, cursor: str | None) -> list[Any]:
    return read(config, name, extract.since(CONNECTOR.resource(name), cursor, Since()))


def test_product_rows_that_change_without_the_deals_time_are_read_for_the_event(portal, application, clock):
    """The list by DATE_MODIFY alone would not show it (contract 6.6)."""
    config = application(portal)
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(3600)
    portal.set_rows(5, [{"productName": "Шай", "price": 700, "quantity": 1}])
    assert again(config, "deals", cursor) == []
    portal.happened("DEAL", "UPDATE", 5)
    [deal] = again(config, "deals", cursor)
    assert (deal["ID"], deal["PRODUCT_ROWS"][0]["productName"]) == ("5", "Шай")


def test_what_the_list_has_shown_is_not_read_a_second_time(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(3600)
    portal.change("CONTACT", 7, {"LAST_NAME": "Ахметова"})
    assert [row["ID"] for row in again(config, "contacts", cursor)] == ["7"]
    assert portal.queue == {}


def test_the_event_of_a_deletion_brings_nothing_and_stops_nothing(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "contacts", FIRST)[-1].cursor
    clock.passes(3600)
    portal.delete("CONTACT", 7)
    assert again(config, "contacts", cursor) == []


def test_a_queue_longer_than_a_page_is_emptied_of_its_kind_only(portal, application, clock):
    config = application(portal)
    cursor = pages(config, "deals", FIRST)[-1].cursor
    clock.passes(3600)
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
