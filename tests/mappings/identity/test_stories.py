"""People as shops meet them: families on one phone, numbers that change hands, mistakes taken back."""

from dataclasses import replace

import pyarrow.compute as pc
import pytest

from mappings.identity.blocking import statistics
from mappings.identity.rules import RuleVersion
from tests.mappings.identity import conftest

RULES = RuleVersion()

PHONE, OTHER = "+77000000001", "+77000000002"


def says(connection, external_id, **told):
    return {"connection": connection, "external_id": external_id, **told}


MOTHER = (
    says("crm", "1", first_name="Айгүл", last_name="Серікова", phones=[PHONE], emails=["aigul@mail.example"]),
    says("shop", "1", name="Aigul Serikova", phones=[PHONE], emails=["aigul@mail.example"], account_id="a1"),
    says("market", "1", name="Айгуль С.", phones=[PHONE]),
)
SON = (
    says("crm", "2", first_name="Данияр", last_name="Сериков", phones=[PHONE], emails=["dan@mail.example"]),
    says("shop", "2", name="Сериков Данияр", phones=[PHONE], emails=["dan@mail.example"]),
)
GRANDMOTHER = (
    says("till", "3", name="Күләш Серикова", phones=[PHONE], loyalty_ids=["7700000003"]),
    says("crm", "3", first_name="Куляш", last_name="Серикова", loyalty_ids=["7700000003"]),
)


def families(base):
    return {len(person) for person in base.partition()}, len(base.partition())


def test_a_family_on_one_phone_is_three_persons_in_whatever_order_they_come(new_base):
    everyone = [*MOTHER, *SON, *GRANDMOTHER]
    for order in (everyone, everyone[::-1], everyone[::2] + everyone[1::2]):
        base = new_base()
        for record in order:
            base.receives(record)
        assert len(base.partition()) == 3
        assert base.person("crm", "1") == base.person("shop", "1") == base.person("market", "1")
        assert base.person("crm", "2") == base.person("shop", "2")
        assert base.person("crm", "3") == base.person("till", "3")
        assert base.status("phone") == ["shared"]


def test_a_receipt_without_a_name_belongs_to_nobody_once_the_phone_is_shared(base):
    base.receives(*MOTHER, says("till", "9", phones=[PHONE]))
    assert base.person("till", "9") == base.person("crm", "1")
    base.receives(*SON)
    assert base.person("till", "9") not in {base.person("crm", "1"), base.person("crm", "2")}


def test_a_number_that_changed_hands_joins_nobodys_past(base):
    base.receives(
        says("crm", "1", first_name="Марат", last_name="Оспанов", phones=[PHONE], birth_date="1980-05-06"),
        says("shop", "1", name="Marat Ospanov", phones=[PHONE], account_id="m1"),
    )
    old_owner = base.person("crm", "1")
    base.receives(says("shop", "2", name="Ирина Ким", phones=[PHONE], birth_date="1991-07-08", account_id="i2"))
    assert base.person("shop", "2") != old_owner
    assert base.person("crm", "1") == base.person("shop", "1") == old_owner


def without(guard):
    """The rules with one guard switched off."""
    off = {
        "the weight of the name": {"first": replace(RULES.first, different=0.0)},
        "the weight of the birth date": {"birth": replace(RULES.birth, different=0.0)},
        "the veto": {"conflict": 0.0},
    }
    return replace(RULES, **off[guard])


CARD = {"loyalty_ids": ["7700000001"]}
COUPLE = (
    says("crm", "1", first_name="Марат", last_name="Ким", **CARD),
    says("shop", "2", first_name="Асель", last_name="Ким", **CARD),
)
NAMESAKES = (
    says("crm", "1", name="Марат Ким", phones=[PHONE], birth_date="1950-05-06"),
    says("shop", "2", name="Марат Ким", phones=[PHONE], birth_date="1991-07-08"),
)
BRIDGED = (
    says("crm", "1", name="Марат Оспанов", phones=[PHONE]),
    says("shop", "2", name="Ирина Ким", **CARD),
    says("till", "9", phones=[PHONE], **CARD),
)


@pytest.mark.parametrize(("guard", "people"), [
    ("the weight of the name", COUPLE),
    ("the weight of the birth date", NAMESAKES),
    ("the veto", NAMESAKES),
    ("the veto", BRIDGED),
], ids=["name, weight", "birth date, weight", "birth date, veto", "name, veto"])  # fmt: skip
def test_each_guard_parts_two_people_whom_no_other_would_part(new_base, guard, people):
    guarded, unguarded = new_base(RULES), new_base(without(guard))
    for base in (guarded, unguarded):
        base.receives(*people)
    assert guarded.person("crm", "1") != guarded.person("shop", "2")
    assert unguarded.person("crm", "1") == unguarded.person("shop", "2")


def test_that_a_number_is_shared_alone_keeps_a_receipt_without_a_name_from_both_owners(new_base, monkeypatch):
    owners = (("crm", "1"), ("shop", "2"))
    came = [
        {**says(*key, name=name), "phones": [PHONE]}
        for key, name in zip(owners, ("Марат Ким", "Ирина Ким"), strict=True)
    ]

    def of_an_owner():
        base = new_base()
        base.receives(*came, says("till", "9", phones=[PHONE]))
        return base.person("till", "9") in {base.person(*key) for key in owners}

    assert not of_an_owner()
    monkeypatch.setattr(conftest, "statistics", lambda *told: never_shared(statistics(*told)))
    assert of_an_owner()


def never_shared(stats):
    status = pc.replace_substring(stats["status"], "shared", "ok")
    return stats.set_column(stats.schema.get_field_index("status"), "status", status)


