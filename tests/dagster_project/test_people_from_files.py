"""People whom six systems know, each in its own file and its own words, and what they did: read with settings alone."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dagster_project.home import home
from dagster_project.store.people.contacts import abandoned
from tests.clear import clear
from tests.dagster_project.conftest import Street

ALMATY = {"timezone": "Asia/Almaty"}
SEMICOLONS = {"delimiter": ";", "date_format": "dd.MM.yyyy", **ALMATY}


def connects(street: Street, name: str, file: str, layout: str, **settings: Any) -> None:
    """The connection `name` reads `file` of its own folder."""
    (home() / name).mkdir(exist_ok=True)
    street.entries[name] = {"connector": "files", "settings": {"path": f"{name}/{file}", "layout": layout, **settings}}
    street.connects()


def drops(name: str, file: str, *lines: str, encoding: str = "utf-8") -> None:
    (home() / name / file).write_bytes("".join(line + "\n" for line in lines).encode(encoding))


@pytest.fixture
def six_systems(street: Street) -> Street:
    """Айгүл is known to all six, her son Данияр to three; they share a phone. Invented, as are their numbers."""
    connects(street, "crm", "*.csv", "customers", encoding="windows-1251", **SEMICOLONS)
    drops(
        "crm", "contacts.csv",
        "Код клиента;Фамилия;Имя;Отчество;Телефон;Доп. телефон;E-mail;Дата рождения;Пол;Город;Дата регистрации",
        "101;Серикова;Айгуль;Болатовна;8 (700) 000-00-01;;aigul@mail.example;05.03.1988;ж;Алматы;01.02.2024",
        "102;Сериков;Данияр;;+7 700 000 00 01;8 700 000 00 02;dan@mail.example;17.09.2009;м;Алматы;02.02.2024",
        encoding="windows-1251",
    )  # fmt: skip
    connects(street, "erp", "*.txt", "customers", columns={"ref.crm": "Код в CRM"}, delimiter="|", **ALMATY)
    drops(
        "erp", "partners.txt", "Контрагенты на 2 марта||||", "Код|ФИО|Телефон|Код в CRM|Адрес",
        "E-7|Айгүл Серікова||101|Абай даңғылы, 10, 5", encoding="utf-16",
    )  # fmt: skip
    connects(street, "site", "*.json", "customers", **ALMATY)
    shop_accounts = [
        {"id": 1, "full_name": "Aigul Serikova", "email": "Aigul+shop@mail.example", "phone": "77000000001"},
        {"id": 2, "full_name": "Daniyar Serikov", "email": "dan@mail.example", "phone": None},
    ]
    (home() / "site" / "accounts.json").write_text(json.dumps(shop_accounts), "utf-8")
    connects(street, "bazaar", "*.csv", "customers", masked=["phone"], **ALMATY)
    drops(
        "bazaar", "buyers.csv", "external_id,name,phone,account_id,ref.crm",
        "B1,Айгуль С.,+7 700 999 99 99,a-1,101", "B2,Асель К.,+7 700 999 99 99,a-2,",
    )  # fmt: skip
    connects(street, "till", "*.tsv", "customers", **ALMATY)
    drops("till", "cards.tsv", "Клиент коды\tАты-жөні\tТелефоны\tБонусная карта",
          "K-1\tСерікова Айгүл\t8 700 000 00 01\t7700000001")  # fmt: skip
    connects(street, "letters", "*.csv", "customers", **ALMATY)
    drops("letters", "list.csv", "customer_id,email,first_name", "L1,aigul@mail.example,Айгуль",
          "L2,dan@mail.example,Данияр")  # fmt: skip
    return street


def test_six_systems_come_in_whole_whatever_script_and_notation_they_write(six_systems: Street):
    report = six_systems.told("sync")
    assert {row["connection"]: (row["stored"], row["quarantined"], row["error"]) for row in report["resources"]} == {
        "crm": (2, 0, None), "erp": (1, 0, None), "site": (2, 0, None), "bazaar": (2, 0, None), "till": (1, 0, None),
        "letters": (2, 0, None),
    }  # fmt: skip
    told = clear(
        six_systems.store,
        "select connection, external_id, name, last_name, first_name, middle_name, birth_date, gender, city, "
        "address, loyalty_ids, account_id, masked, refs, created_at is not null from canonical.customer order by 1, 2",
    )
    nothing = (None,) * 3
    assert told == [
        ("bazaar", "B1", "Айгуль С.", *nothing, *nothing, None, [], "a-1", ["phone"], ["crm\x1f101"], False),
        ("bazaar", "B2", "Асель К.", *nothing, *nothing, None, [], "a-2", ["phone"], [], False),
        ("crm", "101", None, "Серикова", "Айгуль", "Болатовна", "1988-03-05", "female", "Алматы", None, [], None, [],
         [], True),
        ("crm", "102", None, "Сериков", "Данияр", None, "2009-09-17", "male", "Алматы", None, [], None, [], [], True),
        ("erp", "E-7", "Айгүл Серікова", *nothing, *nothing, "Абай даңғылы, 10, 5", [], None, [], ["crm\x1f101"],
         False),
        ("letters", "L1", None, None, "Айгуль", None, *nothing, None, [], None, [], [], False),
        ("letters", "L2", None, None, "Данияр", None, *nothing, None, [], None, [], [], False),
        ("site", "1", "Aigul Serikova", *nothing, *nothing, None, [], None, [], [], False),
        ("site", "2", "Daniyar Serikov", *nothing, *nothing, None, [], None, [], [], False),
        ("till", "K-1", "Серікова Айгүл", *nothing, *nothing, None, ["7700000001"], None, [], [], False),
    ]  # fmt: skip
    counted = "select sum(cardinality(phones)), sum(cardinality(emails)) from canonical.customer"
    assert six_systems.rows(counted) == [(7, 6)]


def person(street: Street, connection: str, external_id: str) -> str:
    statement = "select person_id from canonical.identity where connection = :connection and external_id = :id"
    ((found,),) = street.rows(statement, connection=connection, id=external_id)
    return str(found)


def test_nobody_was_seen_last_before_he_was_seen_first(six_systems: Street):
    """A card that tells no dates was seen when it was read, and its record is made a moment later."""
    six_systems.told("sync")
    [(people, upside_down)] = six_systems.rows(
        "select count(*), count(*) filter (where last_seen < first_seen) from canonical.person"
    )
    assert people > 0
    assert upside_down == 0


def test_everybody_is_one_person_over_all_systems_and_a_shared_phone_joins_nobody(six_systems: Street):
    six_systems.told("sync")
    aigul = {("crm", "101"), ("erp", "E-7"), ("site", "1"), ("bazaar", "B1"), ("till", "K-1"), ("letters", "L1")}
    daniyar = {("crm", "102"), ("site", "2"), ("letters", "L2")}
    people = [{person(six_systems, *key) for key in group} for group in (aigul, daniyar, {("bazaar", "B2")})]
    assert [len(group) for group in people] == [1, 1, 1]
    assert len(set.union(*people)) == 3
    assert six_systems.rows("select count(*) from canonical.customer") == six_systems.rows(
        "select count(*) from canonical.identity"
    )


# ── what they did ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def crm(street: Street) -> Street:
    """Two people, in the CRM alone."""
    connects(street, "crm", "*.csv", "customers", **ALMATY)
    drops("crm", "people.csv", "external_id,name,phone,email", "101,Айгүл Серікова,8 700 000 00 01,aigul@mail.example",
          "102,Ерлан Ахметов,8 700 000 00 02,erlan@mail.example")  # fmt: skip
    return street


def owners(street: Street, table: str, order: str) -> list[Any]:
    """Of each row, in order, the CRM's id of the person it belongs to."""
    statement = f"""
select c.external_id from canonical."{table}" t
left join canonical.identity c on c.person_id = t.person_id and c.connection = 'crm' order by {order}"""
    return [found for (found,) in street.rows(statement)]


