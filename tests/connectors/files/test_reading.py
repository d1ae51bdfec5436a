"""What tills and offices really send: title rows, totals, returns in many spellings, quotation marks, empty cells."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.errors import RejectedError
from connectors.sdk.files import FileFrames

Reads = Callable[..., FileFrames]
HEADER = "receipt,sku,quantity,total,placed_at"


def orders(frames: FileFrames) -> dict[str, tuple[str, Decimal]]:
    found = frames.frames["order"].to_pylist()
    return {order["external_id"]: (order["kind"], order["total"]) for order in found}


def lines(frames: FileFrames, *names: str) -> list[Any]:
    return [tuple(line[name] for name in names) for line in frames.frames["order_line"].to_pylist()]


def csv(*rows: str, header: str = HEADER) -> str:
    return "".join(row + "\n" for row in (header, *rows))


def aside(frames: FileFrames) -> list[tuple[str | None, int, int, str]]:
    return [(row["key"], row["line"], row["lines"], row["rule"]) for row in frames.set_aside.to_pylist()]


# ── the shape of a file ───────────────────────────────────────────────────────────────────────────────────────────────


def test_titles_above_blank_lines_between_and_a_total_below_are_no_receipts(reads: Reads):
    content = "Отчёт по продажам;;\nПериод: 02.03.2026;;\n\n" + csv(
        "1;Чай;1;5,50;02.03.2026 10:00",
        "",
        "2;Чай;1;4,50;02.03.2026 11:00",
        "Итого;;2;10,00;",
        "",
        header="№ чека;Товар;Кол-во;Сумма;Дата и время",
    )
    frames = reads(content, delimiter=";", decimal=",", date_format="dd.MM.yyyy")
    assert orders(frames) == {"1": ("sale", Decimal("5.50")), "2": ("sale", Decimal("4.50"))}
    assert frames.frames["order"]["row"].to_pylist() == [5, 7]
    assert frames.read == 2


def test_kazakh_column_names_are_known(reads: Reads):
    frames = reads(csv("1,чай,2,10,2026-03-02", header="Чек нөмірі,Атауы,Саны,Сомасы,Күні"))
    assert lines(frames, "name", "quantity") == [("чай", 2)]


def test_a_total_that_differs_from_its_lines_refuses_the_file(reads: Reads):
    with pytest.raises(RejectedError, match="it states total 12, its lines give 10"):
        reads(csv("1,tea,1,5,2026-03-02", "2,tea,1,5,2026-03-02", "Итого,,2,12,"))


def test_totals_may_count_returns_as_negative_where_the_lines_do_not(reads: Reads):
    rows = ("1,tea,2,10,2026-03-02,Продажа", "2,tea,1,5,2026-03-02,Возврат")
    for total in ("Итого,,3,15,,", "Итого,,1,5,,"):
        assert reads(csv(*rows, total, header=HEADER + ",Тип")).read == 2


def test_a_product_called_total_is_no_total_row(reads: Reads):
    frames = reads(csv("total-5w40,A,5", header="sku,location,on_hand"), layout="stock")
    assert frames.frames["stock_level"]["sku"].to_pylist() == ["total-5w40"]


def test_a_stated_number_of_total_rows_is_taken_off_the_end(reads: Reads):
    frames = reads(csv("1,tea,1,5,2026-03-02", "скидки,,,0,", "всё вместе,,1,5,"), footer=2)
    assert frames.read == 1


def test_rows_that_end_in_a_delimiter_have_no_column_more(reads: Reads):
    assert reads(csv("1,tea,1,5,2026-03-02,", "2,tea,1,5,2026-03-02,")).read == 2


def test_a_line_of_another_width_sets_its_receipt_aside(reads: Reads):
    frames = reads(csv("1,tea,1,5,2026-03-02", "2,tea,1,5,2026-03-02", "2,milk,1,5", "3,tea,1,5,2026-03-02,what"))
    assert list(orders(frames)) == ["1"]
    assert aside(frames) == [("3", 5, 1, "ragged_line"), ("2", 4, 2, "ragged_line")] or aside(frames) == [
        ("2", 4, 2, "ragged_line"), ("3", 5, 1, "ragged_line"),
    ]  # fmt: skip


def test_line_ends_and_quotation_marks_inside_cells_are_text(reads: Reads):
    header = HEADER + ",name"
    frames = reads(
        csv('1,tea,1,5,2026-03-02,"Чай ""Асыл"", 250 г\nчёрный"', '2,tea,1,5,2026-03-02,Гвоздь 5"', header=header)
    )
    assert lines(frames, "name") == [('Чай "Асыл", 250 г чёрный',), ('Гвоздь 5"',)]


@pytest.mark.parametrize("rows", [
    ('1,tea,1,5,2026-03-02,"Чай', "2,tea,1,5,2026-03-02,Чай"),
    ('1,tea,1,5,2026-03-02,"Чай', "2,tea,1,5,2026-03-02,Чай", '3,tea,1,5,2026-03-02,"Чай"'),
    ('1,tea,1,5,2026-03-02,"Чай', '2,tea,1,5,2026-03-02,Чай"'),
])  # fmt: skip
def test_a_quotation_mark_that_swallows_lines_refuses_the_file_and_names_where(reads: Reads, rows: tuple[str, ...]):
    with pytest.raises(RejectedError, match="breaks at line 2: a quotation mark opens there"):
        reads(csv(*rows, header=HEADER + ",name"))


def test_an_open_quotation_mark_is_found_in_a_file_larger_than_a_block(reads: Reads, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("connectors.files.delimited.BLOCK", 1 << 12)
    rows = [f"{number},tea,1,5,2026-03-02,Чай" for number in range(2000)]
    rows[1000] = '1000,tea,1,5,2026-03-02,"Чай'
    with pytest.raises(RejectedError, match="line 1002"):
        reads(csv(*rows, header=HEADER + ",name"))


@pytest.mark.parametrize(("name", "delimiter"), [("file.tsv", "\t"), ("file.csv", ","), ("file.txt", "|")])
def test_tables_of_every_delimiter(reads: Reads, name: str, delimiter: str):
    settings = {"delimiter": "|"} if delimiter == "|" else {}
    assert reads(csv("1,tea,1,5,2026-03-02").replace(",", delimiter), name=name, **settings).read == 1


@pytest.mark.parametrize(("encoding", "stated"), [
    ("utf-8", None), ("utf-8-sig", None), ("utf-8-sig", "utf-8"), ("utf-16", None), ("utf-16", "utf-16"),
    ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("windows-1251", "windows-1251"), ("cp866", "cp866"),
])  # fmt: skip
def test_letters_survive_every_encoding(reads: Reads, encoding: str, stated: str | None):
    frames = reads(
        csv("1,Чай чёрный,1,5,2026-03-02", header="receipt,name,quantity,total,placed_at").encode(encoding),
        encoding=stated,
    )
    assert lines(frames, "name") == [("Чай чёрный",)]


def test_kazakh_letters_survive(reads: Reads):
    name = "Әжем: қаймақ, ңғүұқөһі"
    assert lines(reads(csv(f'1,"{name}",1,5,2026-03-02', header="receipt,name,quantity,total,placed_at")), "name") == [
        (name,)
    ]


# ── columns ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_target_may_be_joined_from_columns_or_be_a_constant(reads: Reads):
    columns = {"placed_at": ["day", "hour"], "receipt": ["shift", "no"], "location": "=Алматы"}
    frames = reads(csv("7,2,tea,1,5,2026-03-02,9:05", header="shift,no,sku,quantity,total,day,hour"), columns=columns)
    (order,) = frames.frames["order"].to_pylist()
    assert (order["external_id"], order["location"], order["placed_at"].isoformat()) == (
        "7 2",
        "Алматы",
        "2026-03-02T04:05:00+00:00",
    )


def test_numbers_of_tills_restart_so_their_ids_say_till_and_day(reads: Reads):
    rows = ("1,tea,1,5,2026-03-02,K1", "1,tea,1,6,2026-03-02,K2", "1,tea,1,7,2026-03-03,K1")
    frames = reads(csv(*rows, header=HEADER + ",till"))
    assert {key: total for key, (_, total) in orders(frames).items()} == {
        "K1/2026-03-02/1": 5,
        "K2/2026-03-02/1": 6,
        "K1/2026-03-03/1": 7,
    }
    alone = reads(csv(rows[0], header=HEADER + ",till"), partition="receipt")
    assert list(orders(alone)) == ["1"]


def test_a_line_whose_moment_cannot_be_read_spoils_the_receipt_of_its_number(reads: Reads):
    rows = ("1,tea,1,5,2026-03-02,K1", "1,milk,1,5,soon,K1", "2,tea,1,5,2026-03-02,K1")
    frames = reads(csv(*rows, header=HEADER + ",till"))
    assert list(orders(frames)) == ["K1/2026-03-02/2"]
    assert aside(frames) == [("K1/2026-03-02/1", 3, 2, "not_a_moment")]


def test_a_total_that_no_column_states_is_made_of_price_and_quantity(reads: Reads):
    frames = reads(csv("1,tea,3,1.115,0.34,2026-03-02", header="receipt,sku,quantity,unit_price,discount,placed_at"))
    assert lines(frames, "total", "unit_price", "discount") == [(Decimal("3.01"), Decimal("1.12"), Decimal("0.34"))]


def test_a_total_that_its_column_leaves_empty_is_missing_and_not_made_up(reads: Reads):
    frames = reads(csv("1,tea,3,1,,2026-03-02", header="receipt,sku,quantity,unit_price,total,placed_at"))
    assert aside(frames) == [("1", 2, 1, "missing_field")]


# ── returns ───────────────────────────────────────────────────────────────────────────────────────────────────────────

RETURNS = [
    ("1,tea,-2,-10,2026-03-02,", "negative quantity and sum"),
    ("1,tea,-2,10,2026-03-02,", "negative quantity alone"),
    ("1,tea,2,-10,2026-03-02,", "negative sum alone"),
    ("1,tea,2,10,2026-03-02,Возврат продажи", "kind alone"),
    ("1,tea,2,10,2026-03-02,3", "operation type of a cash register"),
    ("1,tea,-2,-10,2026-03-02,Возврат", "everything at once"),
    ("1,tea,2,-10,2026-03-02,refund", "kind and sum"),
]


@pytest.mark.parametrize("row", [row for row, _ in RETURNS], ids=[name for _, name in RETURNS])
def test_a_return_is_a_return_in_every_spelling(reads: Reads, row: str):
    frames = reads(csv(row, header=HEADER + ",Тип"))
    assert orders(frames) == {"1": ("return", Decimal(10))}
    assert lines(frames, "quantity", "unit_price", "total") == [(2, 5, 10)]


def test_an_exchange_is_a_sale_and_a_return_that_refers_to_it(reads: Reads):
    frames = reads(csv("1,tea,1,10,2026-03-02", "1,milk,-1,-4,2026-03-02"))
    assert orders(frames) == {"1": ("sale", Decimal(10)), "1/return": ("return", Decimal(4))}
    assert frames.frames["order"]["returns"].to_pylist() == [None, "1"]


def test_a_discount_line_belongs_to_its_sale(reads: Reads):
    frames = reads(csv("1,tea,1,10,2026-03-02", "1,card,1,-1,2026-03-02"))
    assert orders(frames) == {"1": ("sale", Decimal(9))}


def test_a_kind_that_nobody_foresaw_is_not_guessed(reads: Reads):
    assert aside(reads(csv("1,tea,1,10,2026-03-02,Обмен", header=HEADER + ",Тип"))) == [("1", 2, 1, "unknown_value")]


# ── receipts that contradict themselves ───────────────────────────────────────────────────────────────────────────────


def test_a_receipt_that_does_not_add_up_is_set_aside_with_both_sums(reads: Reads):
    header = HEADER + ",Сумма чека"
    frames = reads(
        csv("1,tea,1,10,2026-03-02,15", "1,milk,1,4,2026-03-02,15", "2,tea,1,10,2026-03-02,10", header=header)
    )
    assert list(orders(frames)) == ["2"]
    assert frames.set_aside["reason"].to_pylist() == ["its lines give 14.00, the receipt says 15.00"]


def test_lines_around_midnight_are_one_receipt_of_the_day_it_began(reads: Reads):
    frames = reads(csv("1,tea,1,5,2026-03-02 23:59:50", "1,milk,1,5,2026-03-03 00:00:10", "2,tea,1,5,2026-03-03 10:00"))
    assert [day.isoformat() for day in frames.frames["order"]["day"].to_pylist()] == ["2026-03-02", "2026-03-03"]


def test_a_number_on_two_days_is_two_receipts_and_neither_is_taken_for_both(reads: Reads):
    rows = [f"{number},tea,1,5,2026-03-02" for number in range(5)]
    frames = reads(csv(*rows, "4,tea,1,5,2026-03-03"))
    assert aside(frames) == [("4", 6, 2, "receipt_reused")]


def test_a_line_number_that_comes_twice_sets_the_receipt_aside(reads: Reads):
    header = HEADER + ",line"
    assert aside(reads(csv("1,tea,1,5,2026-03-02,1", "1,milk,1,5,2026-03-02,1", header=header))) == [
        ("1", 2, 2, "duplicate_line")
    ]


def test_a_code_that_a_spreadsheet_rounded_is_no_code(reads: Reads):
    header = "receipt,sku,barcode,quantity,total,placed_at"
    frames = reads(csv("1,tea,4.87E+12,1,5,2026-03-02", "2,,4.87E+12,1,5,2026-03-02", header=header))
    assert lines(frames, "sku", "barcode") == [("tea", None)]
    assert frames.notes == {"unread_barcode": 1}
    assert aside(frames) == [("2", 3, 1, "lost_digits")]


# ── other layouts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_count_said_twice_is_kept_once_and_one_said_otherwise_not_at_all(reads: Reads):
    frames = reads(
        csv("tea,A,5", "tea,A,5", "milk,A,1", "milk,A,2", "milk,B,3", header="sku,location,on_hand"), layout="stock"
    )
    kept = frames.frames["stock_level"].select(["sku", "location", "on_hand"]).to_pylist()
    assert kept == [{"sku": "tea", "location": "A", "on_hand": 5}, {"sku": "milk", "location": "B", "on_hand": 3}]
    assert aside(frames) == [
        ("tea @ A", 3, 1, "repeated_line"), ("milk @ A", 4, 1, "duplicate_key"), ("milk @ A", 5, 1, "duplicate_key"),
    ]  # fmt: skip


def test_price_types_have_the_hub_s_names_and_windows_are_local(reads: Reads):
    header = "Артикул,Тип цены,Цена,Действует с,Действует до"
    frames = reads(csv("tea,Розничная,1250,2026-03-02,2026-03-08", "tea,VIP,1100,,", header=header), layout="prices")
    retail, vip = frames.frames["price"].to_pylist()
    assert (retail["price_type"], vip["price_type"]) == ("retail", "VIP")
    assert retail["valid_from"].isoformat() == "2026-03-01T19:00:00+00:00"
    assert vip["valid_from"] is None


def test_products_come_with_their_codes_and_state(reads: Reads):
    content = csv(
        "2001,Чай,Асыл,4870000000043 4870000000050,шт,Архив", header="Артикул,Наименование,Бренд,Штрихкод,Ед.,Статус"
    )
    (product,) = reads(content, layout="products").frames["product"].to_pylist()
    assert (product["barcodes"], product["unit"], product["status"]) == (
        ["4870000000043", "4870000000050"],
        "шт",
        "archived",
    )


def test_what_a_file_does_not_tell_is_not_in_its_frame(reads: Reads):
    frame = reads(csv("2001,Чай", header="Артикул,Наименование"), layout="products").frames["product"]
    assert set(frame.column_names) == {"row", "key", "sku", "external_id", "name"}


def test_a_contact_that_is_none_is_counted_and_costs_nobody_his_record(reads: Reads):
    frames = reads(csv("7,нет,ann@example", "8,87000000002,", header="id,Телефон,email"), layout="customers")
    assert frames.frames["customer"]["phones"].to_pylist() == [[], ["+77000000002"]]
    assert frames.notes == {"unread_phones": 1, "unread_emails": 1}
