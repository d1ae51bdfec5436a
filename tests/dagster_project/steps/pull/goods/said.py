"""What systems say of goods, and what is known of them then."""


def a_product(name="p1", code="A", **more):
    return {"id": name, "code": code, "name": f"Thing {code}", **more}


def a_count(variant="p1", count=5, place="W1", **more):
    return {"variant": variant, "count": count, "place": place, **more}


def products(shop):
    return dict(shop.rows("select sku, name from canonical.product where deleted_at is null"))


def counts(shop):
    rows = shop.rows("select sku, location, on_hand from canonical.stock_level where deleted_at is null")
    return {(sku, place): int(count) for sku, place, count in rows}