def test_contacts_of_a_file_belong_to_the_persons_whose_ids_or_addresses_they_name(crm: Street):
    connects(crm, "calls", "*.csv", "events", customers_of="crm", **SEMICOLONS)
    drops("calls", "march.csv", "Код клиента;Контакт;Дата;Время;Канал;Событие;Направление;Оценка",
          "101;;01.03.2026;10:00;звонок;Консультация;входящий;",
          ";erlan@mail.example;02.03.2026;11:00;E-mail;Открыто;;",
          "101;;03.03.2026;12:00;whatsapp;опрос;;9",
          ";nobody@mail.example;04.03.2026;;почта;sent;исходящее;")  # fmt: skip
    report = crm.told("sync")
    assert [(row["stored"], row["quarantined"]) for row in report["resources"]] == [(4, 0), (2, 0)]
    told = "select channel, kind, direction, value::int, at::text from canonical.contact_event order by at"
    assert crm.rows(told) == [
        ("call", "consultation", "in", None, "2026-03-01 05:00:00+00"),
        ("email", "opened", None, None, "2026-03-02 06:00:00+00"),
        ("whatsapp", "survey", None, 9, "2026-03-03 07:00:00+00"),
        ("email", "sent", "out", None, "2026-03-03 19:00:00+00"),
    ]
    assert owners(crm, "contact_event", "at") == ["101", "102", "101", None]


