"""A backup that came back without the keys of names is noticed, not read as a base of people without names."""

from sqlalchemy import text

from dagster_project.store.people import datakeys, sealing
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import read, upsert
from mappings.privacy.seal import key_of

CARDS = [
    {"connection": "crm", "external_id": one, "name": name, "source": {"connection": "crm"}}
    for one, name in (("1", "Әлия Сейтова"), ("2", "Timur Abaev"), ("3", None))
]


def test_cards_whose_keys_went_astray_are_counted(store):
    table = TABLES["canonical.customer"]
    with store.begin() as db:
        upsert(db, table, CARDS, ["connection", "external_id"])
        clear = read(db, "select * from canonical.customer")
        upsert(db, table, sealing.sealed(db, "canonical.customer", clear), ["connection", "external_id"])
        assert sealing.lost(db) == {"canonical.customer": 0, "identity.golden": 0}
        seal = db.execute(text("select name from canonical.customer where external_id = '1'")).scalar_one()
        assert datakeys.drop(db, [key_of(seal)]) == 1
        assert sealing.lost(db) == {"canonical.customer": 1, "identity.golden": 0}
