"""What may be a key, and which word of a name is which."""

from datetime import date

import pyarrow as pa
import pytest

from mappings.identity.learning import learn
from mappings.identity.normalise import CUSTOMERS, normalise
from mappings.identity.population import Population

SECRET = bytes(range(32))
NOBODY_KNOWN = Population(date(2026, 3, 1), 1000)


def table(*rows):
    told = [{"connection": "till", "external_id": str(place), **row} for place, row in enumerate(rows)]
    return pa.Table.from_pylist([{name: row.get(name) for name in CUSTOMERS.names} for row in told], schema=CUSTOMERS)


def keys(kind, **told):
    _, identifiers = normalise(table(told), NOBODY_KNOWN, SECRET)
    return [row["value"] for row in identifiers.to_pylist() if row["kind"] == kind]


def read(population=NOBODY_KNOWN, **told):
    features, _ = normalise(table(told), population, SECRET)
    return features.to_pylist()[0]


@pytest.mark.parametrize(
    "number",
    ["+77777777777", "+77011234567", "+77077654321", "+77001112233", "+77172000001", "+77990000001", "+15550000001"],
    ids=["equal digits", "ascending", "descending", "listed", "landline", "no such code", "no such number"],
)
def test_a_number_that_is_nobodys_is_no_key(number):
    assert keys("phone", phones=[number]) == []


def test_a_mobile_of_the_country_and_one_from_abroad_are_keys():
    assert len(keys("phone", phones=["+77000000001", "+79160000001"])) == 2


def test_a_masked_contact_is_no_key():
    told = {"phones": ["+77000000001"], "emails": ["a@mail.example"], "masked": ["phone", "email"]}
    assert keys("phone", **told) == keys("email", **told) == []


def test_one_mailbox_is_one_key():
    spellings = ["a.bek+shop@gmail.com", "ABek@googlemail.com", " abek@gmail.com "]
    assert len({keys("email", emails=[spelling])[0] for spelling in spellings}) == 1
    assert keys("email", emails=["a.bek@mail.example"]) != keys("email", emails=["abek@mail.example"])


@pytest.mark.parametrize(
    "address", ["no@mail.example", "test@mail.example", "+tag@mail.example", "two words@mail.example"]
)
def test_an_address_of_nobody_is_no_key(address):
    assert keys("email", emails=[address]) == []


@pytest.mark.parametrize("filled", ["0", "0000000", "-", "НЕТ", "жоқ", " 0 ", "none"])
def test_what_fills_an_empty_cell_is_no_card_and_no_account_and_names_nobody(filled):
    """Or all who have no card would be one person, and the purchases of strangers his."""
    told = {"loyalty_ids": [filled], "refs": [f"crm\x1f{filled}"], "account_id": filled}
    assert keys("loyalty", **told) == keys("reference", **told) == keys("account", **told) == []


def test_a_short_card_is_a_card():
    assert len(keys("loyalty", loyalty_ids=["7", "L0"], refs=["crm\x1f10"])) == 2


def test_an_account_that_is_the_buyers_phone_is_no_account():
    assert keys("account", account_id="7000000001", phones=["+77000000001"]) == []
    assert len(keys("account", account_id="A17", phones=["+77000000001"])) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1980-05-06", date(1980, 5, 6)),
        ("06.05.1980", date(1980, 5, 6)),
        ("1980-01-01", None),
        ("1900-05-06", None),
        ("0080-05-06", None),
        ("2062-05-06", None),
        ("n/a", None),
    ],
)
def test_a_birth_date_that_forms_invent_is_missing(written, meant):
    assert read(birth_date=written)["birth"] == meant


def test_a_date_that_tills_type_for_everybody_is_learned_and_missing():
    crowd = [{"birth_date": "1990-05-05"}] * 200 + [{"birth_date": f"1990-05-{day:02}"} for day in range(1, 29)]
    population = learn(table(*crowd), date(2026, 3, 1))
    assert read(population, birth_date="1990-05-05")["birth"] is None
    assert read(population, birth_date="1990-05-06")["birth"] == date(1990, 5, 6)


@pytest.mark.parametrize("name", ["Иванова Айгуль Сериковна", "Айгуль Иванова", "ИВАНОВА АЙГУЛЬ", "aigul ivanova"])
def test_the_first_name_is_found_wherever_it_stands(name):
    assert (read(name=name)["first"], read(name=name)["last"]) == ("aigul", "ivanov")


def test_which_word_is_the_first_name_is_learned_from_systems_that_keep_them_apart():
    apart = [{"first_name": "Олжас", "last_name": "Ким"}] * 9
    population = learn(table(*apart), date(2026, 3, 1))
    for name in ("Ким Олжас", "Олжас Ким"):
        assert (read(population, name=name)["first"], read(population, name=name)["last"]) == ("oljas", "kim")
    swapped = read(population, first_name="Ким", last_name="Олжас")
    assert (swapped["first"], swapped["last"]) == ("oljas", "kim")


@pytest.mark.parametrize(("first", "key"), [("Зарина", "zarina"), ("Гүлнар", "gulnara")])
def test_a_first_name_that_reads_as_a_surname_stays_one_where_some_clerks_mix_up_the_columns(first, key):
    """Зарина loses its ending as a surname would, Гүлнар is short for Гүлнара: it is counted under two keys."""
    told = [{"first_name": first, "last_name": "Волкова"}] * 90
    population = learn(table(*told, *[{"first_name": "Волкова", "last_name": first}] * 10), date(2026, 3, 1))
    for name in told[0], {"first_name": "Волкова", "last_name": first}:
        assert read(population, **name)["first"] == key


def test_a_client_has_no_name():
    assert read(name="Клиент 17")["first"] is None
    assert read(first_name="Тест", last_name="Тестов")["last"] is None