def test_a_second_letter_to_the_same_address_belongs_to_the_same_person(crm: Street):
    connects(crm, "letters", "*.csv", "events", **ALMATY)
    header = "identifier,at,channel,kind"
    drops("letters", "1.csv", header, "erlan@mail.example,2026-03-01 10:00,email,opened")
    crm.told("sync")
    drops("letters", "2.csv", header, "erlan@mail.example,2026-03-02 10:00,email,opened")
    crm.told("sync")
    assert owners(crm, "contact_event", "at") == ["102", "102"]


def test_an_address_that_somebody_takes_later_brings_him_the_letters_sent_there_before(crm: Street):
    connects(crm, "letters", "*.csv", "events", **ALMATY)
    drops("letters", "1.csv", "identifier,at,channel,kind", "new@mail.example,2026-03-01 10:00,email,opened")
    crm.told("sync")
    assert owners(crm, "contact_event", "at") == [None]
    drops("crm", "more.csv", "external_id,name,email", "103,Асель Нурланова,new@mail.example")
    crm.told("sync")
    assert owners(crm, "contact_event", "at") == ["103"]


def test_a_refusal_in_a_file_stops_the_channel_of_the_person_it_names(crm: Street):
    connects(crm, "forms", "*.csv", "consents", customers_of="crm", **ALMATY)
    header = "external_id,identifier,channel,purpose,state,at,text_version,source"
    drops("forms", "1.csv", header, "101,aigul@mail.example,email,marketing,да,2026-03-01,v1,форма",
          "102,erlan@mail.example,email,marketing,да,2026-03-01,v1,форма",
          "102,erlan@mail.example,email,marketing,отказ,2026-03-02,,касса")  # fmt: skip
    report = crm.told("sync")
    assert [(row["stored"], row["quarantined"]) for row in report["resources"] if row["connection"] == "forms"] == [
        (3, 0)
    ]
    states = "select person_id, state from canonical.consent where channel = 'email' and purpose = 'marketing'"
    assert dict(crm.rows(states)) == {person(crm, "crm", "101"): "granted", person(crm, "crm", "102"): "refused"}


def test_a_consent_of_a_year_yet_to_come_is_set_aside_with_its_line_and_the_refusal_beside_it_holds(crm: Street):
    connects(crm, "forms", "*.csv", "consents", customers_of="crm", **ALMATY)
    header = "external_id,identifier,channel,state,at,source"
    drops("forms", "1.csv", header, "101,aigul@mail.example,email,да,2126-03-01,форма",
          "102,erlan@mail.example,email,отказ,2126-03-01,форма")  # fmt: skip
    crm.told("sync")
    (one,) = crm.told("quarantine", "list")
    assert (one["line"], one["rule"]) == (2, "yet_to_come")
    assert "2126-02-28 19:00 UTC, which is yet to come: mend its time" in one["reason"]
    states = "select person_id, state from canonical.consent where channel = 'email' and purpose = 'marketing'"
    assert dict(crm.rows(states)) == {person(crm, "crm", "102"): "refused"}


