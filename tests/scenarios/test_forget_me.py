"""Aliya asks the shop to forget her. Nothing of her is left, her husband's record is, and the books still add up."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from dagster_project.home import home
from dagster_project.store import archive
from dagster_project.store.people import access
from tests.scenarios.counter import Counter

NAME, PHONE, MAIL, CARD = "Алия Тестовая", "+77000000001", "aliya.t@shop.example", "LC-70001"
HUSBAND = "+77000000002"
CARDS = [
    {"external_id": "a1", "name": NAME, "phone": "8 (700) 000-00-01", "email": MAIL, "loyalty_id": CARD},
    {
        "external_id": "a2",
        "name": "Марат Тестовый",
        "phone": HUSBAND,
        "email": "marat.t@shop.example",
        "loyalty_id": "",
    },
]
RECEIPTS = [
    {"receipt": f"R{number}", "location": "Almaty-1", "sku": "MUG", "quantity": 1, "total": total,
     "placed_at": f"2026-03-0{number} 12:00", "customer": buyer, "loyalty_id": card}
    for number, (total, buyer, card) in enumerate([(4000, "a1", CARD), (2500, "a1", CARD), (900, "a2", "")], 1)
]  # fmt: skip
CONSENTS = [
    {"external_id": card, "identifier": phone, "channel": "sms", "state": "granted", "at": "2026-02-01 10:00",
     "source": "list"} for card, phone in (("a1", PHONE), ("a2", HUSBAND))
]  # fmt: skip


@pytest.fixture
def counter(store: Engine) -> Counter:
    counter = Counter(store)
    counter.gets("crm", "customers", CARDS)
    counter.gets("tills", "receipts", RECEIPTS)
    counter.gets("forms", "consents", CONSENTS)
    counter.keruen("sync")
    return counter


def test_forgetting_reaches_every_table_and_file_and_the_books_still_add_up(counter):
    before = counter.rows('select count(*), sum(total) from canonical."order"')
    aliya, marat = counter.person("a1"), counter.person("a2")
    assert (PHONE in counter.everything()) or ("700) 000-00-01" in counter.everything())
    report = counter.keruen("person", "erase", aliya, "--basis", "letter 1", "--yes", "--json")
    assert report["proof"] == {"tables": {}, "files": {}}
    assert report["state"] == "done"
    left = counter.everything()
    for known in (NAME, "000-00-01", PHONE, "7000000001", MAIL, CARD):
        assert known not in left, known
    assert counter.rows('select count(*), sum(total) from canonical."order"') == before
    [(buyers,)] = counter.rows(
        'select array_agg(distinct left(person_id, 7)) from canonical."order" where total > 1000'
    )
    assert buyers == ["erased-"]
    assert counter.person("a2") == marat


def test_what_she_did_is_forgotten_and_the_points_of_the_books_stay(counter):
    did = [{"external_id": card, "at": "2026-03-02 12:00", "channel": "site", "kind": "page_view"} for card in
           ("a1", "a2")]  # fmt: skip
    left = [{"cart": f"k-{card}", "external_id": card, "updated_at": "2026-03-02 12:00", "sku": "MUG", "quantity": 1,
             "state": "open"} for card in ("a1", "a2")]  # fmt: skip
    earned = [{"entry": f"p-{card}", "external_id": card, "at": "2026-03-02 12:00", "points": points}
              for card, points in (("a1", 40), ("a2", 9))]  # fmt: skip
    for name, layout, rows in (("clicks", "events", did), ("carts", "carts", left), ("bonus", "points", earned)):
        counter.gets(name, layout, rows)
    counter.keruen("sync")
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    for table in ("contact_event", "cart"):
        assert counter.rows(f"select customer from canonical.{table}") == [("a2",)], table
    assert counter.rows("select customer, points::int from canonical.loyalty_entry order by points") == [
        ("a2", 9), (None, 40),
    ]  # fmt: skip


def test_words_of_the_demand_that_name_her_do_not_outlive_it(counter):
    letter = f"letter of {NAME}, {PHONE}, 2 March"
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", letter, "--yes", "--json")
    assert (report["state"], report["proof"]) == ("done", {"tables": {}, "files": {}})
    assert counter.rows("select basis from privacy.erasure_request") == [("letter of , , 2 March",)]


def test_why_she_was_told_from_another_does_not_name_her_for_ever(counter):
    counter.keruen("person", "merge", "crm:a1", "crm:a2", "--why", f"{NAME} asked, {PHONE}")
    counter.keruen("person", "unmerge", "crm:a1", "--why", f"{MAIL} is hers alone")
    counter.keruen("person", "pin", "crm:a2", "city", "Астана", "--why", f"{NAME} says so")
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes", "--json")
    assert (report["state"], report["proof"]["tables"]) == ("done", {})
    [(cause,)] = counter.rows("select cause from identity.person_event where kind = 'merged'")
    assert cause.endswith(":  asked, "), "the rest of what was written stays"
    assert counter.rows("select why from identity.pin") == [(" says so",)]


def test_whom_she_lived_with_keeps_their_address(counter):
    home_of_both = "Abai 10 flat 5"
    path = counter.gets("crm", "customers", [{**card, "address": home_of_both} for card in CARDS])
    counter.keruen("sync")
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    assert path.read_text("utf-8").splitlines()[-1].endswith(home_of_both)


def test_a_later_full_load_does_not_bring_her_back(counter):
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    counter.gets("crm", "customers", [{**CARDS[0], "name": "Алия Т.", "email": ""}, CARDS[1]])
    counter.gets("crm", "customers", [{**CARDS[0], "external_id": "new-card"}])
    counter.keruen("sync", "--full")
    assert counter.rows("select external_id from canonical.customer where connection = 'crm'") == [("a2",)]
    assert counter.rows("select count(*) from ledger.quarantine where rule = 'erased'")[0][0] >= 1
    assert {row["state"] for row in counter.keruen("consent", "show", PHONE, "--json")} == {"refused"}


def all_that_happened(counter: Counter) -> None:
    """What both bought, earned, did, left in a cart and agreed to; each export has a line that is new."""
    counter.gets("tills", "receipts", [*RECEIPTS, {**RECEIPTS[1], "receipt": "R9", "total": 700}])
    earned = [{"entry": f"p-{card}-{number}", "external_id": card, "at": "2026-03-02 12:00", "points": 40 + number}
              for card in ("a1", "a2") for number in range(counter.drops)]  # fmt: skip
    day = f"2026-03-0{1 + counter.drops % 9} 12:00"
    did = [{"external_id": card, "identifier": known, "at": day, "channel": "site", "kind": "opened"}
           for card, known in (("a1", ""), ("a2", ""), ("", MAIL))]  # fmt: skip
    left = [{"cart": f"k-{card}-{counter.drops}", "external_id": card, "updated_at": "2026-03-02 12:00", "sku": "MUG",
             "quantity": 1, "state": "open"} for card in ("a1", "a2")]  # fmt: skip
    agreed = [{**one, "at": f"2026-02-02 10:0{counter.drops % 10}"} for one in CONSENTS]
    for name, layout, rows in (("bonus", "points", earned), ("clicks", "events", did), ("carts", "carts", left),
                               ("forms", "consents", agreed)):  # fmt: skip
        counter.gets(name, layout, rows)


def nothing_is_hers(counter: Counter) -> None:
    assert counter.rows("select distinct external_id from canonical.identity") == [("a2",)]
    for table in ("order", "loyalty_entry", "contact_event", "cart", "consent_event"):
        buyers = counter.rows(f'select distinct customer from canonical."{table}" where customer is not null')
        assert buyers == [("a2",)], table
    for table, column in (("order", "loyalty_id"), ("loyalty_entry", "loyalty_id"), ("contact_event", "identifier")):
        assert counter.rows(f'select {column} from canonical."{table}" where {column} is not null') == [], table


def test_not_her_receipts_points_clicks_carts_or_consents_bring_her_back(counter):
    all_that_happened(counter)
    counter.keruen("sync")
    before = counter.rows("select count(*), sum(points) from canonical.loyalty_entry")
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    counter.keruen("sync", "--full")
    nothing_is_hers(counter)
    assert counter.rows("select count(*), sum(points) from canonical.loyalty_entry") == before
    all_that_happened(counter)
    counter.keruen("sync")
    nothing_is_hers(counter)
    assert counter.rows('select sum(total) from canonical."order"') == [(8100,)], "the books keep what she paid"
    entities = {row[0] for row in counter.rows("select entity from ledger.quarantine where rule = 'erased'")}
    assert entities == {"customer", "contact_event", "cart", "consent_event"}


@pytest.mark.parametrize(
    ("card", "comes"),
    [
        ({"name": NAME, "loyalty_id": CARD.lower()}, False),
        ({"email": MAIL.replace("@", "+news@")}, False),
        ({"name": "Данияр Тестовый", "phone": HUSBAND}, True),
    ],
)
def test_by_her_card_or_mailbox_she_is_known_again_on_a_card_nobody_saw_before(counter, card, comes):
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    counter.gets("crm", "customers", [{**dict.fromkeys(CARDS[0], ""), "external_id": "n9", **card}])
    counter.keruen("sync")
    cards = {row[0] for row in counter.rows("select external_id from canonical.customer where connection = 'crm'")}
    assert cards == ({"a2", "n9"} if comes else {"a2"})


def test_a_card_that_the_family_shares_keeps_nobody_of_it_out(counter):
    shared = [{**card, "loyalty_id": CARD} for card in CARDS]
    counter.gets("crm", "customers", shared)
    counter.keruen("sync")
    counter.keruen("person", "split", counter.person("a1"), "crm:a2", "tills:a2", "forms:a2")
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    counter.gets("crm", "customers", [{**shared[1], "name": "Марат М. Тестовый"}])
    counter.gets(
        "tills", "receipts", [{**RECEIPTS[2], "receipt": "R7", "placed_at": "2026-03-05 12:00", "loyalty_id": CARD}]
    )
    counter.keruen("sync")
    assert counter.rows('select customer from canonical."order" where loyalty_id is not null') == [("a2",)]


def test_what_her_card_said_before_is_forgotten_as_well_and_known_again(counter):
    old = {"email": "aliya.old@shop.example", "name": "Алия Прежняя", "loyalty_id": "LC-60001"}
    counter.gets("forms", "consents", [{**CONSENTS[0], "identifier": old["email"], "channel": "email"}])
    counter.gets("crm", "customers", [{**CARDS[0], **old}])
    counter.keruen("sync")
    counter.gets("crm", "customers", [{**CARDS[0], "name": "Алия Т. Тестовая"}])
    counter.keruen("sync")
    assert old["email"] in counter.everything()
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes", "--json")
    assert (report["state"], report["proof"]) == ("done", {"tables": {}, "files": {}})
    left = counter.everything()
    assert [known for known in old.values() if known in left] == []
    assert counter.rows("select count(*) from canonical.consent_event where identifier is not null") == [(1,)]
    for name in ("email", "loyalty_id"):
        counter.gets("crm", "customers", [{**dict.fromkeys(CARDS[0], ""), "external_id": "n9", name: old[name]}])
    counter.keruen("sync")
    assert counter.rows("select external_id from canonical.customer where connection = 'crm'") == [("a2",)]


def test_her_names_in_columns_of_their_own_and_her_birth_date_are_forgotten(counter):
    columns = ("external_id", "last_name", "phone", "first_name", "birth_date")
    apart = dict(zip(columns, ("a1", "Тестовая", PHONE, "Алия", "1988-03-05"), strict=True))
    his = dict(zip(columns, ("a2", "Тестовый", HUSBAND, "Алия", "1988-03-05"), strict=True))
    path = counter.gets("crm", "customers", [apart, his])
    counter.keruen("sync")
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes", "--json")
    assert (report["state"], report["proof"]) == ("done", {"tables": {}, "files": {}})
    assert path.read_text("utf-8").splitlines()[1:] == ["a1,,,,", ",".join(his.values())]
    archived = [archive.line_of(one.name, 2) for one in (home() / "archive").iterdir()]
    assert "a1,,,," in archived
    assert not any("Тестовая" in (line or "") for line in archived)


def test_her_line_of_an_export_whose_columns_have_other_names_now_is_forgotten(counter):
    hers = {"external_id": "7", "name": "Алия Прежняя", "phone": "+77000000003", "city": "9"}
    his = {"external_id": "9", "name": "Данияр Тестовый", "phone": "+77000000004", "city": "7"}
    path = counter.gets("crm", "customers", [hers, his])
    counter.keruen("sync")
    counter.gets("crm", "customers", [{**hers, "name": "Алия Новая", "phone": PHONE}])
    counter.keruen("sync")
    counter.entries["crm"]["settings"]["columns"]["external_id"] = "Код"
    counter.connects()
    report = counter.keruen("person", "erase", counter.person("7"), "--basis", "letter 1", "--yes", "--json")
    assert (report["state"], report["proof"]) == ("done", {"tables": {}, "files": {}})
    assert path.read_text("utf-8").splitlines()[1:] == ["7,,,", ",".join(his.values())]
    archived = [archive.line_of(one.name, 2) for one in (home() / "archive").iterdir()]
    assert archived.count("7,,,") == 2
    assert not any(hers["name"] in (line or "") for line in archived)


def test_a_list_in_which_nobody_can_say_any_more_whose_line_is_whose_is_a_duty(counter):
    path = counter.gets("crm", "customers", [{**CARDS[0], "external_id": "7", "name": "Алия Прежняя"}] * 5)
    counter.keruen("sync")
    counter.entries["crm"]["settings"]["columns"]["external_id"] = "Код"
    counter.connects()
    done = counter.tries("person", "erase", counter.person("7"), "--basis", "letter 1", "--yes", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["state"]) == (1, "owed")
    assert f"crm/{path.name}" in report["proof"]["files"]


def test_what_somebody_pinned_on_her_by_hand_is_forgotten(counter):
    pinned = "aliya.pinned@shop.example"
    counter.gets("forms", "consents", [{**CONSENTS[0], "external_id": "", "identifier": pinned, "channel": "email"}])
    counter.keruen("person", "pin", counter.person("a1"), "email", pinned)
    counter.keruen("sync")
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes", "--json")
    assert (report["state"], report["proof"]) == ("done", {"tables": {}, "files": {}})
    assert pinned not in counter.everything()


def test_what_she_herself_agrees_to_later_counts(counter):
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    soon = f"{datetime.now(ZoneInfo('Asia/Almaty')) + timedelta(hours=1):%Y-%m-%d %H:%M}"
    counter.gets("forms", "consents", [{**CONSENTS[0], "external_id": "", "at": soon, "source": "form"}])
    counter.keruen("sync")
    assert counter.rows("select count(*) from canonical.consent_event where identifier is not null") == [(2,)]


def test_her_husband_is_still_reached_and_she_is_not(counter):
    assert {row["state"] for row in counter.keruen("consent", "show", PHONE, "--json")} == {"granted"}
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    assert {row["state"] for row in counter.keruen("consent", "show", HUSBAND, "--json")} == {"granted"}
    assert {row["state"] for row in counter.keruen("consent", "show", PHONE, "--json")} == {"refused"}


def test_the_demand_has_its_term_and_its_report(counter):
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    [(state, days, basis)] = counter.rows(
        "select state, extract(day from due_at - received_at)::int, basis from privacy.erasure_request"
    )
    assert (state, days, basis) == ("done", 15, "letter 1")


def test_a_dump_from_before_cannot_be_opened_afterwards(counter):
    """Keys are backed up apart, and not for long."""
    dump = {
        table: [{"name": name} for (name,) in counter.rows(f"select name from {table} where name is not null")]
        for table in ("canonical.customer", "identity.golden")
    }

    def opens(table: str) -> set[str | None]:
        with counter.store.connect() as db:
            return {row["name"] for row in access.opened(db, dump[table])[0]}

    assert [opens(table) for table in dump] == [{NAME, "Марат Тестовый"}] * 2
    report = counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes", "--json")
    assert report["erased"]["privacy.data_key"] == 2  # of her card and of her golden record
    assert [opens(table) for table in dump] == [{None, "Марат Тестовый"}] * 2
