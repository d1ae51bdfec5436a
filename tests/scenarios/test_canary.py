"""Known people are planted at every door; then whatever was written or said is searched for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from dagster import AssetsDefinition, DagsterInstance, materialize
from sqlalchemy import Engine, text

from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served
from connectors.unisender import sandbox as unisender
from dagster_project.connections import load
from dagster_project.definitions import build
from dagster_project.home import home
from dagster_project.store import database
from dagster_project.up import dagster_settings
from mappings.identity import names
from mappings.privacy.forget import Traces
from tests.scenarios.counter import Counter

NAME, PHONE, MAIL = "Канарейка Певчая", "+77000000077", "canary@shop.example"
STREET, LOYALTY = "улица Соловьиная 7", "LC-70077"
READ_AS = frozenset(
    key for word in NAME.split() for key in (names.token(word.lower()).first, names.token(word.lower()).last)
)
TEXTS = frozenset({NAME, STREET, LOYALTY, *NAME.split()}) | READ_AS
CANARY = Traces(frozenset({PHONE}), frozenset({MAIL}), TEXTS)
CARD = {"external_id": "c1", "name": NAME, "phone": "8 700 000 00 77", "email": MAIL, "birth_date": "1990-05-01",
        "address": STREET, "loyalty_id": LOYALTY}  # fmt: skip
BROKEN = {**CARD, "external_id": "", "phone": PHONE, "birth_date": f"born {PHONE}"}
SALE = {"receipt": "R1", "location": "Almaty-1", "sku": "MUG", "quantity": 1, "total": 4000,
        "placed_at": "2026-03-01 12:00", "customer": "c1"}  # fmt: skip
CONSENT = {"external_id": "c1", "identifier": MAIL, "channel": "email", "state": "granted", "at": "2026-02-01 10:00"}

SOURCES = ("crm", "tills", "forms")
"""Folders of what came in, as it came in."""


@pytest.fixture
def counter(store: Engine) -> Counter:
    counter = Counter(store)
    counter.gets("crm", "customers", [CARD, BROKEN])
    counter.gets("tills", "receipts", [SALE, {**SALE, "receipt": "R2", "total": f"call {PHONE}"}])
    counter.gets("forms", "consents", [CONSENT, {**CONSENT, "state": f"perhaps {PHONE}"}])
    return counter


def test_nothing_that_is_said_names_anybody(counter):
    for words in (["sync"], ["sync", "--full", "--json"], ["plan"], ["status"], ["quarantine", "list"],
                  ["consent", "show", MAIL], ["explain", "R1"], ["person", "erase", NAME, "--basis", "x", "--yes"],
                  ["sql", f"select broken from {'nowhere'}"]):  # fmt: skip
        done = counter.tries(*words)
        said = done.output + str(done.exception or "")
        if words[:2] != ["person", "erase"]:
            assert not CANARY.in_text(said), (words, said)


def test_no_ledger_no_log_and_no_memory_of_the_machinery_names_anybody(counter):
    counter.keruen("sync")
    tables = counter.rows(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
        "where schemaname in ('ledger', 'hub', 'privacy', 'segment', 'mart', 'position')"
    )
    assert len(tables) > 20
    found = [name for (name,) in tables if CANARY.in_text(str(counter.rows(f"select t::text from {name} t")))]
    assert found == []
    assert counter.rows("select count(*) from ledger.quarantine where state = 'open'")[0][0] >= 2


def test_whoever_reads_the_tables_of_people_reads_seals(counter):
    counter.keruen("sync")
    person = counter.person("c1")
    counter.keruen("person", "pin", person, "address", f"{STREET}, подъезд 2")
    tables = counter.rows(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
        "where schemaname in ('canonical', 'identity')"
    )
    shown = [name for (name,) in tables if CANARY.in_text(str(counter.rows(f"select t::text from {name} t")))]
    # how often a name is borne in the whole base is nobody's
    assert set(shown) <= {"identity.population_name"}
    card = "from canonical.customer where connection = 'crm'"
    sealed = f"select phones[1], loyalty_ids[1], name, address, birth_date {card}"
    assert [one[:4] for one in counter.rows(sealed)[0]] == ["siv:", "siv:", "gcm:", "gcm:", "gcm:"]
    assert counter.rows("select left(name, 4), left(address, 4) from identity.golden") == [("gcm:", "gcm:")]


def test_no_file_of_the_home_names_anybody_but_what_came_in_itself(counter):
    counter.keruen("sync")
    files = [path for path in home().rglob("*") if path.is_file() and "postgres" not in path.parts]
    ours = [path for path in files if path.relative_to(home()).parts[0] not in SOURCES]
    found = [path.name for path in ours if CANARY.in_text(path.read_bytes().decode("utf-8", "ignore"))]
    assert found == []
    assert (home() / "master.key").stat().st_mode & 0o777 == 0o600


# ── Dagster, whose runs anybody may look at ───────────────────────────────────────────────────────────────────────────

BUYERS = {
    "segment": "buyers", "title": dict.fromkeys(("ru", "kk", "en"), "Buyers"),
    "where": {"field": "orders.count", "op": ">=", "value": 1}, "consent": {"channel": "email", "purpose": "marketing"},
    "activate": [{"channel": "letters", "audience": "Buyers"}],
}  # fmt: skip
Runs = Callable[..., bool]


@pytest.fixture
def letters(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A mailing service that shows the buyers."""
    platform = unisender.sandbox(limits="off")
    demo = unisender.DEMO
    with served(platform.sandbox) as url, using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):
        for name, value in demo.secrets.items():
            monkeypatch.setenv(name.upper(), value)
        counter.entries["letters"] = {
            **demo.connection, "connector": "unisender",
            "settings": {**demo.settings, **demo.unlimited, "base_url": url},
            "secrets": {name: name.upper() for name in demo.secrets}, "country": "KZ",
            "push": {"segment": "auto", "first": "auto"},
        }  # fmt: skip
        (home() / "connections.yaml").write_text(yaml.safe_dump(counter.entries), "utf-8")
        (home() / "segments").mkdir()
        (home() / "segments" / "buyers.yaml").write_text(yaml.safe_dump(BUYERS), "utf-8")
        yield platform


