"""Goods get other traits, and the buyers of those goods are looked at: nobody else is."""

import pytest


@pytest.fixture
def lamps(town):
    """ANNA bought a lamp and BOLAT a sofa; a segment asks who bought light. DINA would be in if she were looked at:
    her lamp was bought behind everybody's back."""
    town.sells("LAMP", "Decor")
    town.sells("SPARE", "Decor")
    town.sells("SOFA", "Sofas")
    town.writes("light", {"bought": {"category": "Light"}})
    town.lives("ANNA", "BOLAT", "DINA")
    town.buys("ANNA", "LAMP")
    town.buys("BOLAT", "SOFA")
    town.buys("DINA", "SPARE")
    town.looks()
    town.say("update canonical.product set category = 'Light' where sku = 'SPARE'")
    return town


def test_a_lamp_that_is_moved_to_another_category_brings_its_buyers_and_nobody_else_is_looked_at(lamps):
    lamps.sells("LAMP", "Light/Table lamps")
    assert lamps.looks() == 1
    assert lamps.members("light") == {"ANNA"}
    assert lamps.story("light", "ANNA") == [("entered", "the category of goods bought changed")]
    lamps.sells("LAMP", "Decor")
    lamps.looks()
    assert lamps.members("light") == set()


def test_a_product_that_comes_after_it_was_sold_brings_its_buyers(lamps):
    lamps.buys("BOLAT", "TORCH")
    lamps.looks()
    lamps.sells("TORCH", "Light")
    lamps.looks()
    assert lamps.members("light") == {"BOLAT"}


def test_who_bought_under_a_name_that_a_product_no_longer_has_is_looked_at(lamps):
    lamps.writes("decor", {"bought": {"category": "Decor"}})
    lamps.looks()
    assert lamps.members("decor") == {"ANNA"}
    lamps.sells("LUMEN", "Decor", external_id="LAMP")
    lamps.looks()
    assert lamps.members("decor") == set(), "what was sold stays sold as LAMP, and there is no such product any more"


def test_nobody_is_looked_at_for_a_trait_that_no_segment_asks_for(lamps):
    lamps.sells("SPARE", "Light", brand="Nur", name="A spare lamp")
    lamps.say("update canonical.product set category = 'Light' where sku = 'LAMP'")
    lamps.sells("LAMP", "Light", brand="Nur", name="A better lamp")
    assert lamps.looks() == 0
    assert lamps.all("select * from hub.dirty where entity in ('brand', 'name')") == []


def test_a_renamed_brand_brings_its_buyers_where_a_field_asks_for_it(lamps):
    (lamps.folder / "fields.yaml").write_text(
        "brand.fan:\n  kind: flag\n  title: {ru: Марка, kk: Марка, en: Brand}\n  sql: >\n"
        '    exists (select 1 from canonical."order" o join canonical.order_line i on i.external_id = o.external_id\n'
        "      join canonical.product p on p.sku = i.sku where o.person_id = b.person_id and p.brand = 'Nur')\n",
        "utf-8",
    )
    lamps.writes("fans", {"field": "brand.fan", "op": "=", "value": True})
    lamps.looks()
    lamps.sells("LAMP", brand="Nur")
    lamps.looks()
    assert lamps.members("fans") == {"ANNA"}
    assert lamps.story("fans", "ANNA") == [("entered", "the brand of goods bought changed")]


def test_before_there_is_a_segment_nothing_is_remembered_of_goods(town):
    town.sells("LAMP", "Light")
    assert town.all("select * from hub.dirty where entity in ('category', 'brand', 'name')") == []