def test_points_of_the_tills_and_of_the_shop_are_one_balance(crm: Street):
    for name, entries in {
        "tills": ("T1,101,2026-03-01,100", "T2,102,2026-03-01,50"),
        "web": ("W1,101,2026-03-02,-30",),
    }.items():
        connects(crm, name, "*.csv", "points", customers_of="crm", **ALMATY)
        drops(name, "points.csv", "entry,external_id,at,points", *entries)
    crm.told("sync")
    balances = (
        "select sum(balance)::int, sum(entries), bool_or(overdrawn) from canonical.loyalty_balance group by person_id"
    )
    assert sorted(crm.rows(balances)) == [(50, 1, False), (70, 2, False)]
    assert crm.rows("select count(distinct holder) from canonical.loyalty_balance") == [(2,)]


def test_an_entry_of_points_that_a_later_file_tells_otherwise_is_set_aside_with_its_line(crm: Street):
    connects(crm, "points", "*.csv", "points", customers_of="crm", **ALMATY)
    header = "entry,external_id,at,points,reason"
    drops("points", "1.csv", header, "1,101,2026-03-01,100,Начисление", "2,101,2026-03-01,20,подарок")
    crm.told("sync")
    drops("points", "2.csv", header, "1,101,2026-03-01,900,Начисление", "2,101,2026-03-01,20,подарок",
          "3,101,2026-03-02,5,gift")  # fmt: skip
    report = crm.told("sync")
    assert [(row["stored"], row["quarantined"]) for row in report["resources"] if row["connection"] == "points"] == [
        (2, 1)
    ]
    (one,) = crm.told("quarantine", "list")
    assert (one["key"], one["line"], one["rule"]) == ("1", 2, "changed_entry")
    shown = crm.told("quarantine", "show", str(one["id"]))
    assert (shown["file"], shown["payload"]) == ("2.csv", "1,101,2026-03-01,900,Начисление")
    assert crm.rows("select sum(points)::int, count(*) from canonical.loyalty_entry") == [(125, 3)]


def test_carts_come_line_by_line_and_belong_to_whom_the_crm_knows(crm: Street):
    connects(crm, "site", "*.csv", "carts", customers_of="crm", **ALMATY)
    header = "cart,external_id,updated_at,sku,quantity,state"
    drops("site", "1.csv", header, "c1,101,2026-03-01 10:00,tea,1,open", "c1,101,2026-03-01 10:05,tea,3,open",
          "c1,101,2026-03-01 10:05,cup,1,open", "c2,102,2026-03-01 10:00,tea,many,open",
          "c2,102,2026-03-01 10:00,cup,1,open")  # fmt: skip
    report = crm.told("sync")
    assert [(row["stored"], row["quarantined"]) for row in report["resources"] if row["connection"] == "site"] == [
        (3, 2)
    ]
    lines = "select external_id, sku, quantity::int from canonical.cart_line order by 1, 2"
    assert crm.rows(lines) == [("c1", "cup", 1), ("c1", "tea", 3)]
    assert owners(crm, "cart", "external_id") == ["101"]
    drops("site", "2.csv", header, "c1,101,2026-03-01 11:00,cup,2,open", "c2,102,2026-03-01 11:00,,,dropped")
    crm.told("sync")
    assert crm.rows(lines) == [("c1", "cup", 2)]
    assert crm.rows("select external_id, state from canonical.cart order by 1") == [("c1", "open"), ("c2", "dropped")]
    assert crm.rows("select count(*) from ledger.quarantine where state = 'open'") == [(0,)]


