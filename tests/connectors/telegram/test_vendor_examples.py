"""Every file of the vendor's examples: mapped, answered to, or listed with the reason why neither."""

import json
from pathlib import Path

import pytest
import responses
from pydantic import SecretStr

from connectors.sdk import Since, TransientError
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from mappings.tables import Mapped, unmapped

EXAMPLES = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "examples" / "telegram"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the vendors' examples are not beside this checkout")
CONFIG = TelegramConfig(token=SecretStr("1:x"), consent_text="start-1").named("bot")
UPDATES = CONNECTOR.resource("updates")

READ = {
    "update.start_deeplink.json": ["customer", "consent_event", "contact_event"],
    "update.contact_shared.json": ["customer", "customer", "contact_event"],
    "update.my_chat_member_kicked.json": ["customer", "consent_event", "contact_event"],
}
ANSWERS = {"error.too_many_429.json"}
NOT_USED = {
    "SOURCES.md": "tells where the examples come from",
    "error.blocked_403.json": "an answer to sending, which this connector does not",
    "sendMessage.response.json": "an answer to sending, which this connector does not",
}


def load(name: str):
    return json.loads((EXAMPLES / name).read_text("utf-8"))


def test_every_example_is_in_exactly_one_table():
    tables = [set(READ), ANSWERS, set(NOT_USED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    assert {path.name for path in EXAMPLES.iterdir()} == set.union(*tables)


@pytest.mark.parametrize("name", READ)
def test_an_update_maps_whole(name):
    [update] = UPDATES.reads(load(name))
    made = [to_entity(update, CONFIG) for to_entity in UPDATES.maps.values()]
    assert all(isinstance(one, Mapped) for one in made)
    assert [record.entity for one in made for record in one.records] == READ[name]
    assert unmapped(update, frozenset().union(*(one.covered for one in UPDATES.maps.values()))) == frozenset()


@responses.activate
def test_too_many_requests_say_how_long_to_wait():
    responses.post("https://api.telegram.org/bot1:x/getUpdates", status=429, json=load("error.too_many_429.json"))
    slept: list[float] = []
    with using(Runtime(bucket=LocalBucket(), sleep=slept.append)), pytest.raises(TransientError) as caught:
        list(UPDATES.extract(CONFIG, Since()))
    assert caught.value.retry_after == 14
    assert set(slept) >= {14.0}