@pytest.fixture
def runs(letters: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Materialises assets as `keruen up` does, whatever becomes of it: all, or those whose key begins with a word."""
    from dagster._core.instance.ref import InstanceRef

    folder = home() / "dagster"
    folder.mkdir()
    monkeypatch.setenv("KERUEN_DAGSTER_URL", database.dagster_url())
    settings = {name: dagster_settings()[name] for name in ("storage", "local_artifact_storage", "compute_logs")}
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=settings)) as instance:

        def run(*first: str) -> bool:
            assets = [one for one in build(load()).assets or () if isinstance(one, AssetsDefinition)]
            chosen = [key for one in assets for key in one.keys if not first or key.path[0] in first]
            return materialize(assets, instance=instance, selection=chosen, raise_on_error=False).success

        yield run
        instance.dispose()


def said_in_dagster(counter: Counter) -> dict[str, str]:
    """Its tables and the files beside them."""
    tables = counter.rows("select tablename from pg_tables where schemaname = 'dagster'")
    files = [path for path in (home() / "dagster").rglob("*") if path.is_file()]
    return {
        **{name: str(counter.rows(f"select t::text from dagster.{name} t")) for (name,) in tables},
        **{str(path): path.read_bytes().decode("utf-8", "ignore") for path in files},
    }


@contextmanager
def refusing(counter: Counter, table: str) -> Iterator[None]:
    """The store takes no row into the table."""
    with counter.store.begin() as db:
        db.execute(text(f"alter table {table} add constraint refused check (false) not valid"))
    yield
    with counter.store.begin() as db:
        db.execute(text(f"alter table {table} drop constraint refused"))


def test_no_run_in_dagster_names_anybody_whatever_becomes_of_it(counter, letters, runs):
    for table, first in (
        ("canonical.customer", ("raw",)),
        ("identity.feature", ("raw", "canonical", "golden")),
        ("identity.golden", ("golden",)),
        ("segment.person_value", ("golden", "segment")),
    ):
        with refusing(counter, table):
            assert not runs(*first), table
    assert runs()
    counter.keruen("segment", "activate", "buyers", "--yes")
    assert runs("plan", "delivery")
    assert [one.email for one in letters.contacts.values()] == [MAIL]
    said = said_in_dagster(counter)
    assert [name for name, told in said.items() if CANARY.in_text(told)] == []
    assert said["runs"].count("FAILURE") >= 4
    written = " ".join(told for name, told in said.items() if name.endswith(".err"))
    for told in (said["event_logs"], written):
        unquoted = told.replace("\\", "").replace('"', "")
        for table in ("customer", "feature", "golden", "person_value"):
            assert f"relation {table} violates" in unquoted
