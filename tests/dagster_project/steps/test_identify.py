"""Who is who in the store: increments cost what they touch and add up to a full run; ids last."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from dagster_project.connections import Hub, parse
from dagster_project.steps.people import identify
from dagster_project.steps.people.identify import identify_due
from dagster_project.store.dirty import mark
from dagster_project.store.people import statements
from dagster_project.store.people.sealing import opened_row
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import upsert

PHONE, OTHER = "+77000000001", "+77000000002"
SYSTEMS = """
hub: {authority: {name: [crm], customer: [crm, shop, till]}}
crm: {connector: files, settings: {path: x}, single_card: true}
shop: {connector: files, settings: {path: x}}
till: {connector: files, settings: {path: x}}
"""


class People:
    """A store of buyers; `settles` after what came."""

    def __init__(self, store, now: datetime) -> None:
        self.store, self.now, self.began = store, now, now
        self.hub: Hub = parse(SYSTEMS, {})

    def come(self, *rows: dict) -> None:
        source = {"observed_at": self.began.isoformat()}
        told = [
            {"connection": "crm", "updated_at": self.began, "source": source, "deleted_at": None, **row} for row in rows
        ]
        with self.store.begin() as db:
            for row in told:
                upsert(db, TABLES["canonical.customer"], [row], ["connection", "external_id"])
            self._mark(db, [f"{row['connection']}:{row['external_id']}" for row in told])

    def leave(self, connection: str, external_id: str) -> None:
        with self.store.begin() as db:
            gone = "update canonical.customer set deleted_at = now() where connection = :c and external_id = :e"
            db.execute(text(gone), {"c": connection, "e": external_id})
            self._mark(db, [f"{connection}:{external_id}"])

    def buy(self, *orders: dict) -> None:
        fixed = {"connection": "shop", "kind": "sale", "channel": "site", "status": "placed", "total": 1,
                 "currency": "KZT", "placed_at": self.now, "source": {}}  # fmt: skip
        with self.store.begin() as db:
            for order in orders:
                row = {**fixed, "number": order["external_id"], **order}
                upsert(db, TABLES["canonical.order"], [row], ["connection", "external_id"])
                buyer = row.get("customer") or f"order:{row['external_id']}"
                self._mark(db, [f"{row['connection']}:{buyer}"])

    def settles(self) -> int:
        self.now += timedelta(minutes=1)
        return identify_due(self.store, self.hub, now=self.now)

    def _mark(self, db, subjects: list[str]) -> None:
        mark(db, "customer", subjects, "a file came")

    def _mark_now(self, *subjects: str) -> None:
        with self.store.begin() as db:
            self._mark(db, list(subjects))

    def all(self, query: str, **values) -> list:
        with self.store.connect() as db:
            return list(db.execute(text(query), values))

    def whose(self, table: str = "order") -> dict[str, str]:
        return dict(tuple(row) for row in self.all(f'select external_id, person_id from canonical."{table}"'))

    def person(self, connection: str, external_id: str) -> str | None:
        found = self.all(
            "select person_id from canonical.identity where connection = :c and external_id = :e",
            c=connection,
            e=external_id,
        )
        return found[0].person_id if found else None

    def golden(self, person: str):
        [row] = self.all("select * from canonical.person where person_id = :p", p=person)
        with self.store.connect() as db:
            return SimpleNamespace(**opened_row(db, "identity.golden", row._mapping))


@pytest.fixture
def people(store, now) -> People:
    return People(store, now)


AIGUL = {
    "external_id": "1",
    "first_name": "Айгүл",
    "last_name": "Серікова",
    "phones": [PHONE],
    "emails": ["a@mail.example"],
}
DANIYAR = {"external_id": "2", "first_name": "Данияр", "last_name": "Сериков", "phones": [PHONE]}


def test_records_of_one_buyer_become_one_person(people):
    people.come(AIGUL, {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]})
    assert people.settles() == 1
    assert people.person("crm", "1") == people.person("shop", "9")
    golden = people.golden(people.person("crm", "1"))
    assert (golden.name, golden.names) == ("Серікова Айгүл", ["Серікова Айгүл", "Aigul Serikova"])
    assert (golden.phone, golden.email, golden.records) == (PHONE, "a@mail.example", 2)
    assert golden.provenance["name"]["connection"] == "crm"


def test_a_birthday_typed_where_none_was_known_does_not_win_over_one_that_says_something(people):
    people.come({**AIGUL, "birth_date": "1950-01-01"})
    people.come({"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE],
                 "birth_date": "1985-03-08"})  # fmt: skip
    people.come({**DANIYAR, "birth_date": "1900-05-05"})
    people.settles()
    assert people.golden(people.person("crm", "1")).birth_date == date(1985, 3, 8)
    assert people.golden(people.person("crm", "2")).birth_date is None


def test_nor_does_one_before_1900_or_one_that_has_not_come(people):
    people.come({**AIGUL, "birth_date": "2062-03-08"}, {**DANIYAR, "birth_date": "0085-03-08"})
    people.come({"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE],
                 "birth_date": "1985-03-08"})  # fmt: skip
    people.settles()
    assert people.golden(people.person("crm", "1")).birth_date == date(1985, 3, 8)
    assert people.golden(people.person("crm", "2")).birth_date is None


def test_nor_does_one_that_a_till_gives_to_many(people):
    crowd = [{"connection": "till", "external_id": f"{one}", "name": f"Гость {one}", "phones": [],
              "birth_date": "1977-07-07"} for one in range(20)]  # fmt: skip
    people.come({**AIGUL, "birth_date": "1977-07-07"}, *crowd)
    people.settles()
    assert people.golden(people.person("crm", "1")).birth_date is None
    people.come({**AIGUL, "birth_date": "1977-07-07", "city": "Алматы"})
    people.settles()
    golden = people.golden(people.person("crm", "1"))
    assert (golden.city, golden.birth_date) == ("Алматы", None)


def test_a_word_in_place_of_a_name_does_not_win_over_a_name(people):
    """Nor is it shown where nothing else is known; who is called by a name and such a word keeps it while alone."""
    twin = {"phones": [PHONE], "emails": ["a@mail.example"]}
    people.come({**twin, "external_id": "1", "name": "Постоянный клиент", "first_name": "Клиент", "middle_name": "-"},
                {**twin, "connection": "shop", "external_id": "9", "name": "Айгүл", "first_name": "Айгүл"},
                {**DANIYAR, "external_id": "2", "first_name": "Клиент", "last_name": None, "phones": [OTHER]},
                {**DANIYAR, "external_id": "3", "name": "Магазин Данияр О.", "phones": ["+77000000003"]})  # fmt: skip
    people.settles()
    golden = people.golden(people.person("shop", "9"))
    assert people.person("crm", "1") == people.person("shop", "9")
    assert (golden.name, golden.first_name, golden.middle_name) == ("Айгүл", "Айгүл", None)
    nobody = people.golden(people.person("crm", "2"))
    assert (nobody.name, nobody.names, nobody.first_name) == (None, [], None)
    assert people.golden(people.person("crm", "3")).name == "Магазин Данияр О."


def test_orders_follow_the_person_of_their_buyer(people):
    people.come(AIGUL, {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]})
    people.buy({"external_id": "o1", "customer": "9"}, {"external_id": "o2", "customer": "9"})
    people.settles()
    assert set(people.whose().values()) == {people.person("crm", "1")}


def test_a_buyer_known_by_an_order_alone_is_the_person_whose_phone_it_gives(people):
    people.come(AIGUL)
    people.settles()
    people.buy({"external_id": "o1", "contact_name": "Айгуль", "contact_phone": PHONE})
    people.settles()
    assert people.whose() == {"o1": people.person("crm", "1")}


def test_a_loyal_guest_does_not_make_his_phone_a_placeholder(people):
    """Each order is not a record of its own: thirty of them would push the number over its cap."""
    people.come(AIGUL)
    people.buy(*({"external_id": f"o{n}", "contact_name": "Айгуль", "contact_phone": PHONE} for n in range(30)))
    people.settles()
    assert set(people.whose().values()) == {people.person("crm", "1")}
    assert [row.status for row in people.all("select status from identity.identifier_stat where kind = 'phone'")] == [
        "ok"
    ]


def test_a_customer_nobody_described_is_a_person_of_his_orders(people):
    people.buy({"external_id": "o1", "customer": "card 7"}, {"external_id": "o2", "customer": "card 7"})
    people.settles()
    assert set(people.whose().values()) == {people.person("shop", "card 7")}


def test_an_order_that_learns_its_customer_leaves_the_guest(people):
    people.buy({"external_id": "o1", "contact_phone": PHONE})
    people.settles()
    guest = people.whose()["o1"]
    people.buy({"external_id": "o1", "contact_phone": PHONE, "customer": "9"})
    people._mark_now("shop:order:o1")
    people.settles()
    assert people.whose() == {"o1": people.person("shop", "9")}
    [row] = people.all("select status from identity.person where person_id = :p", p=guest)
    assert row.status in ("retired", "merged")


@pytest.mark.parametrize(
    ("kind", "contact", "channel"), [("phone", PHONE, "sms"), ("email", "aigul@example.com", "email")]
)
def test_a_guest_who_refuses_by_the_contact_of_an_order_is_looked_at_again(people, kind, contact, channel):
    people.buy({"external_id": "o1", f"contact_{kind}": contact}, {"external_id": "o2", "contact_phone": OTHER})
    people.settles()
    said = {"external_id": "c1", "customer": None, "identifier_kind": kind, "identifier": contact, "channel": channel,
            "purpose": "marketing", "state": "refused", "by": "person", "at": people.now, "expires_at": None,
            "text_version": None, "evidence": "{}", "source": "{}"}  # fmt: skip
    with people.store.begin() as db:
        db.execute(text("delete from hub.dirty"))
        statements.append(db, "letters", [said], because="a refusal")
    looked_at = people.all("select subject from hub.dirty where entity = 'consent'")
    assert [row.subject for row in looked_at] == [people.whose()["o1"]]


def test_a_record_that_goes_takes_nothing_with_it(people):
    people.come(AIGUL, {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]}, DANIYAR)
    people.settles()
    person = people.person("crm", "1")
    people.leave("shop", "9")
    people.settles()
    assert (people.person("shop", "9"), people.person("crm", "1")) == (None, person)
    assert people.golden(person).records == 1


def test_a_family_on_one_phone_is_a_household_and_the_phone_is_shared(people):
    people.come(AIGUL, DANIYAR)
    people.settles()
    mother, son = people.person("crm", "1"), people.person("crm", "2")
    assert mother != son
    assert len({row.household_id for row in people.all("select * from canonical.household")}) == 1
    [stat] = people.all("select status from identity.identifier_stat where kind = 'phone'")
    assert stat.status == "shared"
    people.leave("crm", "2")
    people.settles()
    assert people.all("select * from canonical.household") == []


def test_the_same_records_again_change_nothing(people):
    people.come(AIGUL, DANIYAR)
    people.settles()
    before = people.all("select * from identity.golden order by 1"), people.all("select * from identity.person_event")
    people.come(AIGUL, DANIYAR)
    people.settles()
    assert before == (
        people.all("select * from identity.golden order by 1"),
        people.all("select * from identity.person_event"),
    )


@pytest.fixture
def increments_only(monkeypatch):
    """In a base of two, one is more than the share from which everybody is looked at."""
    monkeypatch.setattr(identify, "SHARE", float("inf"))


def test_who_moves_to_another_town_keeps_every_row_that_says_the_same(people, increments_only):
    people.come(AIGUL, {"connection": "shop", "external_id": "9", "name": "Aigul Serikova", "phones": [PHONE]})
    people.settles()
    tables = ("identifier", "identifier_stat", "membership", "person")
    written = [people.all(f"select ctid::text, xmin::text from identity.{name} order by 1") for name in tables]
    people.come({**AIGUL, "city": "Қостанай"})
    people.settles()
    assert [people.all(f"select ctid::text, xmin::text from identity.{name} order by 1") for name in tables] == written
    golden = people.golden(people.person("crm", "1"))
    assert (golden.city, golden.version, golden.updated_at) == ("Қостанай", 2, people.now)


def test_a_town_keeps_its_spelling_and_is_one_town_in_all_of_them(people):
    spelled = ["Алматы", "г. Алматы", "Almaty", "АЛМА-АТА", "Астана"]
    people.come(*({**AIGUL, "external_id": str(place), "city": city} for place, city in enumerate(spelled)))
    people.settles()
    found = [people.golden(people.person("crm", str(place))) for place in range(len(spelled))]
    assert [one.city for one in found] == spelled
    assert len({one.town for one in found[:4]}) == 1
    assert found[4].town not in {None, found[0].town}


def test_a_golden_record_that_says_the_same_keeps_its_version(people, increments_only):
    people.come(AIGUL)
    people.settles()
    made = people.golden(people.person("crm", "1")).updated_at
    people.come({**AIGUL, "refs": ["till\x1f77"]})
    people.settles()
    golden = people.golden(people.person("crm", "1"))
    assert (golden.version, golden.updated_at) == (1, made)
