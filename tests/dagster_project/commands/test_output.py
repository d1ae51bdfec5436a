"""How rows are printed for people."""

from dagster_project.commands.output import print_rows, progress


def test_rows_of_several_kinds_keep_their_values_under_their_own_names(capsys):
    print_rows([{"kind": "product", "sku": "TEA"}, {"kind": "price", "amount": "1250"}], as_json=False)
    names, product, price = capsys.readouterr().out.splitlines()
    assert product.index("TEA") == names.index("sku")
    assert price.index("1250") == names.index("amount")


def test_a_log_says_what_is_being_done_line_by_line(capsys):
    with progress("first sync") as tell:
        tell("erp", "reading products")
        tell("hub", "deciding")
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()) == ("", ["first sync: erp reading products", "first sync: hub deciding"])