def test_a_cart_is_left_behind_unless_its_goods_were_bought_at_the_till(crm: Street):
    connects(crm, "site", "*.csv", "carts", customers_of="crm", **ALMATY)
    drops("site", "1.csv", "cart,external_id,updated_at,sku,quantity", "c1,101,2026-03-01 10:00,tea,1",
          "c1,101,2026-03-01 10:00,cup,1", "c2,102,2026-03-01 12:00,cup,1")  # fmt: skip
    connects(crm, "app", "*.csv", "carts", customers_of="crm", columns={"channel": "=app"}, **ALMATY)
    drops("app", "1.csv", "cart,external_id,updated_at,sku,quantity", "a1,101,2026-03-01 10:30,cup,2")
    connects(crm, "tills", "*.csv", "receipts", customers_of="crm", currency="KZT", **ALMATY)
    drops("tills", "1.csv", "receipt,placed_at,sku,quantity,total,customer", "1,2026-03-01 11:00,tea,1,100,101")
    crm.told("sync")
    wanted = "select sku, quantity::int, channel from mart.cart order by updated_at"
    assert crm.rows(wanted) == [("cup", 2, "app"), ("cup", 1, "site")]
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=ZoneInfo("Asia/Almaty"))
    with crm.store.connect() as db:
        left = abandoned(db, idle=timedelta(hours=1), now=noon)
    assert left["person_id"].to_pylist() == [person(crm, "crm", "101")]


def test_receipts_that_name_the_crms_customers_are_their_purchases(crm: Street):
    connects(crm, "tills", "*.csv", "receipts", customers_of="crm", currency="KZT", **ALMATY)
    drops("tills", "1.csv", "receipt,placed_at,sku,quantity,total,customer", "1,2026-03-01 10:00,tea,1,100,102",
          "2,2026-03-01 10:00,tea,1,100,")  # fmt: skip
    crm.told("sync")
    assert owners(crm, "order", "t.external_id") == ["102", None]


def test_customers_of_a_connection_that_does_not_exist_are_named(crm: Street):
    connects(crm, "points", "*.csv", "points", customers_of="crn", **ALMATY)
    drops("points", "1.csv", "entry,external_id,at,points", "1,101,2026-03-01,100")
    assert "customers_of names crn, which connections.yaml does not have" in crm.refuses("sync")
    assert crm.rows("select count(*) from canonical.loyalty_entry") == [(0,)]


# ── before anything is connected ──────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_tried_without_a_store_and_says_what_it_would_give(street: Street, tmp_path: Path):
    file = tmp_path / "people.csv"
    file.write_text("Код клиента,ФИО,Телефон,Любимый цвет\n1,Айгүл С.,8 700 000 00 01,синий\n,Ерлан,,\n", "utf-8")
    told = street.told("connectors", "map", "files", str(file), "--set", "layout=customers")
    assert [(row["entity"], row["external_id"], row["phones"]) for row in told["mapped"]] == [
        ("customer", "1", ["+77000000001"])
    ]
    assert [(row["line"], row["rule"]) for row in told["quarantined"]] == [(3, "missing_field")]
    assert told["unmapped"] == ["Любимый цвет"]


def test_files_that_cannot_be_read_do_not_hide_the_others_of_their_folder(street: Street, tmp_path: Path):
    for name, content in (("1.csv", "ФИО\nАйгүл\n"), ("2.csv", "Код клиента,ФИО\n1,Айгүл С.\n"), ("3.pdf", "%PDF")):
        (tmp_path / name).write_text(content, "utf-8")
    tried = ("connectors", "map", "files", str(tmp_path), "--set", "layout=customers")
    done = street.keruen(*tried, "--json")
    assert done.exit_code == 1
    assert [row["external_id"] for row in json.loads(done.stdout)["mapped"]] == ["1"]
    refused = street.refuses(*tried)
    assert all(one in refused for one in ("1.csv", "external_id", "3.pdf: files ending in", "--set NAME=VALUE"))


def test_receipts_are_tried_with_the_settings_they_need(street: Street, tmp_path: Path):
    file = tmp_path / "till.csv"
    file.write_text("receipt,placed_at,sku,quantity,total\n1,2026-03-02 10:00,tea,2,100.50\n", "utf-8")
    tried = ("connectors", "map", "files", str(file))
    assert "--set layout=VALUE" in street.refuses(*tried)
    assert "needs the currency" in street.refuses(*tried, "--set", "layout=receipts")
    settings = [f"--set={one}" for one in ("layout=receipts", "currency=KZT", "timezone=Asia/Almaty")]
    told = street.told(*tried, *settings)
    assert [(row["entity"], row["total"]) for row in told["mapped"]] == [("order", "100.50"), ("order_line", "100.50")]
