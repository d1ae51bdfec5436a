"""Which goods a line is about, where they were sold; what a file tells of products and of people."""

from dataclasses import replace

from sqlalchemy import text

from dagster_project.steps.files.read import ingest_files
from dagster_project.store.people.keyring import keys
from tests.clear import clear
from tests.dagster_project.steps.files.folder import MONDAY, RECEIPTS, Shop, line


def test_lines_find_their_product_by_binding_by_sku_or_by_barcode(shop: Shop):
    shop.drops("goods", "goods.csv", "sku,name,barcode", "tea,Чай,4870000000043", "milk,Сүт,")
    shop.reads("goods")
    with shop.engine.begin() as db:
        db.execute(text("insert into hub.binding values ('tills', 'variant', 'T-1', 'tea', 'explicit', now(), null)"))
    rows = (
        line(1, "milk"),
        line(2, "T-1"),
        line(3, "").replace("2026-03-02 10:00", "2026-03-02 10:00"),
        line(4, "bread"),
    )
    barcodes = ("", "", "4870000000043", "")
    shop.drops(
        "tills",
        "monday.csv",
        RECEIPTS + ",barcode",
        *(f"{row},{code}" for row, code in zip(rows, barcodes, strict=True)),
    )
    (report,) = shop.reads()
    assert report.unbound == 1
    assert dict(shop.asks("select external_id, sku from canonical.order_line")) == {
        "1": "milk",
        "2": "tea",
        "3": "tea",
        "4": "bread",
    }


def test_our_names_of_places_are_used(shop: Shop):
    shop.drops("tills", "monday.csv", RECEIPTS, line(1), line(2, location="B"))
    hub = shop.hub
    connection = hub["tills"]
    connection = replace(connection, entry=connection.entry.model_copy(update={"locations": {"A": "Almaty-1"}}))
    ingest_files(shop.engine, connection, now=MONDAY, hub=hub)
    assert shop.asks("""select location from canonical."order" order by external_id""") == ["Almaty-1", "tills:B"]
    assert shop.asks("select location, name, kind from canonical.location order by 1") == [
        ("Almaty-1", "A", "store"),
        ("tills:B", "B", "store"),
    ]


def test_only_sales_after_somebody_elses_count_ask_for_a_new_decision(shop: Shop):
    with shop.engine.begin() as db:
        db.execute(
            text("""
            insert into canonical.stock_level (sku, location, on_hand, as_of, connection, source)
            values ('tea', 'tills:A', 5, '2026-03-02 10:30+05', 'erp', '{}')""")
        )
    shop.drops("tills", "monday.csv", RECEIPTS, line(1, at="2026-03-02 10:00"), line(2, at="2026-03-02 11:00"))
    shop.reads()
    assert shop.asks("select entity, subject from hub.dirty where entity = 'order'") == [("order", "tills:2")]


def test_products_keep_what_a_file_does_not_tell(shop: Shop):
    shop.drops("goods", "first.csv", "sku,name,brand,barcode", "tea,Чай,Асыл,4870000000043")
    shop.reads("goods")
    shop.drops("goods", "second.csv", "sku,name", "tea,Чай чёрный", minutes=5)
    shop.reads("goods")
    assert shop.asks("select name, brand, barcodes, status from canonical.product") == [
        ("Чай чёрный", "Асыл", ["4870000000043"], "active")
    ]


def test_a_product_without_a_name_goes_by_its_article(shop: Shop):
    shop.drops("goods", "goods.csv", "sku,name", "25671,")
    shop.reads("goods")
    assert shop.asks("select sku, name from canonical.product") == [("25671", "25671")]


def test_a_connection_without_authority_over_products_gives_listings(shop: Shop):
    shop.hub_settings = "{authority: {product: tills}}"
    shop.drops("goods", "goods.csv", "sku,name,barcode", "tea,Чай,4870000000043")
    (report,) = shop.reads("goods")
    assert (report.stored, report.notes) == (1, {"not_owned": 1})
    assert shop.asks("select count(*) from canonical.product") == [0]
    assert shop.asks("select external_id, sku, title from canonical.listing") == [("tea", "tea", "Чай")]


def test_customers_come_with_clean_contacts_and_their_ids_elsewhere(shop: Shop):
    shop.settings["people"] |= {"columns": {"ref.crm": "crm"}, "masked": ["email"]}
    header = "external_id,name,phone,phone2,email,birth_date,crm"
    shop.drops(
        "people", "people.csv", header, "7,Айгүл С.,8 700 000 00 01,нет,AIGUL@Example.KZ,1990-05-01,c-1", "8,Ерлан,,,,,"
    )
    (report,) = shop.reads("people")
    assert report.stored == 2
    found = shop.asks("select phones, emails, masked, refs from canonical.customer order by external_id")
    phone, email = keys().seal("+77000000001", "phone"), keys().seal("aigul@example.kz", "email")
    assert found == [
        ([phone], [email], ["email"], ["crm\x1fc-1"]),
        ([], [], ["email"], []),
    ]
    named = clear(shop.engine, "select name, birth_date from canonical.customer order by external_id")
    assert named == [("Айгүл С.", "1990-05-01"), ("Ерлан", None)]
