"""Rows that are sealed and opened again say what they said, however many of them are opened at a time."""

import pyarrow as pa
import pytest

from dagster_project.store.people import sealing
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import copy_in, read

TOLD = [
    {
        "external_id": "1",
        "name": "Әлия Сейтова",
        "birth_date": "1990-04-17",
        "phones": ["+77010000001", "+77010000002"],
    },
    {"external_id": "2", "name": None, "birth_date": None, "phones": []},
    {"external_id": "3", "name": "Timur Abaev", "birth_date": None, "phones": ["+77010000001"]},
    {"external_id": "4", "name": None, "birth_date": "1985-01-30", "phones": []},
]
CARD = {"connection": "crm", "source": '{"connection": "crm"}'}
ASKED = "select external_id, name, birth_date, phones from canonical.customer order by external_id"


@pytest.mark.parametrize("page", [1, 2, 100])
def test_rows_opened_page_by_page_say_what_they_said(store, monkeypatch, page):
    monkeypatch.setattr(sealing, "PAGE", page)
    cards = pa.Table.from_pylist([CARD | one for one in TOLD])
    with store.begin() as db:
        copy_in(db, TABLES["canonical.customer"], sealing.sealed(db, "canonical.customer", cards))
        lying = read(db, ASKED)
        opened = sealing.opened(db, "canonical.customer", lying)
    assert "Timur" not in str(lying.to_pylist())
    assert opened.to_pylist() == TOLD