def test_a_receipt_without_a_name_makes_no_one_person_of_two(new_base):
    marat = says("crm", "1", first_name="Марат", last_name="Оспанов", phones=[PHONE])
    irina = says("crm", "2", first_name="Ирина", last_name="Ким", loyalty_ids=["7700000002"])
    receipt = says("till", "9", phones=[PHONE], loyalty_ids=["7700000002"])
    for order in ((marat, irina, receipt), (receipt, marat, irina)):
        base = new_base()
        for record in order:
            base.receives(record)
        assert base.person("till", "9") == base.person("crm", "2") != base.person("crm", "1")
        assert base.aside["reason"].to_pylist() == ["first name differs"]


def test_a_phone_alone_does_not_join_holders_of_different_cards(base):
    base.receives(
        says("crm", "1", first_name="Марат", last_name="Оспанов", phones=[PHONE], loyalty_ids=["7700000001"]),
        says("till", "1", phones=[PHONE], loyalty_ids=["7700000002"]),
        says("till", "2", phones=[PHONE]),
    )
    assert base.person("till", "1") != base.person("crm", "1")
    base.receives(says("till", "1", name="Марат Оспанов", phones=[PHONE], loyalty_ids=["7700000002"]))
    assert base.person("till", "1") == base.person("crm", "1") == base.person("till", "2")


def test_a_name_misspelt_is_no_other_name_to_a_receipt_without_one(base):
    base.receives(
        says("crm", "1", first_name="Ирина", last_name="Ким", phones=[PHONE]),
        says("shop", "1", first_name="Ирнна", last_name="Ким", phones=[OTHER], emails=["irina@mail.example"]),
        says("till", "9", phones=[PHONE], emails=["irina@mail.example"]),
    )
    assert base.person("till", "9") == base.person("crm", "1") == base.person("shop", "1")


def test_a_wrong_merge_is_undone_and_both_get_their_ids_back(base):
    father, daughter = ("crm", "1"), ("crm", "2")
    base.receives(
        says(*father, first_name="Асхат", last_name="Нұрланов", phones=[PHONE]), says("shop", "1", phones=[PHONE])
    )
    base.receives(says(*daughter, first_name="Аружан", last_name="Нұрланова", phones=[OTHER]))
    before = base.people()
    base.decides(father, daughter, "must_link")
    assert base.person(*father) == base.person(*daughter)
    assert [event["kind"] for event in base.last_events] == ["merged"]
    base.withdraws()
    assert base.people() == before
    assert [event["kind"] for event in base.last_events] == ["split"]


def test_what_a_person_parted_stays_apart_though_everything_speaks_for_a_link(base):
    base.receives(*MOTHER[:2])
    kept = base.person("crm", "1")
    base.decides(("crm", "1"), ("shop", "1"), "must_not_link")
    assert base.person("crm", "1") != base.person("shop", "1")
    assert kept in base.people().values()
    assert base.aside["reason"].to_pylist() == ["must_not_link"]
    base.receives(says("letters", "5", name="Айгүл Серікова", emails=["aigul@mail.example"]))
    assert base.person("crm", "1") != base.person("shop", "1")


def test_a_number_that_tills_make_up_stops_being_a_key_once_it_is_seen_through(base):
    names = ["Олжас Абаев", "Мирас Беков", "Ольга Ким", "Жанар Тулеева", "Виктор Цой", "Самал Женова"]
    base.receives(says("till", "0", name=names[0], phones=[PHONE]), says("till", "00", phones=[PHONE]))
    assert base.person("till", "0") == base.person("till", "00")
    base.receives(
        *(says("till", str(place), name=name, phones=[PHONE]) for place, name in enumerate(names[1:], start=1))
    )
    assert base.status("phone") == ["common"]
    assert len(base.partition()) == 7


def test_the_numbers_of_marketplace_proxies_join_nobody(base):
    base.receives(
        says("market", "1", name="Алия Ахметова", phones=[PHONE], masked=["phone"], account_id="x1"),
        says("market", "2", name="Алия Ахметова", phones=[PHONE], masked=["phone"], account_id="x2"),
        says("market", "3", name="Алия А.", phones=[OTHER], masked=["phone"], account_id="x1"),
    )
    assert base.person("market", "1") == base.person("market", "3") != base.person("market", "2")


def test_a_reference_to_another_system_joins_even_where_nothing_else_is_known(base):
    base.receives(says("shop", "7", refs=["crm\x1f1"]))
    base.receives(MOTHER[0])
    assert base.person("shop", "7") == base.person("crm", "1")


def test_two_cards_of_one_crm_are_two_people(new_base):
    base = new_base(RuleVersion(single=frozenset({"crm"})))
    twin = {"last_name": "Оспанова", "first_name": "Алия", "phones": [PHONE]}
    base.receives(
        says("crm", "1", **twin), says("crm", "2", **twin), says("shop", "1", name="Алия Оспанова", phones=[PHONE])
    )
    assert base.person("crm", "1") != base.person("crm", "2")
    assert set(base.aside["reason"].to_pylist()) == {"two cards in crm"}


def test_the_id_of_a_person_who_is_gone_is_never_used_again(base):
    base.receives(MOTHER[0])
    gone = base.person("crm", "1")
    base.loses(("crm", "1"))
    assert [(event["kind"], event["person_id"]) for event in base.last_events] == [("retired", gone)]
    base.receives(SON[0])
    assert base.person("crm", "2") != gone


def test_an_unchanged_person_keeps_the_id_when_the_same_records_come_again(base):
    base.receives(*MOTHER, *SON, *GRANDMOTHER)
    before = base.people()
    base.receives(*GRANDMOTHER, *MOTHER, *SON)
    assert base.people() == before
    assert base.last_events == []
