"""Whoever is forgotten is forgotten in workbooks and in files of any size; whatever else stands there stays."""

import zipfile

import pytest
from python_calamine import load_workbook

from dagster_project.connections import Hub, parse
from dagster_project.home import home
from dagster_project.steps.people import erase_books, erase_files, erase_texts
from mappings.privacy.forget import Traces

ALIYA = Traces(
    frozenset({"+77000000001"}), frozenset({"aliya.t@shop.example"}), frozenset({"Алия Тестовая", "Абая 1 & 2"})
)
NOWHERE = Hub({})


@pytest.fixture(autouse=True)
def _a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path))


SHEET = """<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>77000000001</v></c>
<c r="C1" t="inlineStr"><is><t>ул. Абая 1 &amp; 2, aliya.t@shop.example</t></is></c></row>
<row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2"><v>77000000002</v></c><c r="C2"><v>5</v></c></row>
</sheetData><hyperlinks><hyperlink ref="C1" r:id="rId1"/></hyperlinks></worksheet>"""
PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="sharedStrings.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/></Relationships>',
    "xl/worksheets/sheet1.xml": SHEET,
    "xl/worksheets/_rels/sheet1.xml.rels": '<Relationships><Relationship Target="mailto:aliya.t@shop.example"/>'
    "</Relationships>",
    "xl/sharedStrings.xml": '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<si><t>Алия Тестовая</t></si><si><t>Марат</t></si></sst>",
}  # fmt: skip


def test_a_workbook_loses_the_person_and_keeps_everybody_else():
    with zipfile.ZipFile(home() / "cards.xlsx", "w") as book:
        for name, xml in PARTS.items():
            book.writestr(name, xml)
    before = load_workbook(str(home() / "cards.xlsx")).get_sheet_by_index(0).to_python()
    assert before[0][:2] == ["Алия Тестовая", 77000000001]

    assert erase_files.rewrite(NOWHERE, ALIYA).rewritten == ["cards.xlsx"]

    assert erase_files.hits(NOWHERE, ALIYA) == {}
    rows = load_workbook(str(home() / "cards.xlsx")).get_sheet_by_index(0).to_python()
    assert rows == [["", "", "ул. ,"], ["Марат", 77000000002, 5]]
    with zipfile.ZipFile(home() / "cards.xlsx") as book:
        assert [part.filename for part in book.infolist()] == list(PARTS)


def test_a_name_that_formatting_cuts_in_two_is_found_and_goes():
    runs = '<r><t>Алия </t></r><r><rPr><b/></rPr><t xml:space="preserve">Тестовая</t></r>'
    cut = f"<sst><si>{runs}</si><si><t>Марат</t></si></sst>"
    with zipfile.ZipFile(home() / "cut.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", cut)
    assert erase_files.hits(NOWHERE, ALIYA) == {"cut.xlsx": 1}
    assert erase_files.rewrite(NOWHERE, ALIYA).rewritten == ["cut.xlsx"]
    with zipfile.ZipFile(home() / "cut.xlsx") as book:
        left = book.read("xl/sharedStrings.xml").decode()
    assert "Тестовая" not in left
    assert "<si><t>Марат</t></si>" in left


def test_a_picture_in_a_workbook_stays_byte_for_byte():
    picture = bytes(range(256))
    with zipfile.ZipFile(home() / "shop.xlsx", "w") as book:
        book.writestr("xl/media/a.png", picture)
        book.writestr("docProps/core.xml", "<creator>Алия Тестовая</creator>")
    erase_files.rewrite(NOWHERE, ALIYA)
    with zipfile.ZipFile(home() / "shop.xlsx") as book:
        assert book.read("xl/media/a.png") == picture
        assert book.read("docProps/core.xml") == b"<creator></creator>"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "utf-16"])
