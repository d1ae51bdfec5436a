"""Every file in `contracts/examples/generic_pos_files`, with what becomes of it."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.files.config import FilesConfig
from connectors.files.source import find, read
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FileFrames
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "generic_pos_files"
pytestmark = needs(EXAMPLES)

TILLS = {"layout": "receipts", "currency": "KZT", "timezone": "Asia/Almaty"}
SEMICOLONS = {**TILLS, "delimiter": ";", "decimal": ",", "date_format": "dd.MM.yyyy"}
READ: dict[str, tuple[dict[str, Any], int, dict[str, Decimal]]] = {
    "receipts_20260302_MAG01.constructed.csv": (
        SEMICOLONS, 3, {"MAG01/1/2026-03-02/176": Decimal(3950), "MAG01/1/2026-03-02/177": Decimal(1250)},
    ),
    "receipts_20260302_MAG02.constructed.json": (TILLS, 1, {"MAG02/2/2026-03-02/MAG02-2-55-9": Decimal(1500)}),
    "sales_20260302.constructed.xlsx": (
        TILLS, 2, {"Касса 1/2026-03-02/176": Decimal(2500), "Касса 1/2026-03-02/177": Decimal(1250)},
    ),
    "stock_20260302_MAG01.constructed.csv": (
        {"layout": "stock"}, 2, {"2001": Decimal(37), "W-12": Decimal("-3.47")},
    ),
}  # fmt: skip
NOT_READ = {
    "zreport_20260302_MAG01_2048.constructed.json": "a report of totals, which hold no receipts to store",
    "SOURCES.md": "where the examples come from",
}


def reading(name: str, settings: dict[str, Any]) -> FileFrames:
    config = FilesConfig(path=str(EXAMPLES / name), **settings)
    (found,) = find(config)
    return read(config, found)


def test_every_example_is_in_this_table():
    assert {path.name for path in EXAMPLES.iterdir()} == {*READ, *NOT_READ}


@pytest.mark.parametrize("name", READ)
def test_an_example_is_read_with_none_set_aside(name: str):
    settings, lines, amounts = READ[name]
    frames = reading(name, settings)
    rows = frames.frames[frames.entity]
    key, amount = ("external_id", "total") if frames.entity == "order" else ("sku", "on_hand")
    assert (frames.read, frames.set_aside.num_rows) == (lines, 0)
    assert dict(zip(rows[key].to_pylist(), rows[amount].to_pylist(), strict=True)) == amounts


def test_the_return_of_the_first_till_is_a_return_and_its_amounts_are_positive():
    frames = reading("receipts_20260302_MAG01.constructed.csv", SEMICOLONS)
    assert frames.frames["order"]["kind"].to_pylist() == ["sale", "return"]
    assert frames.frames["order_line"]["quantity"].to_pylist() == [Decimal(2), Decimal("1.530"), Decimal(1)]
    assert frames.frames["order"]["payment"].to_pylist() == ['{"method": "card"}', '{"method": "cash"}']


def test_two_payments_of_one_receipt_are_both_told():
    frames = reading("receipts_20260302_MAG02.constructed.json", TILLS)
    assert frames.frames["order"]["payment"].to_pylist() == ['{"method": "cash+mobile"}']


def test_a_z_report_is_refused_by_name_and_no_receipt_is_made_of_it():
    with pytest.raises(ConfigError, match=r"zreport.*no list of records"):
        reading("zreport_20260302_MAG01_2048.constructed.json", TILLS)


PUSHES = {"at": "event_timestamp", "kind": "event", "channel": "=push", "external_id": "instance_id",
          "reference": "message_id", "campaign": "analytics_label"}  # fmt: skip
SURVEY = {"at": "submitted_at", "kind": "=nps", "identifier": "customer_phone", "reference": "order_number",
          "value": "nps_score", "event": "response_id"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("fcm_bigquery.constructed.ndjson", {"columns": PUSHES},
         [("push", "sent", "inst-1", "m-1", None), ("push", "delivered", "inst-1", "m-1", None)]),
        ("nps_export.constructed.csv", {"columns": SURVEY, "delimiter": ";", "date_format": "dd.MM.yyyy HH:mm"},
         [("email", "nps", None, "WEB-1001", 9), ("sms", "nps", None, "WEB-1002", 3)]),
    ],
)  # fmt: skip
def test_pushes_and_answers_as_they_are_exported_are_events(name, settings, told):
    file = f"../push_and_surveys/{name}"
    frames = reading(file, {"layout": "events", "timezone": "Asia/Almaty", **settings})
    names = ("channel", "kind", "customer", "reference", "value")
    assert [tuple(row.get(one) for one in names) for row in frames.frames["contact_event"].to_pylist()] == told
