"""People whom six systems know, each in its own file and its own words, and what they did: read with settings alone."""

import json
from typing import Any

import pytest

from dagster_project.home import home
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
    told = six_systems.rows(
        "select connection, external_id, name, last_name, first_name, middle_name, birth_date::text, gender, city, "
        "address, loyalty_ids, account_id, masked, refs, created_at is not null from canonical.customer order by 1, 2"
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
