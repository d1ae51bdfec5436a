"""Every file of the vendor's examples: mapped, answered to, or listed with the reason why neither."""

import json

import pytest
import responses
from pydantic import SecretStr

from connectors.sdk import Accepted, Change, Rejected, Since, TransientError
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from mappings.tables import Mapped, unmapped
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "telegram"
pytestmark = needs(EXAMPLES)
CONFIG = TelegramConfig(token=SecretStr("1:x"), consent_text="start-1").named("bot")
UPDATES = CONNECTOR.resource("updates")

READ = {
    "update.start_deeplink.json": ["customer", "consent_event", "contact_event"],
    "update.contact_shared.json": ["customer", "customer", "contact_event"],
    "update.my_chat_member_kicked.json": ["customer", "consent_event", "contact_event"],
}
ANSWERS = {"error.too_many_429.json", "error.blocked_403.json", "sendMessage.response.json"}
NOT_USED = {"SOURCES.md": "tells where the examples come from"}


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


@responses.activate
@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [("sendMessage.response.json", 200, Accepted), ("error.blocked_403.json", 403, Rejected)],
)
def test_an_answer_to_a_message_is_understood(name, status, outcome):
    responses.post("https://api.telegram.org/bot1:x/sendMessage", status=status, json=load(name))
    config = CONFIG.model_copy(update={"messages": {"care": "text"}}).named("bot")
    value, about = {"audience": "care", "member": True}, {"account": "5000000001"}
    with using(Runtime(bucket=LocalBucket())):
        [made] = CONNECTOR.sink("segment.push").deliver(
            config, [Change("segment.push", "care/p", "", value, about=about)]
        )
    assert isinstance(made, outcome)
    told = load(name)
    assert made.receipt == str(told["result"]["message_id"]) if isinstance(made, Accepted) else made.code == "403"
