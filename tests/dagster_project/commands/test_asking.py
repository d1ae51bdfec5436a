"""Questions to the hub: status, explain, sql, schema."""

import json

from tests.dagster_project.conftest import Street

STATES = ("in_sync", "pending", "held", "rejected", "unknown", "excluded")


def test_status_counts_every_subject_once_and_shows_zeros(street: Street):
    street.stocks_shelves()
    street.opens("site")
    before = street.told("status")
    assert all(row["subjects"] == 0 and all(row[state] == 0 for state in STATES) for row in before)
    street.keruen("sync")
    table = street.told("status")
    assert [(row["connection"], row["capability"]) for row in table] == [
        (row["connection"], row["capability"]) for row in before
    ]
    assert all(row["subjects"] == sum(row[state] for state in STATES) for row in table)
    [stock] = [row for row in table if (row["connection"], row["capability"]) == ("site", "stock.push")]
    assert (stock["subjects"], stock["in_sync"]) == (12, 12)


def test_explain_tells_every_hop_from_the_record_to_the_reply(street: Street):
    street.stocks_shelves()
    site = street.opens("site")
    sku = street.shop.variants[0].sku
    next(product for product in site.products.values() if product["sku"] == sku)["price"] -= 50
    street.keruen("sync")
    story = street.told("explain", "sku", sku)
    assert (story["kind"], story["id"]) == ("sku", sku)
    hops = [hop["hop"] for hop in story["hops"]]
    assert {"source", "mapping", "decision", "request", "reply"} <= set(hops)
    assert {hop["connection"] for hop in street.told("explain", sku, "--connection", "site")["hops"]} == {"site"}
    in_words = street.keruen("explain", sku)
    assert in_words.exit_code == 0
    assert len(in_words.stdout.splitlines()) == len(hops) + 1


def test_explain_names_the_file_and_the_line_that_a_record_stood_in(street: Street):
    path = street.drops("goods", "products", [{"sku": "MUG", "name": "Mug"}, {"sku": "TEA", "name": "Tea"}])
    street.keruen("sync")
    [source] = [hop for hop in street.told("explain", "TEA")["hops"] if hop["hop"] == "source"]
    assert source["detail"] == f"files {path.name}, line 3"


def test_explain_says_what_it_does_not_know(street: Street):
    assert "nothing is known of 'NO-SUCH-SKU'" in street.refuses("explain", "NO-SUCH-SKU")
    assert "sku ID" in street.refuses("explain", "table", "X")


def test_sql_reads(street: Street):
    assert street.told("sql", "select 'ә' as letter, 2.50::numeric as price, 10 % 3 as rest where 'a%' like '%'") == [
        {"letter": "ә", "price": 2.5, "rest": 1}
    ]
    assert street.keruen("sql", "select 1 where false").stdout.strip() == "no rows"


def test_rows_too_wide_for_a_table_are_told_one_below_the_other(street: Street):
    columns = ", ".join(f"{number} as a_column_with_a_name_{number}" for number in range(20))
    told = street.keruen("sql", f"select {columns}").stdout.splitlines()
    assert [line.split() for line in told][7] == ["a_column_with_a_name_7", "7"]


def test_sql_cannot_write_whatever_is_tried(street: Street):
    insert = "insert into hub.dirty (entity, subject) values ('stock', 'X')"
    for attempt in (
        insert,
        f"commit; {insert}",
        f"set transaction read write; {insert}",
        "drop schema canonical cascade",
    ):
        assert street.refuses("sql", attempt).startswith("the query cannot run: ")
    assert street.rows("select count(*) from hub.dirty") == [(0,)]


def test_a_query_with_a_mistake_is_answered_in_one_sentence(street: Street):
    said = street.refuses("sql", "select nothing from nowhere")
    assert said == 'the query cannot run: relation "nowhere" does not exist'


def test_the_schema_is_one_for_editors(street: Street):
    schema = json.loads(street.keruen("schema").stdout)
    assert schema["additionalProperties"]["properties"]["connector"]["description"]
