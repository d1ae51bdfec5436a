"""What the connector reads from the simulator, and what MoySklad's habits must not do to it."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from connectors.moysklad import CONNECTOR
from connectors.moysklad.simulator.account import Account
from connectors.moysklad.simulator.books import ref
from connectors.moysklad.simulator.seed import ORGANIZATION, uid
from connectors.moysklad.source import moscow
from connectors.sdk import ConfigError, ContractError, Since
from connectors.sdk.extract import since as stored
from connectors.sdk.testing.shop import Shop
from tests.clock import Clock
from tests.connectors.moysklad.conftest import Settings, mapped, read

SHOP, OTHER = "Almaty-1", "Almaty-2"


def after(clock: Clock, **span: float) -> Since:
    """A run that follows one that ended so long ago."""
    return Since(value=moscow(clock() - timedelta(**span)), now=clock())


# ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_variant_of_the_shop_becomes_one_product(settings: Settings, shop: Shop, clock: Clock) -> None:
    config = settings()
    products = mapped(config, "products", read(config, "products", Since(now=clock())), "product")
    assert {product.sku: product.barcodes for product in products} == {v.sku: (v.barcode,) for v in shop.variants}
    assert {product.brand for product in products} == {v.brand for v in shop.variants}
    assert {product.category for product in products} == {v.category for v in shop.variants}
    assert {product.unit for product in products} == {"796"}


def test_prices_are_whole_tenge_and_variants_have_those_of_their_product(
    settings: Settings, shop: Shop, clock: Clock
) -> None:
    config = settings()
    prices = mapped(config, "products", read(config, "products", Since(now=clock())), "price")
    ours = {uid("item", variant.sku): variant for variant in shop.variants}
    told = {(price.variant, price.price_type): price.amount for price in prices}
    retail = {(uuid, "retail"): variant.retail for uuid, variant in ours.items()}
    assert retail.items() <= told.items()
    assert all((uuid, kind) in told for uuid in ours for kind in ("purchase", "minimum"))
    assert {price.currency for price in prices} == {"KZT"}
    assert "Цена для друзей" not in {price.price_type for price in prices}, "0 is a price nobody has set"


def test_a_new_price_of_a_product_reaches_its_variants(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    """Their own `updated` stays where it was."""
    parent = next(one.parent_sku for one, next_ in pairwise(shop.variants) if one.parent_sku == next_.parent_sku)
    clock.passes(hours=1)
    vendor.books.change("product", uid("item", parent), name="Новое имя")
    config = settings()
    found = {record["code"] for record in read(config, "products", after(clock, minutes=5))}
    assert found == {parent} | {v.sku for v in shop.variants if v.parent_sku == parent}


def test_archived_goods_are_read_although_lists_hide_them(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    gone = vendor.item(shop.variants[0].sku)
    vendor.books.change(gone.kind, gone.id, archived=True)
    config = settings()
    products = mapped(config, "products", read(config, "products", Since(now=clock())), "product")
    assert [product.sku for product in products if product.status == "archived"] == [shop.variants[0].sku]


def test_a_price_in_dollars_stays_one_although_the_dollar_is_archived(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    item = vendor.item(shop.variants[0].sku)
    vendor.books.change(item.kind, item.id, buyPrice={"value": 1250.0, "currency": ref("currency", uid("USD"))})
    config = settings()
    prices = mapped(config, "products", read(config, "products", Since(now=clock())), "price")
    [bought] = [price for price in prices if price.variant == item.id and price.price_type == "purchase"]
    assert (bought.amount, bought.currency) == (Decimal("12.50"), "USD")


def test_a_currency_that_the_account_does_not_list_stops_the_run(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    """Taken for tenge it would be a price of a hundred times less."""
    item = vendor.item(shop.variants[0].sku)
    vendor.books.change(item.kind, item.id, buyPrice={"value": 1250.0, "currency": ref("currency", uid("EUR"))})
    with pytest.raises(ContractError, match="its own list does not hold"):
        read(settings(), "products", Since(now=clock()))


def test_candidates_for_the_sku_come_in_the_order_of_the_setting(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    item = vendor.item(shop.variants[0].sku)
    vendor.books.change(item.kind, item.id, article="АРТ-1", externalCode="ext-1")
    config = settings(sku=("article", "code"))
    products = mapped(config, "products", read(config, "products", Since(now=clock())), "product")
    [product] = [product for product in products if product.external_id == item.id]
    assert product.attributes["sku_candidates"] == ["АРТ-1", shop.variants[0].sku]
    assert product.sku == "АРТ-1"


# ── following changes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_second_run_reads_only_what_changed(settings: Settings, vendor: Account, shop: Shop, clock: Clock) -> None:
    resource = CONNECTOR.resource("counterparties")
    config = settings()
    first = read(config, "counterparties", Since(now=clock()))
    assert len(first) == len(shop.people) + 1
    cursor = max(resource.cursor_of(record) or "" for record in first)
    clock.passes(hours=3)
    vendor.books.change("counterparty", uid("person", shop.people[3].id), phone="+7 700 000 99 99")
    again = read(config, "counterparties", stored(resource, cursor, Since(now=clock())))
    changed = mapped(config, "counterparties", again)
    assert ("+77000009999",) in [customer.phones for customer in changed]
    cursor = max(resource.cursor_of(record) or "" for record in again)
    clock.passes(hours=3)
    late = read(config, "counterparties", stored(resource, cursor, Since(now=clock())))
    assert [record["id"] for record in late] == [uid("person", shop.people[3].id)], "the overlap, and nothing else"


def test_cursors_are_moscow_time_at_one_width() -> None:
    resource = CONNECTOR.resource("products")
    assert resource.cursor_of({"updated": "2016-06-07 10:40:48"}) == "2016-06-07 10:40:48.000"
    assert resource.cursor_of({"updated": "2016-06-07 10:40:48.817"}) == "2016-06-07 10:40:48.817"
    assert resource.parse_cursor is not None
    assert resource.parse_cursor("2026-03-02 08:00:00.000").isoformat() == "2026-03-02T05:00:00+00:00"


def test_a_thousand_rows_saved_in_one_moment_are_read_once_each(
    settings: Settings, vendor: Account, clock: Clock
) -> None:
    """An import stamps them all alike, so asking anew from the last moment seen would not get past them."""
    for number in range(2500):
        vendor.books.write("counterparty", {"name": f"Импорт {number}"})
    clock.passes(minutes=1)
    vendor.books.write("counterparty", {"name": "После импорта"})
    names = [record["name"] for record in read(settings(), "counterparties", after(clock, minutes=2))]
    assert Counter(names).most_common(1)[0][1] == 1
    assert len(names) == 2501


def test_rows_that_move_while_they_are_read_hide_no_others(settings: Settings, vendor: Account, clock: Clock) -> None:
    """Between two pages somebody edits rows of the first one: with offsets the second would begin too late."""
    made = []
    for number in range(1500):
        clock.passes(seconds=1)
        made.append(vendor.books.write("counterparty", {"name": f"Покупатель {number}"}).id)
    pages = CONNECTOR.resource("counterparties").extract(settings(), after(clock, hours=1))
    first = next(iter(pages))
    clock.passes(seconds=1)
    for uuid in made[:300]:
        vendor.books.change("counterparty", uuid, name="Другое имя")
    seen = {record["id"] for record in first} | {record["id"] for page in pages for record in page}
    assert set(made) <= seen


def test_a_deletion_is_seen_by_the_full_run(settings: Settings, vendor: Account, shop: Shop, clock: Clock) -> None:
    vendor.books.delete("counterparty", uid("person", shop.people[0].id))
    assert CONNECTOR.resource("counterparties").complete == "full"
    full = read(settings(), "counterparties", Since(value=moscow(clock()), full=True, now=clock()))
    assert len(full) == len(shop.people)


# ── documents ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_receipts_add_up_to_what_the_tills_took(settings: Settings, shop: Shop, clock: Clock) -> None:
    config = settings()
    receipts = mapped(config, "retail_sales", read(config, "retail_sales", Since(now=clock())))
    sold = {order.number: order for order in shop.orders if order.channel == "store"}
    assert {receipt.number: receipt.total for receipt in receipts} == {n: order.total for n, order in sold.items()}
    assert {receipt.status for receipt in receipts} == {"completed"}
    for receipt in receipts:
        assert receipt.placed_at == sold[receipt.number].placed_at.replace(second=0)


def test_an_anonymous_receipt_has_no_customer(settings: Settings, shop: Shop, clock: Clock) -> None:
    config = settings()
    receipts = mapped(config, "retail_sales", read(config, "retail_sales", Since(now=clock())))
    known = {order.number for order in shop.orders if order.channel == "store" and order.person}
    assert {receipt.number for receipt in receipts if receipt.customer} == known
    customers = mapped(config, "counterparties", read(config, "counterparties", Since(now=clock())))
    assert {receipt.customer for receipt in receipts} - {None} <= {customer.external_id for customer in customers}
    assert "Розничный покупатель" not in {customer.name for customer in customers}


def test_positions_beyond_the_first_hundred_are_read_too(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    item = vendor.ref(shop.variants[0].sku)
    lines = [{"quantity": 1, "price": 100.0 * number, "assortment": item} for number in range(1, 251)]
    body = {"organization": ref("organization", ORGANIZATION), "agent": ref("counterparty", uid("buyer"))}
    clock.passes(minutes=1)
    vendor.books.write("customerorder", body | {"positions": lines})
    config = settings()
    [order] = mapped(config, "customer_orders", read(config, "customer_orders", after(clock, seconds=30)))
    assert len(order.lines) == 250
    assert order.total == sum(range(1, 251))


def test_an_order_follows_its_state_and_the_recycle_bin(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    uuid, config, seen = vendor.order(shop.variants[0].sku, SHOP), settings(), []
    for state in ("Подтвержден", "Собран", "Доставлен"):
        clock.passes(minutes=20)
        vendor.move(uuid, state)
        seen += mapped(config, "customer_orders", read(config, "customer_orders", after(clock, minutes=1)))
    clock.passes(minutes=20)
    vendor.books.trash("customerorder", uuid)
    seen += mapped(config, "customer_orders", read(config, "customer_orders", after(clock, minutes=1)))
    assert [order.status for order in seen] == ["confirmed", "ready", "delivered", "cancelled"]


def test_a_return_names_the_order_that_was_shipped(settings: Settings, shop: Shop, clock: Clock) -> None:
    config = settings()
    back = mapped(config, "sales_returns", read(config, "sales_returns", Since(now=clock())))
    shipped = [order for order in shop.orders if order.channel == "site" and order.status == "returned"]
    assert shipped
    assert {order.returns for order in back} == {f"moysklad:{uid('customerorder', order.number)}" for order in shipped}
    assert {order.kind for order in back} == {"return"}


# ── stock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_whole_report_tells_zeros_and_reserves(settings: Settings, shop: Shop, clock: Clock) -> None:
    config = settings()
    levels = mapped(config, "stock", read(config, "stock", Since(now=clock())))
    counted = {(level.variant, level.location): level.on_hand for level in levels}
    assert counted == {(uid("item", sku), uid("store", place)): count for (sku, place), count in shop.stock.items()}
    promised = Counter()
    for order in shop.orders:
        if order.channel == "site" and order.status in ("placed", "confirmed", "assembling", "ready"):
            promised.update({(uid("item", line.sku), uid("store", order.place)): line.quantity for line in order.lines})
    told = {(level.variant, level.location): level.reserved_by_source for level in levels if level.reserved_by_source}
    assert promised
    assert told == promised


def test_a_sale_and_a_reserve_are_all_that_the_next_run_reads(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    """A reserve changes no count, yet the record tells both; a sold-out item comes as 0."""
    both = (v.sku for v in shop.variants if vendor.in_stock(v.sku, SHOP) and vendor.in_stock(v.sku, OTHER))
    sold, promised = next(both), next(both)
    clock.passes(hours=1)
    left = vendor.in_stock(sold, SHOP)
    vendor.sell(sold, SHOP, quantity=left)
    vendor.order(promised, OTHER, quantity=2)
    config = settings()
    levels = mapped(config, "stock", read(config, "stock", after(clock, minutes=10)))
    told = {level.variant: (level.location, level.on_hand, level.reserved_by_source) for level in levels}
    assert told[uid("item", sold)][:2] == (uid("store", SHOP), 0)
    assert told[uid("item", promised)][1] == vendor.in_stock(promised, OTHER)
    assert told[uid("item", promised)][2] >= 2
    assert len(levels) == 2


def test_after_a_day_of_silence_the_whole_report_is_read(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    """MoySklad looks back 24 hours at most; what happened before would be lost."""
    config = settings()
    clock.passes(hours=30)
    levels = read(config, "stock", after(clock, hours=25))
    assert len(levels) == len(shop.stock)


def test_an_item_being_recalculated_says_nothing_of_its_stock(
    settings: Settings, vendor: Account, shop: Shop, clock: Clock
) -> None:
    busy = uid("item", shop.variants[0].sku)
    vendor.books.recalculating.add(busy)
    config = settings()
    levels = mapped(config, "stock", read(config, "stock", Since(now=clock())))
    assert busy not in {level.variant for level in levels}
    assert CONNECTOR.resource("stock").complete is False, "so nobody takes its absence for a zero"


def test_a_promise_of_no_store_lies_in_no_store(settings: Settings, vendor: Account, shop: Shop, clock: Clock) -> None:
    clock.passes(hours=1)
    vendor.order(shop.variants[0].sku, place=None, quantity=3)
    config = settings()
    [level] = mapped(config, "stock", read(config, "stock", after(clock, minutes=10)))
    assert (level.location, level.on_hand, level.reserved_by_source) == ("no-store", 0, 3)


def test_a_silent_stock_run_still_moves_the_cursor(settings: Settings, clock: Clock) -> None:
    clock.passes(hours=1)
    [page] = CONNECTOR.resource("stock").extract(settings(), after(clock, minutes=10))
    assert (list(page.records), page.cursor) == ([], moscow(clock()))


# ── the account ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_check_tells_a_merchant_with_a_dead_token_what_to_do(settings: Settings, vendor: Account) -> None:
    assert CONNECTOR.check is not None
    CONNECTOR.check(settings())
    vendor.door.new_token()
    with pytest.raises(ConfigError, match="Make a new token"):
        CONNECTOR.check(settings())


def test_without_the_region_nobody_would_know_the_tax_number(settings: Settings, shop: Shop, clock: Clock) -> None:
    kz, ru = settings(), settings(region="ru")
    here = mapped(kz, "counterparties", read(kz, "counterparties", Since(now=clock())))
    there = mapped(ru, "counterparties", read(ru, "counterparties", Since(now=clock())))
    assert len([customer for customer in here if customer.tax_id]) == len(shop.people)
    assert not [customer for customer in there if customer.tax_id]
