"""A setting that does not fit the file is named, with what to write instead; nothing is guessed, nothing is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.files import CONNECTOR
from connectors.files.config import FilesConfig
from connectors.files.source import find
from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FileFrames

Reads = Callable[..., FileFrames]
SALES = (
    "Чек №;Магазин;Дата;Время;Артикул;Наименование;Кол-во;Цена;Сумма\n"
    "176;Алматы;25.03.2026;9:05;2001;Чай;2;1 250,00;2 500,00\n"
    "177;Алматы;26.03.2026;10:15:44;2002;Молоко;1,5;200,50;300,75\n"
)
FITTING = {"delimiter": ";", "decimal": ",", "thousands": " ", "date_format": "dd.MM.yyyy"}


def test_a_common_till_export_needs_only_its_notation(reads: Reads):
    frames = reads(SALES, **FITTING)
    assert frames.frames["order"]["total"].to_pylist() == [2500, pytest.approx(300.75)]
    assert frames.set_aside.num_rows == 0


WRONG: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"delimiter": ","}, "utf-8", ['delimiter: ";"']),
    ({"delimiter": "\t"}, "utf-8", ['delimiter: ";"']),
    ({"decimal": "."}, "utf-8", ['decimal: ","']),
    ({"thousands": None}, "utf-8", ['thousands: " "']),
    ({"date_format": None}, "utf-8", ['date_format: "dd.MM.yyyy"']),
    ({"date_format": "MM.dd.yyyy"}, "utf-8", ['date_format: "dd.MM.yyyy"']),
    ({"date_format": "%m/%d/%Y"}, "utf-8", ['date_format: "dd.MM.yyyy"']),
    ({"timezone": None}, "utf-8", ["timezone:"]),
    ({"encoding": "windows-1251"}, "utf-8", ['encoding: "utf-8"']),
    ({"encoding": "windows-1251"}, "utf-8-sig", ['encoding: "utf-8"']),
    ({"encoding": "utf-16"}, "utf-8", ['encoding: "utf-8"']),
    ({}, "windows-1251", ['encoding: "windows-1251"']),
    ({"encoding": "utf-8"}, "windows-1251", ['encoding: "windows-1251"']),
    ({"encoding": "windows-1251"}, "cp866", ['encoding: "cp866"']),
    ({"encoding": "utf-8"}, "utf-16", ['encoding: "utf-16"']),
    ({"encoding": "windows-1251"}, "utf-16", ['encoding: "utf-16"']),
    ({"header_row": 2}, "utf-8", ["header_row: 1"]),
]


@pytest.mark.parametrize(("wrong", "encoding", "named"), WRONG)
def test_a_wrong_setting_is_named_with_the_right_one(
    reads: Reads, wrong: dict[str, Any], encoding: str, named: list[str]
):
    with pytest.raises(ConfigError) as refused:
        reads(SALES.encode(encoding), **{**FITTING, **wrong})
    said = str(refused.value)
    assert "In the settings of unnamed set" in said
    assert [setting for setting in named if setting not in said] == []


def test_all_that_is_wrong_is_named_at_once(reads: Reads):
    with pytest.raises(ConfigError) as refused:
        reads(SALES.replace("1 250,00", "1250,00").replace("2 500", "2500").encode("windows-1251"))
    said = str(refused.value)
    for setting in ('encoding: "windows-1251"', 'delimiter: ";"', 'decimal: ","', 'date_format: "dd.MM.yyyy"'):
        assert setting in said


def test_what_could_be_read_in_two_ways_is_left_to_the_merchant(reads: Reads):
    with pytest.raises(ConfigError) as refused:
        reads('receipt,sku,quantity,total,placed_at\n1,tea,1,"1,250",03/02/2026\n')
    assert 'decimal: ","' in str(refused.value) or "thousands" in str(refused.value)
    assert 'date_format: "dd/MM/yyyy" or "MM/dd/yyyy"' in str(refused.value)


def test_an_amount_in_another_currency_is_named(reads: Reads):
    with pytest.raises(ConfigError, match='set currency: "KZT"'):
        reads("receipt,sku,quantity,total,placed_at\n1,tea,1,1250 ₸,2026-03-02\n", currency="USD")
    assert reads("receipt,sku,quantity,total,placed_at\n1,tea,1,1250 тг,2026-03-02\n").set_aside.num_rows == 0


def test_one_odd_cell_among_many_sets_its_receipt_aside_and_no_more(reads: Reads):
    rows = "".join(f"{number},tea,1,{number}.50,2026-03-02\n" for number in range(50))
    frames = reads(
        "receipt,sku,quantity,total,placed_at\n" + rows + '50,tea,1,"12,50",2026-03-02\n51,tea,1,5.50,02.03.2026\n'
    )
    assert frames.set_aside.select(["key", "rule"]).to_pylist() == [
        {"key": "50", "rule": "not_a_number"}, {"key": "51", "rule": "not_a_moment"},
    ]  # fmt: skip


def test_a_column_that_settings_name_and_the_file_lacks_is_named_with_those_it_has(reads: Reads):
    with pytest.raises(ConfigError, match=r"columns\.total names 'Итог'"):
        reads(SALES, **FITTING, columns={"total": "Итог"})


def test_a_file_of_another_kind_says_which_columns_are_missing(reads: Reads):
    with pytest.raises(ConfigError, match=r"no known column for receipt: name it in columns\.receipt"):
        reads("sku,price\ntea,5\n")


def test_two_columns_that_could_be_meant_are_both_named(reads: Reads):
    with pytest.raises(ConfigError, match=r"'артикул' and 'код товара' could both be sku: name one in columns\.sku"):
        reads(SALES.replace("Наименование", "Код товара"), **FITTING)


def test_an_unknown_kind_of_file_names_the_kinds_that_are_known(reads: Reads):
    with pytest.raises(ConfigError, match=r"files ending in \.csv"):
        reads("%PDF", name="file.pdf")


def test_a_missing_folder_is_named(tmp_path: Path):
    config = FilesConfig(path=str(tmp_path / "nowhere" / "*.csv"), layout="stock")
    with pytest.raises(ConfigError, match="nowhere of `path` does not exist"):
        list(find(config))


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"layout": "stock", "columns": {"price": "Цена"}}, "layout stock knows sku, location, on_hand, as_of"),
    ({"layout": "receipts"}, "needs the currency"),
    ({"layout": "stock", "timezone": "Almaty"}, "not a known time zone"),
    ({"layout": "stock", "encoding": "cyrillic-1"}, "not a known encoding"),
    ({"layout": "stock", "date_format": "dd.MM"}, "not a date format"),
    ({"layout": "stock", "decimal": ",", "thousands": ","}, "both"),
    ({"layout": "receipts", "currency": "KZT", "partition": ["day"]}, r"\[location, day\]"),
    ({"layout": "stock", "skip": 3}, "skip"),
]


@pytest.mark.parametrize(("settings", "said"), SETTINGS)
def test_a_setting_that_makes_no_sense_is_refused_when_it_is_read(settings: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        FilesConfig(path="inbox/*.csv", **settings)


def test_check_reads_the_newest_file_and_says_when_there_is_none(tmp_path: Path):
    config = FilesConfig(path=str(tmp_path / "*.csv"), layout="stock")
    assert CONNECTOR.check is not None
    with pytest.raises(ConfigError, match="no file matches"):
        CONNECTOR.check(config)
    (tmp_path / "stock.csv").write_text("sku,location,on_hand\ntea,A,5\n")
    CONNECTOR.check(config)
    (tmp_path / "stock.csv").write_text("sku;location;on_hand\ntea;A;5\n")
    with pytest.raises(ConfigError, match="delimiter"):
        CONNECTOR.check(config)


def test_check_names_the_columns_whose_ids_a_table_program_wrote_as_fractions(tmp_path: Path):
    """pandas does so with a column that has gaps."""
    config = FilesConfig(path=str(tmp_path / "*.csv"), layout="customers")
    assert CONNECTOR.check is not None
    (tmp_path / "c.csv").write_text("external_id,name,loyalty_id\n7.0,Ann,\n8.0,Bob,71.0\n")
    assert "external_id, loyalty_id as fractions, like 7.0" in (CONNECTOR.check(config) or "")
    (tmp_path / "c.csv").write_text("external_id,name,loyalty_id\n7,Ann,L1.0\n8,Bob,71.0\n")
    assert CONNECTOR.check(config) is None


def test_every_setting_is_described():
    assert [name for name, field in FilesConfig.model_fields.items() if not field.description] == []
