"""Every file of the vendor's examples: mapped, sent, or listed with the reason why neither."""

import hashlib
import json
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from pydantic import SecretStr

from connectors.sdk import Accepted, Call, Change, ConfigError, Rejected, RejectedError
from connectors.unisender import CONNECTOR, hooks
from connectors.unisender.api import _refused, form
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.sink import _logged, import_arguments
from connectors.unisender.source import titles
from mappings.tables import Mapped
from tests.connectors.examples import FOLDER, needs

pytestmark = needs(FOLDER)
CONFIG = UniSenderConfig(api_key=SecretStr("EXAMPLE")).named("letters")
GO_KEY = SecretStr("EXAMPLE_API_KEY")

READ = {"unisender/getCampaignDeliveryStats.response.json": "deliveries"}
SENT = {"unisender/importContacts.request.form"}
ANSWERS = {
    "unisender/getLists.response.json", "unisender/error.invalid_api_key.json",
    "unisender/importContacts.response_partial.json", "unisender/async.exportContacts.response.json",
}  # fmt: skip
CALLS = {"unisender-go/webhook.delivered_and_clicked.json", "unisender-go/webhook.unsubscribed.json"}
NOT_USED = {
    "unisender/SOURCES.md": "tells where the examples come from",
    "unisender-go/SOURCES.md": "tells where the examples come from",
    "unisender/subscribe.response.json": "the id it gives is no key of any method: contacts are known by address",
}


def load(name: str):
    return json.loads((FOLDER / name).read_text("utf-8"))


