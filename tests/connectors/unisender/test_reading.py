"""What is read of UniSender: people and their consents, refusals first, and letters in whatever state they are."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk import ConfigError, ContractError, Since, TransientError
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.sdk.testing.shop import a_shop
from connectors.unisender import CONNECTOR
from connectors.unisender.api import rows
from connectors.unisender.config import UniSenderConfig
from connectors.unisender.sandbox import KEY, sandbox
from mappings.canonical import Canonical
from mappings.tables import Mapped
from tests.connectors.unisender.conftest import read


def mapped(config, name, entity, since) -> list[Canonical]:
    made = [CONNECTOR.resource(name).maps[entity](record, config) for record in read(config, name, since)]
    assert [one for one in made if not isinstance(one, Mapped)] == []
    return [record for one in made for record in one.records]


def test_a_contact_is_a_customer_with_the_lists_it_is_in(settings, now):
    [aigerim, daniyar] = mapped(settings(), "contacts", "customer", Since(now=now))
    assert (aigerim.name, aigerim.emails, aigerim.tags) == ("Айгерім", ("aigerim@example.kz",), ("Общий список",))
    assert daniyar.external_id not in ("", aigerim.external_id)
    assert "daniyar" not in daniyar.external_id


def test_only_a_confirmed_consent_is_the_persons_own(account, settings, now):
    account.contacts["aigerim@example.kz"].confirmed = "2026-02-01 10:00:00"
    aigerim, daniyar = mapped(settings(), "contacts", "consent_event", Since(now=now))
    assert (aigerim.state, aigerim.by, aigerim.at) == ("granted", "person", datetime(2026, 2, 1, 10, tzinfo=UTC))
    assert (daniyar.state, daniyar.by, daniyar.at) == ("granted", "import", now)


@pytest.mark.parametrize("status", ["new", "inactive"])
def test_nobody_consents_by_being_in_the_base(account, settings, now, status):
    account.contacts.pop("daniyar@example.kz")
    account.contacts["aigerim@example.kz"].status = status
    assert mapped(settings(), "contacts", "consent_event", Since(now=now)) == []


def test_a_refusal_is_read_between_the_exports_of_everybody(account, settings, now):
    account.contacts["daniyar@example.kz"].status = "unsubscribed"
    [refused] = mapped(settings(), "unsubscribes", "consent_event", Since(now=now))
    assert (refused.identifier, refused.channel, refused.state, refused.at) == (
        "daniyar@example.kz", "email", "refused", None
    )  # fmt: skip
    both = mapped(settings(), "contacts", "consent_event", Since(now=now))
    assert refused.external_id in {one.external_id for one in both}


def test_a_second_refusal_after_a_second_consent_is_another_statement(account, settings, now):
    person, ids = account.contacts["daniyar@example.kz"], []
    for confirmed in ("2026-02-01 10:00:00", "2026-02-20 10:00:00"):
        person.status, person.confirmed = "unsubscribed", confirmed
        row = {"email": person.email, "email_status": "unsubscribed", "email_confirm_time": confirmed}
        [refused] = CONNECTOR.resource("unsubscribes").maps["consent_event"](row, settings()).records
        ids.append(refused.external_id)
    assert len(set(ids)) == 2


def test_leaving_one_list_counts_as_leaving_all_unless_lists_are_topics(account, settings, now):
    account.contacts.pop("daniyar@example.kz")
    account.contacts["aigerim@example.kz"].left = {"9"}
    states = [
        [one.state for one in mapped(settings(**said), "contacts", "consent_event", Since(now=now))]
        for said in ({}, {"leaving_a_list": "is_ignored"})
    ]
    assert states == [["refused"], ["granted"]]


def test_lists_that_are_named_are_read_alone_and_nobody_twice(account, settings, now):
    account.contact("vip@example.kz", "9")
    account.contact("nowhere@example.kz")
    account.contacts["aigerim@example.kz"].lists.add("9")
    found = read(settings(lists=["VIP", "8"]), "contacts", Since(now=now))
    assert sorted(one["email"] for one in found) == ["aigerim@example.kz", "daniyar@example.kz", "vip@example.kz"]
    with pytest.raises(ConfigError, match="Нет такого"):
        read(settings(lists=["Нет такого"]), "contacts", Since(now=now))


def test_a_letter_that_is_opened_later_is_told_again_with_its_new_state(account, settings, now):
    campaign = account.mailed("8", "Наурыз", now - timedelta(hours=3))
    config = settings()
    first = mapped(config, "deliveries", "contact_event", Since(now=now))
    assert [one.kind for one in first] == ["sent", "delivered"] * 2
    account.turns(campaign, "aigerim@example.kz", "ok_read", now)
    again = mapped(config, "deliveries", "contact_event", Since(value="2026-03-02 04:30:00", now=now))
    assert [(one.kind, one.at) for one in again] == [
        ("sent", now - timedelta(hours=3)), ("delivered", now - timedelta(hours=3)), ("opened", now)
    ]  # fmt: skip
    assert {one.external_id for one in again} & {one.external_id for one in first} != set()


def test_who_leaves_by_a_letter_refuses_with_the_time_and_in_person(account, settings, now):
    campaign = account.mailed("8", "Наурыз", now - timedelta(hours=3))
    account.turns(campaign, "daniyar@example.kz", "ok_unsubscribed", now)
    [refused] = mapped(settings(), "deliveries", "consent_event", Since(now=now))
    assert (refused.state, refused.by, refused.at) == ("refused", "person", now)


def test_letters_are_watched_for_as_long_as_the_settings_say(account, settings, now):
    account.mailed("8", "Давно", now - timedelta(days=40))
    since = Since(value="2026-01-01 00:00:00", now=now)
    assert read(settings(), "deliveries", since) == []
    assert len(read(settings(campaign_days="P60D"), "deliveries", since)) == 2


def test_an_export_that_is_never_made_is_given_up_and_asked_for_anew(account, settings, now):
    account.asked = Never()
    with pytest.raises(TransientError, match="still makes the export"):
        read(settings(), "contacts", Since(now=now))
    account.asked = set()
    assert len(read(settings(), "contacts", Since(now=now))) == 2


class Never(set):
    def __contains__(self, one: object) -> bool:
        return False


@pytest.mark.parametrize("text", ["email;Name\na@example.kz;Әлия\n", "\ufeffemail,Name\r\na@example.kz,Әлия\r\n"])
def test_an_exported_file_is_read_however_it_is_written(text):
    assert rows(text, "email") == [{"email": "a@example.kz", "Name": "Әлия"}]


@pytest.mark.parametrize("text", ["", "<html>login</html>", "name,phone\n"])
def test_a_file_that_is_something_else_is_no_empty_base(text):
    with pytest.raises(ContractError, match="no column 'email'"):
        rows(text, "email")


def test_at_its_declared_pace_no_limit_of_the_platform_is_met(now):
    """UniSender says so inside a 200, so it is looked for in the answers' words."""
    slept: list[float] = []
    clock = lambda: now + timedelta(seconds=sum(slept))
    shop = a_shop(seed=1, variants=1, people=40, orders=0, now=now)
    account = sandbox(shop, limits="contract", clock=clock)
    bucket = LocalBucket(clock=lambda: sum(slept))
    with served(account.sandbox) as url, using(Runtime(bucket=bucket, sleep=slept.append)):
        config = UniSenderConfig.model_validate({"base_url": url, "api_key": KEY}).named("letters")
        for _ in range(25):
            read(config, "unsubscribes", Since(now=now))  # type: ignore[arg-type]
    assert len(account.sandbox.requests(path="exportContacts")) == 100
    assert len(account.sandbox.requests(path="getTaskResult")) == 200


@pytest.mark.parametrize("status", ["unsubscribed", "blocked"])
def test_whoever_refused_or_was_blocked_is_heard_before_anything_is_sent(account, settings, now, status):
    account.contacts["aigerim@example.kz"].status = status
    [refusal] = mapped(settings(), "unsubscribes", "consent_event", Since(now=now))
    assert (refusal.identifier, refusal.state) == ("aigerim@example.kz", "refused")


@pytest.mark.parametrize("status", ["unsubscribed", "blocked"])
def test_whoever_refused_messages_or_whose_phone_was_blocked_is_heard_too(account, settings, now, status):
    account.contact("olga@example.kz", status="new", phone="77000000001", phone_status=status)
    [refusal] = mapped(settings(), "unsubscribes", "consent_event", Since(now=now))
    assert (refusal.channel, refusal.identifier, refusal.state) == ("sms", "+77000000001", "refused")