@pytest.mark.parametrize("piece", [7, 64, 2**20])
def test_a_text_of_any_size_and_encoding_is_rewritten_piece_by_piece(monkeypatch, encoding, piece):
    """Pieces far smaller than a line: nothing is missed where one ends and the next begins."""
    monkeypatch.setattr(erase_texts, "PIECE", piece)
    lines = [f'{number};"Марат Тестовый";"+77000000002"\r\n' for number in range(40)]
    hers = '7;"Алия Тестовая";"8 (700) 000-00-01"\r\n'
    (home() / "cards.csv").write_bytes("".join([*lines, hers, *lines]).encode(encoding))
    assert erase_files.rewrite(NOWHERE, ALIYA).rewritten == ["cards.csv"]
    assert (home() / "cards.csv").read_bytes().decode(encoding) == "".join([*lines, '7;"";""\r\n', *lines])


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ('7,Алия,"Абая 10, кв 5",Алматы\n', "7,,,\n"),
        ("Алия;7;Абая 10, кв 5, домофон\r\n", ";7;\r\n"),
        ('"7";"ТОО ""Шай""; офис 5";ж', "7;;"),
        ("8,Марат,7\n", ",,7\n"),
        ('7,Алия,"Абая 10,\n', '7,Алия,"Абая 10,\n'),
        ("8,Марат\n", "8,Марат\n"),
    ],
    ids=["a comma in quotes", "another sign", "quotes in quotes", "id at the end", "a cell of two lines", "not hers"],
)
def test_of_a_line_that_is_the_persons_the_id_stays_and_its_cells_are_empty(line, left):
    """An address with a comma left the comma, which was an address still: the proof found the person in every list."""
    path, draft = home() / "cards.csv", home() / "draft.csv"
    path.write_bytes(("8,Марат\r\n" + line).encode())
    erase_texts.write_blanked(path, draft, "utf-8", {2: "7"})
    assert draft.read_bytes().decode() == "8,Марат\r\n" + left


def test_a_line_without_end_is_cut_where_no_trace_can_run(monkeypatch):
    monkeypatch.setattr(erase_texts, "PIECE", 16)
    said = '{"a":"' + "x" * 50 + '","name":"Алия Тестовая","b":"' + "y" * 50 + '"}'
    (home() / "one-line.jsonl").write_text(said * 20, "utf-8")
    erase_files.rewrite(NOWHERE, ALIYA)
    assert (home() / "one-line.jsonl").read_text("utf-8") == said.replace("Алия Тестовая", "") * 20


def test_what_cannot_be_rewritten_is_a_duty_and_stays_whole():
    broken = b"\x98\xff\x00" + b"aliya.t@shop.example"
    (home() / "old.xls").write_bytes(broken)
    done = erase_files.rewrite(NOWHERE, ALIYA)
    assert done.rewritten == []
    assert done.owed == ["old.xls holds the person in a form that cannot be rewritten: delete it by hand"]
    assert (home() / "old.xls").read_bytes() == broken
    assert erase_files.hits(NOWHERE, ALIYA) == {"old.xls": 1}
    assert [path.name for path in home().iterdir()] == ["old.xls"], "no draft is left"


def test_a_file_that_was_nothing_but_the_person_is_empty_then():
    (home() / "note.txt").write_text("aliya.t@shop.example")
    assert erase_files.rewrite(NOWHERE, ALIYA).rewritten == ["note.txt"]
    assert (home() / "note.txt").read_bytes() == b""


def test_the_words_of_a_workbook_that_are_nobodys_keep_their_entities():
    xml = "<t>5 &lt; 6 &amp;#10; x&#13;</t><t>aliya.t@shop.example</t>"
    assert erase_books._clean(xml.encode(), ALIYA) == b"<t>5 &lt; 6 &amp;#10; x&#13;</t><t></t>"


def test_only_what_a_connection_reads_is_rewritten_not_what_lies_beside_it(tmp_path_factory):
    """A file named straight in the folder of connections.yaml does not give the whole folder away."""
    shared = tmp_path_factory.mktemp("shared")
    for name in ("cards.csv", "somebody-elses.csv", "notes.txt"):
        (shared / name).write_text("aliya.t@shop.example\n")
    (shared / "below").mkdir()
    (shared / "below" / "cards.csv").write_text("aliya.t@shop.example\n")
    hub = parse("crm: {connector: files, settings: {path: cards.csv}}", {}, folder=shared)
    assert erase_files.rewrite(hub, ALIYA).rewritten == ["cards.csv"]
    left = sorted(
        str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file() and path.read_text() != "\n"
    )
    assert left == ["below/cards.csv", "notes.txt", "somebody-elses.csv"]