def test_every_example_is_in_exactly_one_table():
    tables = [set(READ), SENT, ANSWERS, CALLS, set(NOT_USED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    there = {f"{folder}/{path.name}" for folder in ("unisender", "unisender-go")
             for path in (FOLDER / folder).iterdir()}  # fmt: skip
    assert there == set.union(*tables)


@pytest.mark.parametrize("name", sorted(READ))
def test_a_reply_is_recognised_and_maps_with_none_set_aside(name):
    reply = load(name)
    fits = {resource.name: resource.reads(reply) for resource in CONNECTOR.resources}
    assert [resource for resource, found in fits.items() if found is not None] == [READ[name]]
    for record in fits[READ[name]]:
        for to_entity in CONNECTOR.resource(READ[name]).maps.values():
            assert isinstance(to_entity(record, CONFIG), Mapped)


def test_letters_read_and_bounced_are_what_the_statistics_say():
    [opened, bounced] = CONNECTOR.resource("deliveries").reads(load("unisender/getCampaignDeliveryStats.response.json"))
    to_event = CONNECTOR.resource("deliveries").maps["contact_event"]
    assert [one.kind for one in to_event(opened, CONFIG).records] == ["sent", "delivered", "opened"]
    assert [(one.kind, one.payload.get("bounce")) for one in to_event(bounced, CONFIG).records] == [
        ("sent", None), ("bounced", "hard")
    ]  # fmt: skip


def test_an_import_equals_the_vendors():
    rows = [["aigerim@example.kz", "8,9", "Айгерим"], ["daniyar@example.kz", "8", "Данияр"]]
    asked = form(CONFIG, import_arguments(["email", "email_list_ids", "Name"], rows))
    said = parse_qsl((FOLDER / "unisender/importContacts.request.form").read_text("utf-8").strip())
    assert asked == said


def test_an_import_that_succeeded_in_part_gives_each_row_its_own_outcome():
    good, bad = (Change("segment.push", name, "", {"member": True}) for name in ("good", "bad"))
    rows = [(good, ["aigerim@example.kz"]), (bad, ["nobody"])]
    made = list(_logged(CONFIG, rows, load("unisender/importContacts.response_partial.json")["result"]))
    assert isinstance(made[0], Accepted)
    assert made[1] == Rejected(bad, "invalid_arg", "Email is not valid")


@responses.activate
def test_lists_are_read_by_id():
    responses.post("https://api.unisender.com/ru/api/getLists", json=load("unisender/getLists.response.json"))
    assert titles(CONFIG) == {"8": "Общий список", "9": "VIP"}


@responses.activate
def test_a_refused_key_in_a_200_is_the_merchants_to_mend():
    responses.post("https://api.unisender.com/ru/api/getLists", json=load("unisender/error.invalid_api_key.json"))
    with pytest.raises(ConfigError, match="invalid_api_key"):
        titles(CONFIG)


def test_an_export_that_begins_names_its_task():
    assert load("unisender/async.exportContacts.response.json")["result"]["task_uuid"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_api_key", "ConfigError"), ("access_denied", "ConfigError"), ("not_enough_money", "ConfigError"),
        ("retry_later", "TransientError"), ("api_call_limit_exceeded_for_api_key", "TransientError"),
        ("api_call_limit_exceeded_for_ip", "TransientError"), ("unspecified", "TransientError"),
        ("unknown_method", "ContractError"), ("invalid_arg", "RejectedError"), ("a_new_one", "RejectedError"),
    ],
)  # fmt: skip
def test_every_code_says_who_must_act(code, kind):
    answer = requests.Response()
    answer.status_code, answer._content = 200, json.dumps({"error": "words", "code": code}).encode()
    assert type(_refused(CONFIG, answer, writes=False)).__name__ == kind
    unclear = "UnansweredError" if code == "unspecified" else kind
    assert type(_refused(CONFIG, answer, writes=True)).__name__ == unclear


# UniSender Go


def body(name: str) -> bytes:
    """As signed: without the line feed at the end of the file."""
    return (FOLDER / name).read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_is_proven_by_its_raw_bytes(name):
    assert hooks.verified(body(name), GO_KEY)
    assert not hooks.verified(body(name), SecretStr("ANOTHER_KEY"))
    assert not hooks.verified(body(name).replace(b"example.kz", b"example.com"), GO_KEY)
    again = json.dumps(json.loads(body(name)), indent=1).encode()
    assert not hooks.verified(again, GO_KEY)


def test_a_call_that_is_not_signed_is_refused_whole():
    with pytest.raises(RejectedError, match="not signed"):
        hooks.go_events(b'{"events_by_user": []}', GO_KEY)


def test_what_happened_to_a_letter_is_told_once_however_often_the_call_comes():
    events = hooks.go_events(body("unisender-go/webhook.delivered_and_clicked.json"), GO_KEY)
    assert events == hooks.go_events(body("unisender-go/webhook.delivered_and_clicked.json"), GO_KEY)
    made = [one for event in events for one in hooks.to_event(event, CONFIG).records]
    assert [(one.kind, one.identifier) for one in made] == [
        ("delivered", "aigerim@example.kz"), ("clicked", "aigerim@example.kz")
    ]  # fmt: skip
    assert made[0].payload["metadata"] == {"customer_id": "C-1"}
    assert "203.0.113.10" not in str(made)
    assert len({one.external_id for one in made}) == 2


def test_who_unsubscribes_by_a_letter_refuses_in_person():
    [event] = hooks.go_events(body("unisender-go/webhook.unsubscribed.json"), GO_KEY)
    [refused] = hooks.to_consent(event, CONFIG).records
    assert (refused.state, refused.by, refused.channel) == ("refused", "person", "email")
    [told] = hooks.to_event(event, CONFIG).records
    assert told.kind == "unsubscribed"


def test_a_call_of_go_brings_its_letters_and_one_of_unisender_asks_for_refusals():
    config = UniSenderConfig(api_key=SecretStr("the key"), go_key=GO_KEY).named("letters")
    [letters] = CONNECTOR.hear(config, Call(body("unisender-go/webhook.unsubscribed.json")))
    assert (letters.resource, [one["status"] for one in letters.records]) == ("go_letters", ["unsubscribed"])
    [refusals] = CONNECTOR.hear(config, Call(signed("unsubscribe", config.api_key)))
    assert (refusals.resource, refusals.keys) == ("unsubscribes", ("",))
    assert list(CONNECTOR.hear(config, Call(signed("campaign_status", config.api_key)))) == []


def test_a_call_signed_with_neither_key_is_refused():
    for config in (CONFIG, UniSenderConfig(api_key=SecretStr("the key"), go_key=SecretStr("x")).named("letters")):
        with pytest.raises(RejectedError, match="signed neither"):
            list(CONNECTOR.hear(config, Call(body("unisender-go/webhook.unsubscribed.json"))))


def signed(event: str, key: SecretStr) -> bytes:
    """A call of UniSender as it signs it: with the key in the place of the signature."""
    call = {"auth": key.get_secret_value(), "events_by_user": [{"login": "shop", "events": [
        {"event_name": event, "event_time": "2026-03-01 06:00:00", "event_data": {}}]}]}  # fmt: skip
    proof = hashlib.md5(json.dumps(call).encode()).hexdigest()
    return json.dumps({**call, "auth": proof}).encode()


STATES = (
    "not_sent", "ok_sent", "ok_delivered", "ok_read", "ok_fbl", "ok_link_visited", "ok_unsubscribed",
    "ok_spam_folder", "err_user_unknown", "err_user_inactive", "err_mailbox_full", "err_spam_rejected",
    "err_spam_folder", "err_delivery_failed", "err_will_retry", "err_resend", "err_domain_inactive",
    "err_skip_letter", "err_spam_skipped", "err_spam_retry", "err_unsubscribed", "err_src_invalid",
    "err_dest_invalid", "err_not_allowed", "err_not_available", "err_lost", "err_internal",
)  # fmt: skip
"""As the contract lists them."""


@pytest.mark.parametrize("state", STATES)
def test_every_state_a_letter_can_have_is_known(state):
    letter = {"id": "1:x", "campaign_id": "1", "email": "buyer1@example.com", "send_result": state,
              "start_time": "2026-03-01 06:00:00", "last_update": "2026-03-01 07:00:00"}  # fmt: skip
    made = {entity: one(letter, CONFIG) for entity, one in CONNECTOR.resource("deliveries").maps.items()}
    assert all(isinstance(one, Mapped) for one in made.values())
    kinds = [one.kind for one in made["contact_event"].records]
    assert ("bounced" in kinds) is (state in ("err_user_unknown", "err_user_inactive", "err_domain_inactive",
                                              "err_mailbox_full", "err_will_retry", "err_delivery_failed"))  # fmt: skip
    assert ("complained" in kinds) is (state == "ok_fbl")
    refused = [one.state for one in made["consent_event"].records]
    assert refused == (["refused"] if state in ("ok_unsubscribed", "ok_fbl", "err_unsubscribed") else [])
