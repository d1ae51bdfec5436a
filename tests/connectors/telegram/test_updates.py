"""What people do with the bot is read once, lost never, and told of the right person."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.sdk import ConfigError, TransientError
from connectors.telegram import CONNECTOR
from connectors.telegram.config import TelegramConfig
from connectors.telegram.links import MOST, linked, start_token
from connectors.telegram.sandbox import a_user
from mappings.tables import Mapped
from tests.connectors.telegram.conftest import UPDATES, page

LINKS = {"links_to": "crm", "link_secret": "any long text"}


def said(config: TelegramConfig, update: dict, entity: str) -> list[Any]:
    made = UPDATES.maps[entity](update, config)
    assert isinstance(made, Mapped), made
    return list(made.records)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_has_not_landed_is_not_forgotten(bot, settings, now):
    for number in range(150):
        bot.starts(a_user(number))
    config = settings()
    first = page(config, now)
    assert len(first.records) == 100
    again = page(config, now)
    assert again.records == first.records
    second = page(config, now, first.cursor)
    assert [one["update_id"] for one in second.records] == list(range(10_099, 10_150))
    assert len(bot.waiting) == 51


def test_cursors_rise_as_text(bot, settings, now):
    bot.next_id = 99
    cursors = []
    for _ in range(2):
        bot.starts(a_user())
        cursors.append(page(settings(), now).cursor)
    assert cursors == sorted(cursors)


def test_after_a_week_of_silence_updates_numbered_anew_are_read(bot, settings, now):
    bot.starts(a_user())
    before = page(settings(), now).cursor
    bot.next_id, later = 17, now + timedelta(days=8)
    bot.waiting.clear()
    bot.sandbox._clock = lambda: later
    bot.starts(a_user(), at=later)
    assert [one["update_id"] for one in page(settings(), later, before).records] == [17]


def test_telegram_is_given_the_time_it_asks_for(bot, settings, slept, now):
    bot.starts(a_user())
    bot.sandbox.faults.set("429", size=14, times=1)
    assert len(page(settings(), now).records) == 1
    assert slept[0] == 14.0


def test_a_bot_that_is_always_too_fast_waits_for_the_next_run(bot, settings, now):
    bot.sandbox.faults.set("429", size=14)
    with pytest.raises(TransientError) as caught:
        page(settings(), now)
    assert caught.value.retry_after == 14


def test_a_second_reader_is_named_as_the_reason(bot, settings, now):
    bot.webhook = True
    with pytest.raises(ConfigError, match="only one may ask"):
        page(settings(), now)


def test_a_wrong_token_is_the_merchants_and_is_not_told(settings):
    with pytest.raises(ConfigError, match="BotFather") as caught:
        CONNECTOR.check(settings(token="123:old-token"))
    assert "old-token" not in str(caught.value)


def test_the_check_forgets_nothing(bot, settings, now):
    bot.starts(a_user())
    CONNECTOR.check(settings())
    assert len(page(settings(), now).records) == 1


# ── who it is ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("written", ["77000000001", "+7 700 000 00 01"])
def test_the_own_phone_is_a_statement_that_later_messages_do_not_take_back(bot, settings, written):
    shared, later = bot.shares(a_user(), written), bot.writes(a_user(), "Сәлем!")
    config = settings()
    phones = {
        one.external_id: one.phones for one in (*said(config, shared, "customer"), *said(config, later, "customer"))
    }
    assert phones == {"5000000001": (), "5000000001:phone": ("+77000000001",)}
    assert {one.account_id for one in said(config, shared, "customer")} == {"5000000001"}


def test_a_friends_phone_is_nobodys(bot, settings):
    update = bot.shares(a_user(), "77000000002", user_id=5_000_000_099)
    assert [one.phones for one in said(settings(), update, "customer")] == [()]


def test_a_contact_that_is_in_no_ones_telegram_is_nobodys(bot, settings):
    update = bot.shares(a_user(), "77000000002")
    del update["message"]["contact"]["user_id"]
    assert [one.phones for one in said(settings(), update, "customer")] == [()]


def test_what_is_written_stays_in_the_raw_record(bot, settings):
    update = bot.writes(a_user(), "Мой адрес: мкр. Ақкент, 1002")
    [event] = said(settings(), update, "contact_event")
    assert event.kind == "message"
    assert "Ақкент" not in event.model_dump_json()


# ── start links ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_starts_by_a_personal_link_is_the_customer_it_was_given_to(bot, settings, now):
    config = settings(**LINKS)
    update = bot.starts(a_user(), start_token(config, "C-1001", now.date()))
    refs = [one.refs for one in said(config, update, "customer")]
    assert refs == [(), ("crm\x1fC-1001",)]


@pytest.mark.parametrize(
    "spoil", [lambda token: "X" + token[1:], lambda token: token[:-2] + "__", lambda token: "C-1001"]
)
def test_a_token_that_is_made_up_names_nobody(bot, settings, now, spoil):
    config = settings(**LINKS)
    update = bot.starts(a_user(), spoil(start_token(config, "C-1001", now.date())))
    assert [one.refs for one in said(config, update, "customer")] == [()]


def test_a_link_ends_with_its_day(settings):
    config = settings(**LINKS)
    token = start_token(config, "C-1001", date(2026, 3, 2))
    assert linked(config, token, datetime(2026, 3, 2, 23, 59, tzinfo=UTC)) == "C-1001"
    assert linked(config, token, datetime(2026, 3, 3, 0, 0, tzinfo=UTC)) is None


def test_a_token_fits_into_a_link_and_an_id_that_does_not_is_refused(settings):
    config = settings(**LINKS)
    token = start_token(config, "клиент-1001", date(2026, 3, 2))
    assert len(token) <= MOST
    assert token.replace("-", "").replace("_", "").isalnum()
    assert token.isascii()
    with pytest.raises(ValueError, match="Telegram takes 64"):
        start_token(config, "x" * 40, date(2026, 3, 2))


def test_links_need_a_secret(settings):
    with pytest.raises(ValueError, match="belong together"):
        settings(links_to="crm")
    with pytest.raises(ValueError, match="link_secret"):
        start_token(settings(), "C-1001", date(2026, 3, 2))


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_starting_is_consent_only_where_the_page_says_so(bot, settings):
    update = bot.starts(a_user())
    [granted] = said(settings(), update, "consent_event")
    assert (granted.state, granted.by, granted.text_version) == ("granted", "person", "start-1")
    assert said(settings(consent_text=None), update, "consent_event") == []


@pytest.mark.parametrize(
    "word",
    ["/stop", "/STOP@example_shop_bot", "Stop", "стоп", " ТОҚТАТ ", "Стоп!", "«стоп».", "/stop please"],
)
def test_one_word_is_enough_to_refuse(bot, settings, word):
    [refused] = said(settings(), bot.writes(a_user(), word), "consent_event")
    assert (refused.state, refused.by) == ("refused", "person")


def test_a_sentence_with_the_word_in_it_is_no_refusal(bot, settings):
    assert said(settings(), bot.writes(a_user(), "Стоп, а доставка?"), "consent_event") == []


def test_blocking_refuses_and_coming_back_grants_nothing(bot, settings):
    [refused] = said(settings(), bot.becomes(a_user(), "kicked"), "consent_event")
    assert refused.state == "refused"
    assert said(settings(), bot.becomes(a_user(), "member"), "consent_event") == []


@pytest.mark.parametrize("word", ["НЕ ПИСАТЬ", "не  писать!", "Unsubscribe"])
def test_stop_words_of_the_merchant_are_understood_however_they_are_written(bot, settings, now, word):
    bot.writes(a_user(), word)
    config = settings(stop_words=["Не писать", "UNSUBSCRIBE"])
    made = [UPDATES.maps["consent_event"](update, config) for update in page(config, now).records]
    assert [one.state for mapped in made for one in mapped.records] == ["refused"]
