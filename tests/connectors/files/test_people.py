"""Files about people: words of three languages, contacts in every notation, and what may not cost a customer."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from connectors.files.config import FilesConfig
from connectors.sdk.errors import ConfigError, RejectedError
from connectors.sdk.files import FileFrames
from mappings.metrics.surveys import answers

Reads = Callable[..., FileFrames]
ALMATY = {"timezone": "Asia/Almaty"}


def csv(header: str, *lines: str) -> str:
    return "\n".join((header, *lines, ""))


def rows(frames: FileFrames, *columns: str, table: str | None = None) -> list[Any]:
    found = frames.frames[table or frames.entity].select(list(columns)).to_pylist()
    return [tuple(row.values()) for row in found]


def aside(frames: FileFrames) -> list[tuple[str | None, int, str]]:
    return [(row["key"], row["line"], row["rule"]) for row in frames.set_aside.to_pylist()]


# ── the layouts' own names, and those of exports ──────────────────────────────────────────────────────────────────────

HEADERS = {
    "events": [
        "external_id,at,channel,kind,direction,campaign,reference,value",
        "Код клиента,Дата и время,Канал,Событие,Направление,Рассылка,Документ,Оценка",
        "Клиент коды,Күні мен уақыты,Арна,Оқиға,Бағыты,Науқан,Құжат,Мәні",
    ],
    "consents": [
        "external_id,identifier,channel,purpose,state,at,text_version,source",
        "Код клиента,Телефон,Канал,Цель,Согласие,Дата согласия,Версия текста,Источник",
        "Клиент коды,Телефоны,Арна,Мақсаты,Келісім,Күні мен уақыты,Мәтін нұсқасы,Көзі",
    ],
    "points": [
        "entry,external_id,at,points,reason,reference",
        "Номер операции,Код покупателя,Дата,Баллы,Причина,Основание",
        "Жазба,Клиент коды,Күні,Ұпай,Себебі,Құжат",
    ],
    "carts": [
        "cart,external_id,updated_at,sku,quantity,state",
        "Корзина,Код клиента,Обновлено,Артикул,Кол-во,Статус",
        "Себет,Клиент коды,Жаңартылды,Тауар коды,Саны,Күйі",
    ],
}
LINES = {
    "events": "7,2026-03-02 10:00,email,opened,out,spring,m1,9",
    "consents": "7,8 700 000 00 01,sms,marketing,granted,2026-03-02 10:00,v1,form",
    "points": "1,7,2026-03-02 10:00,100,purchase,176",
    "carts": "c1,7,2026-03-02 10:00,tea,2,open",
}


@pytest.mark.parametrize("layout", HEADERS)
def test_the_names_of_exports_in_three_languages_say_the_same(reads: Reads, layout: str):
    own, *others = (reads(csv(header, LINES[layout]), layout=layout, **ALMATY) for header in HEADERS[layout])
    assert (own.read, own.lines, own.set_aside.num_rows) == (1, 1, 0)
    assert [other.frames[other.entity].to_pylist() for other in others] == [own.frames[own.entity].to_pylist()] * 2


@pytest.mark.parametrize(
    ("layout", "header", "missing"),
    [
        ("events", "external_id,at,channel", "no known column for kind"),
        ("events", "at,channel,kind", "no known column for external_id or identifier"),
        ("consents", "identifier,channel,state", "no known column for at"),
        ("points", "external_id,at,points", "no known column for entry"),
        ("carts", "cart,external_id,updated_at,sku", "no known column for quantity"),
    ],
)
def test_a_column_that_is_needed_and_missing_is_named(reads: Reads, layout: str, header: str, missing: str):
    with pytest.raises(ConfigError, match=missing):
        reads(csv(header, ",".join("1" * (header.count(",") + 1))), layout=layout, **ALMATY)


def test_the_notation_of_moments_is_named_where_it_does_not_fit(reads: Reads):
    text = csv(HEADERS["points"][0], "1,7,25.03.2026 10:00,100,,", "2,7,26.03.2026 10:00,100,,")
    with pytest.raises(ConfigError, match=r'set date_format: "dd\.MM\.yyyy"'):
        reads(text, layout="points", **ALMATY)
    with pytest.raises(ConfigError, match="timezone"):
        reads(csv(HEADERS["points"][0], "1,7,2026-03-02 10:00,100,,"), layout="points")


def test_a_column_called_as_the_target_itself_comes_before_one_that_could_be_meant(reads: Reads):
    frames = reads(csv("id,external_id,name", "1,7,Ann"), layout="customers")
    assert rows(frames, "external_id") == [("7",)]


@pytest.mark.parametrize("layout", ["products", "stock", "prices", "customers"])
def test_whose_customers_they_are_is_asked_only_of_files_that_name_some(layout: str):
    with pytest.raises(ValidationError, match="customers_of"):
        FilesConfig(path="*.csv", layout=layout, customers_of="crm", currency="KZT")


# ── customers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_read_of_a_customer_does_not_cost_the_customer(reads: Reads):
    text = csv(
        "external_id,phone,email,birth_date,gender", "1,нет,ann@,31.12,другой", "2,8 700 000 00 02,,1990-05-01,Ж"
    )
    frames = reads(text, layout="customers")
    assert rows(frames, "external_id", "phones", "emails", "birth_date", "gender") == [
        ("1", [], [], None, None), ("2", ["+77000000002"], [], date(1990, 5, 1), "female"),
    ]  # fmt: skip
    assert frames.notes == dict.fromkeys(["unread_phones", "unread_emails", "unread_birth_date", "unread_gender"], 1)


@pytest.mark.parametrize("written", ["Анна <ann@mail.example>", "mailto:ann@mail.example", "ann@mail.example.\u200b"])
def test_a_refusal_meets_the_customers_address_however_either_file_writes_it(reads: Reads, written: str):
    customers = reads(csv("external_id,email", f"1,{written}"), layout="customers")
    assert rows(customers, "emails") == [(["ann@mail.example"],)]
    for one in (written, "ann@mail.example"):
        assert rows(consent(reads, f"1,{one},email,,отказ,2026-03-02,,"), "identifier", "state") == [
            ("ann@mail.example", "refused")
        ]


def test_two_numbers_in_a_cell_a_word_beside_one_and_one_read_as_a_sum_are_phones(reads: Reads):
    text = csv("external_id,phone", "1,87000000001 87000000002", "2,8 700 000 00 01 мама", "3,77000000001.0")
    assert rows(reads(text, layout="customers"), "phones") == [
        (["+77000000001", "+77000000002"],), (["+77000000001"],), (["+77000000001"],),
    ]  # fmt: skip


@pytest.mark.parametrize("date_format", [None, "dd.MM.yyyy"])
@pytest.mark.parametrize(
    "written",
    ["1990-03-25", "25.03.1990", "25/03/1990", "25-03-1990", "03/25/1990", "25.3.1990", "25.03.1990 00:00:00"],
)
def test_a_birthday_is_read_in_any_order(reads: Reads, written: str, date_format: str | None):
    """Clerks, forms and tills write them each in their own way; a format is asked for where a moment depends on it."""
    text = csv("external_id,birth_date", f"1,{written}", "2,03/04/1991")
    frames = reads(text, layout="customers", date_format=date_format)
    other = date(1991, 3, 4) if written == "03/25/1990" else date(1991, 4, 3)
    assert rows(frames, "birth_date") == [(date(1990, 3, 25),), (other,)]
    assert frames.notes == {}


def test_a_second_phone_counts_where_there_is_no_first(reads: Reads):
    assert rows(reads(csv("id,Доп. телефон", "1,87000000001"), layout="customers"), "phones") == [(["+77000000001"],)]


def test_ids_in_other_systems_are_told_by_settings_or_by_the_columns_own_name(reads: Reads):
    text = csv("external_id,ref.crm_main,shop id", "1,c-1,s-1", "2,,s-2", "3,,")
    frames = reads(text, layout="customers", columns={"ref.shop": "shop id"})
    assert [sorted(refs) for (refs,) in rows(frames, "refs")] == [
        ["crm_main\x1fc-1", "shop\x1fs-1"],
        ["shop\x1fs-2"],
        [],
    ]


def test_a_customer_without_an_id_is_set_aside_and_the_others_stay(reads: Reads):
    frames = reads(csv("external_id,name", ",Ann", "2,Bob"), layout="customers")
    assert (rows(frames, "external_id"), aside(frames)) == ([("2",)], [(None, 2, "missing_field")])


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_is_the_same_however_its_file_writes_the_moment(reads: Reads):
    header = "external_id,at,channel,kind"
    iso = reads(csv(header, "7,2026-03-02 10:00,email,opened"), layout="events", **ALMATY)
    local = reads(
        csv(header, "7,02.03.2026 10:00:00,E-mail,opened"), layout="events", date_format="dd.MM.yyyy", **ALMATY
    )
    assert rows(iso, "at") == [(datetime(2026, 3, 2, 5, tzinfo=UTC),)]
    assert rows(iso, "channel", "kind", "external_id") == rows(local, "channel", "kind", "external_id")


def test_an_event_that_has_an_id_is_known_by_it(reads: Reads):
    frames = reads(
        csv("event id,external_id,at,channel,kind", "e1,7,2026-03-02,email,opened"), layout="events", **ALMATY
    )
    assert rows(frames, "external_id", "customer") == [("e1", "7")]


@pytest.mark.parametrize(
    ("written", "customer", "kind", "identifier"),
    [
        ("7", "7", None, None),
        ("Ann@Mail.Example", None, "email", "ann@mail.example"),
        ("+7 700 000 00 01", None, "phone", "+77000000001"),
        ("87000000001", "87000000001", None, None),
    ],
)
def test_an_id_that_is_a_contact_is_not_shown_as_an_id(
    reads: Reads, written: str, customer: Any, kind: Any, identifier: Any
):
    frames = reads(csv("external_id,at,channel,kind", f"{written},2026-03-02,email,opened"), layout="events", **ALMATY)
    assert rows(frames, "customer", "identifier_kind", "identifier") == [(customer, kind, identifier)]
    assert frames.notes == {}
    ((own,),) = rows(frames, "external_id")
    assert (len(own), frames.frames["contact_event"]["key"].to_pylist()) == (32, [own])


def test_a_kind_that_nobody_foresaw_is_kept_and_an_unknown_direction_is_not(reads: Reads):
    header = "external_id,at,channel,kind,direction"
    frames = reads(
        csv(header, "7,2026-03-02,Chat-bot,Wheel Spun,", "8,2026-03-02,sms,sent,sideways"), layout="events", **ALMATY
    )
    assert rows(frames, "channel", "kind") == [("chat-bot", "wheel spun")]
    assert [rule for _, _, rule in aside(frames)] == ["unknown_value"]


def test_an_answer_about_satisfaction_is_none_about_recommending_though_both_were_given_at_once(reads: Reads):
    lines = (f"7,2026-03-02 10:00,site,{kind},in,,,{value}" for kind, value in (("NPS", 9), ("CSAT", 4), ("опрос", 8)))
    frames = reads(csv(HEADERS["events"][0], *lines), layout="events", **ALMATY)
    assert rows(frames, "kind", "value") == [("nps", 9), ("csat", 4), ("survey", 8)]
    told = pd.DataFrame(frames.frames["contact_event"].to_pylist()).assign(
        person_id="p", day=pd.Timestamp("2026-03-02")
    )
    assert [list(answers(told, survey)["value"]) for survey in ("nps", "csat")] == [[9], [4]]


# ── consents ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def consent(reads: Reads, *lines: str) -> FileFrames:
    return reads(csv(HEADERS["consents"][0], *lines), layout="consents", **ALMATY)


@pytest.mark.parametrize(
    ("source", "by"),
    [
        ("касса", "person"),
        ("Форма на сайте", "person"),
        ("web_form", "person"),
        ("Double opt-in", "person"),
        ("customer list", "import"),
        ("импорт 2019", "import"),
        ("", None),
        ("ESP", "platform"),
    ],
)
def test_only_what_the_person_said_himself_is_his_word(reads: Reads, source: str, by: str | None):
    frames = consent(reads, f"7,87000000001,sms,,да,2026-03-02,v1,{source}")
    assert rows(frames, "by", "state", "purpose") == [(by or "import", "granted", "marketing")]


@pytest.mark.parametrize(
    ("channel", "identifier", "read"),
    [
        ("sms", "8 (700) 000-00-01", ("phone", "+77000000001")),
        ("email", "Ann@Mail.example", ("email", "ann@mail.example")),
        ("telegram", "7000000001", ("account", "7000000001")),
        ("telegram", "@ann", ("account", "@ann")),
        ("push", "device-1", ("account", "device-1")),
    ],
)
def test_a_consent_is_about_what_its_channel_reaches(
    reads: Reads, channel: str, identifier: str, read: tuple[str, str]
):
    frames = consent(reads, f"7,{identifier},{channel},,granted,2026-03-02,,")
    assert rows(frames, "identifier_kind", "identifier") == [read]


def test_a_consent_about_nothing_or_without_its_time_is_set_aside_and_a_refusal_without_a_time_is_not(reads: Reads):
    frames = consent(
        reads, "7,,sms,,granted,2026-03-02,,", "7,87000000001,sms,,granted,,,", "7,87000000001,sms,,отказ,,,"
    )
    assert sorted(rule for _, _, rule in aside(frames)) == ["missing_field", "no_identifier"]
    assert rows(frames, "state", "at") == [("refused", None)]


@pytest.mark.parametrize("name", ["expires_at", "Действует до"])
def test_a_consent_for_a_time_ends_as_the_day_begins(reads: Reads, name: str):
    header = f"external_id,identifier,channel,state,at,{name}"
    lines = ("7,87000000001,sms,да,2026-03-02,2027-03-02", "8,87000000002,sms,да,2026-03-02,")
    frames = reads(csv(header, *lines), layout="consents", **ALMATY)
    assert rows(frames, "expires_at") == [(datetime(2027, 3, 1, 19, tzinfo=UTC),), (None,)]


@pytest.mark.parametrize("moment", ["2026-03-02", ""])
def test_a_refusal_that_was_given_in_two_places_is_not_lost(reads: Reads, moment: str):
    frames = consent(reads, f"7,87000000001,sms,,отказ,{moment},,касса", f"7,87000000001,sms,,отказ,{moment},v2,ESP")
    assert (rows(frames, "state", "by"), aside(frames)) == ([("refused", "person"), ("refused", "platform")], [])


# ── points and carts ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_total_row_proves_the_points_of_a_file(reads: Reads):
    lines = ("1,7,2026-03-02,100,,", "2,7,2026-03-02,-30.5,списание,")
    frames = reads(csv(HEADERS["points"][0], *lines, "Итого,,,69.5,,"), layout="points", footer="Итого", **ALMATY)
    assert rows(frames, "points", "reason") == [(Decimal(100), None), (Decimal("-30.5"), "redeem")]
    with pytest.raises(RejectedError, match="it states points 70"):
        reads(csv(HEADERS["points"][0], *lines, "Итого,,,70,,"), layout="points", footer="Итого", **ALMATY)


def test_points_whose_reason_says_the_contrary_of_their_sign_are_set_aside_with_what_to_write(reads: Reads):
    lines = ("1,7,2026-03-02,100,списание,", "2,7,2026-03-02,40,сгорание,", "3,7,2026-03-02,-5,подарок,",
             "4,7,2026-03-02,-7.5,Начисление,", "5,7,2026-03-02,-100,списание,", "6,7,2026-03-02,5,gift,",
             "7,7,2026-03-02,-5,корректировка,", "8,7,2026-03-02,5,correction,",
             "9,7,2026-03-02,-5,возврат,")  # fmt: skip
    frames = reads(csv(HEADERS["points"][0], *lines), layout="points", **ALMATY)
    assert [int(points) for (points,) in rows(frames, "points")] == [-100, 5, -5, 5, -5]
    assert [row[2] for row in aside(frames)] == ["contradicts_reason"] * 4
    first, *_, last = frames.set_aside["reason"].to_pylist()
    assert first == "cause: 100 points of the reason списание: write -100, or a reason that fits, such as correction"
    assert "write 7.5," in last


def test_of_several_lines_with_the_same_goods_the_latest_counts(reads: Reads):
    frames = reads(
        csv(
            HEADERS["carts"][0], "c1,7,2026-03-02 12:00,tea,3,ordered", "c1,7,2026-03-02 10:00,tea,1,open",
            "c1,7,2026-03-02 11:00,cup,1,open", "c1,7,2026-03-02 11:30,cup,0,open", "c2,8,2026-03-02 10:00,,,dropped",
        ),
        layout="carts", **ALMATY,
    )  # fmt: skip
    assert rows(frames, "external_id", "state", "updated_at") == [
        ("c1", "ordered", datetime(2026, 3, 2, 7, tzinfo=UTC)), ("c2", "dropped", datetime(2026, 3, 2, 5, tzinfo=UTC)),
    ]  # fmt: skip
    standing = [
        (sku, quantity)
        for sku, quantity, stands in rows(frames, "sku", "quantity", "stands", table="cart_line")
        if stands
    ]
    assert standing == [("tea", Decimal(3))]
    assert (frames.read, frames.lines) == (5, 5)


def test_a_cart_with_a_line_that_cannot_be_read_or_of_two_buyers_is_set_aside_whole(reads: Reads):
    frames = reads(
        csv(
            HEADERS["carts"][0], "c1,7,2026-03-02,tea,many,open", "c1,7,2026-03-02,cup,1,open",
            "c2,7,2026-03-02,tea,1,open", "c2,8,2026-03-02,cup,1,open", "c3,9,2026-03-02,tea,,open",
            ",9,2026-03-02,tea,1,",
            "c4,9,2026-03-02,tea,1,open",
        ),
        layout="carts", **ALMATY,
    )  # fmt: skip
    assert aside(frames) == [
        ("c1", 2, "not_a_number"), ("c2", 4, "several_buyers"), ("c3", 6, "missing_field"), (None, 7, "missing_field"),
    ]  # fmt: skip
    assert (rows(frames, "external_id"), sum(frames.set_aside["lines"].to_pylist()), frames.lines) == ([("c4",)], 6, 1)


@pytest.mark.parametrize("filled", ["0", "-", "000", "нет", "None"])
def test_what_fills_an_empty_cell_is_no_buyer_and_no_card(reads, filled):
    """Or all who bought without a card would be one person, with everybody's receipts."""
    receipts = reads(csv("receipt,location,placed_at,sku,quantity,total,customer,loyalty_id",
                         f"1,A,2026-03-02 10:00,tea,1,100,{filled},{filled}",
                         "2,A,2026-03-02 10:00,tea,1,100,7,L0"))  # fmt: skip
    assert rows(receipts, "customer", "loyalty_id", table="order") == [(None, None), ("7", "L0")]
    assert receipts.notes == {}
    cards = reads(csv("external_id,loyalty_id,account_id,ref.crm", f"7,{filled},{filled},{filled}"), layout="customers")
    assert rows(cards, "loyalty_ids", "account_id", "refs") == [([], None, [])]
    points = reads(csv("entry,external_id,loyalty_id,at,points", f"1,{filled},{filled},2026-03-02 10:00,5"),
                   layout="points", **ALMATY)  # fmt: skip
    assert rows(points, "customer", "loyalty_id") == [(None, None)]
    seen = reads(csv("external_id,identifier,at,channel,kind", f"{filled},{filled},2026-03-02 10:00,site,visit"),
                 layout="events", **ALMATY)  # fmt: skip
    assert rows(seen, "customer", "identifier") == [(None, None)]
