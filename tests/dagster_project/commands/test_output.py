"""How rows are printed for people."""

from dagster_project.commands.output import print_rows


def test_rows_of_several_kinds_keep_their_values_under_their_own_names(capsys):
    print_rows([{"kind": "product", "sku": "TEA"}, {"kind": "price", "amount": "1250"}], as_json=False)
    names, product, price = capsys.readouterr().out.splitlines()
    assert product.index("TEA") == names.index("sku")
    assert price.index("1250") == names.index("amount")
