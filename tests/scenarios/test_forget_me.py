"""Aliya asks the shop to forget her. Nothing of her is left, her husband's record is, and the books still add up."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from dagster_project.home import home

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
    {"external_id": "a1", "identifier": PHONE, "channel": "sms", "state": "granted", "at": "2026-02-01 10:00"},
    {"external_id": "a2", "identifier": HUSBAND, "channel": "sms", "state": "granted", "at": "2026-02-01 10:00"},
]


class Counter:
    """A shop that knows its people from files."""

    def __init__(self, store: Engine):
        self.store, self.entries, self.drops = store, {}, 0

    def gets(self, name: str, layout: str, rows: list[dict[str, Any]]) -> Path:
        folder = home() / name
        folder.mkdir(exist_ok=True)
        self.drops += 1
        path = folder / f"{self.drops}.csv"
        lines = [",".join(map(str, row.values())) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *lines, ""]), "utf-8")
        settings = {"path": f"{name}/*.csv", "layout": layout, "timezone": "Asia/Almaty"}
        settings |= {"currency": "KZT"} if layout == "receipts" else {}
        if name != "crm":
            settings["customers_of"] = "crm"
        self.entries[name] = {"connector": "files", "settings": {**settings, "columns": {one: one for one in rows[0]}}}
        (home() / "connections.yaml").write_text(yaml.safe_dump(self.entries), "utf-8")
        return path

    def keruen(self, *words: str) -> Any:
        from dagster_project.cli import app

        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query), values)]

    def person(self, card: str) -> str:
        [(person,)] = self.rows(
            "select person_id from canonical.identity where external_id = :card and connection = 'crm'", card=card
        )
        return person

    def everything(self) -> str:
        """Every row of every table and every file of the home, as text."""
        tables = self.rows("select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
                           "where schemaname !~ '^(pg_|information_schema)'")  # fmt: skip
        told = [str(self.rows(f"select t::text from {name} t")) for (name,) in tables]
        files = [path for path in home().rglob("*") if path.is_file() and "postgres" not in path.parts]
        return "\n".join(told + [path.read_bytes().decode("utf-8", "ignore") for path in files])


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


def test_a_later_full_load_does_not_bring_her_back(counter):
    counter.keruen("person", "erase", counter.person("a1"), "--basis", "letter 1", "--yes")
    counter.gets("crm", "customers", [{**CARDS[0], "name": "Алия Т.", "email": ""}, CARDS[1]])
    counter.gets("crm", "customers", [{**CARDS[0], "external_id": "new-card"}])
    counter.keruen("sync", "--full")
    assert counter.rows("select external_id from canonical.customer where connection = 'crm'") == [("a2",)]
    assert counter.rows("select count(*) from ledger.quarantine where rule = 'erased'")[0][0] >= 1
    assert {row["state"] for row in counter.keruen("consent", "show", PHONE, "--json")} == {"refused"}


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
