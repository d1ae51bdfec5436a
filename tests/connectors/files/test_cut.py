"""A file cut at any byte is refused whole, unless nobody could see the cut: after a line of a text without a total."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.files.config import FilesConfig
from connectors.files.source import find, read
from connectors.sdk.errors import RejectedError
from connectors.sdk.files import FileFrames

Reads = Callable[..., FileFrames]
HEADER = "receipt,sku,quantity,total,placed_at,name\n"
LINES = [
    "1,tea,1,1250.50,2026-03-02 10:00:00,Чай\n",
    '2,milk,2,700,2026-03-02 10:05:00,"Сүт ""Асыл"", 3,2 %"\n',
    '2,bread,1,150,2026-03-02 10:05:00,"нан\nдөңгелек"\n',
    "3,tea,-1,-1250.50,2026-03-02 11:00:00,Чай\n",
]
TEXT = HEADER + "".join(LINES)
TOTAL = "Итого,,3,850.00,,\n"


def seen(frames: FileFrames) -> list[object]:
    return [frames.frames["order"].to_pylist(), frames.frames["order_line"].to_pylist(), frames.set_aside.to_pylist()]


def survivors(reads: Reads, content: bytes, **settings: object) -> dict[int, FileFrames]:
    """Length → frames, of the beginnings of a file that are taken for a file."""
    found = {}
    for length in range(len(content)):
        try:
            found[length] = reads(content[:length], **settings)
        except RejectedError as error:
            assert "breaks at line" in str(error)  # noqa: PT017 the rest of the loop counts what is not refused
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_cut_text_is_refused_unless_it_ends_where_a_line_does(reads: Reads, encoding: str, line_end: str):
    def encoded(lines: list[str]) -> bytes:
        return "".join([HEADER, *lines]).replace("\n", line_end).encode(encoding)

    whole_lines = {len(encoded(LINES[:count])): LINES[:count] for count in range(len(LINES))}
    found = survivors(reads, encoded(LINES))
    assert found.keys() == whole_lines.keys()
    for length, frames in found.items():
        assert seen(frames) == seen(reads(encoded(whole_lines[length])))


def test_a_cut_text_with_a_total_row_is_refused_everywhere(reads: Reads):
    content = (TEXT + TOTAL).encode()
    alike = survivors(reads, content, footer="Итого")
    assert all(seen(frames) == seen(reads(content, footer="Итого")) for frames in alike.values())
    assert min(alike) > len(TEXT.encode()), "a cut inside the total row costs no receipt"


def test_a_text_whose_last_line_never_ends_needs_the_setting_and_every_cell(reads: Reads):
    endless = TEXT.rstrip("\n")
    with pytest.raises(RejectedError, match="line 6: the last line does not end"):
        reads(endless)
    assert seen(reads(endless, whole="fields")) == seen(reads(TEXT))
    with pytest.raises(RejectedError, match="lacks cells"):
        reads(endless.removesuffix(",Чай"), whole="fields")


def test_json_is_whole_when_its_last_bracket_stands(reads: Reads):
    content = b"""{"store_code": "A", "receipts": [
        {"id": "1", "datetime": "2026-03-02T10:00:00+05:00", "lines": [{"sku": "tea", "qty": 1, "sum": 12.5}]}
    ]}\n"""
    found = survivors(reads, content, name="file.json")
    assert list(found) == [len(content) - 1]
    assert seen(found[len(content) - 1]) == seen(reads(content, name="file.json"))


def test_json_lines_are_whole_line_by_line(reads: Reads):
    lines = [
        b'{"receipt": "%d", "sku": "tea", "quantity": 1, "total": 5.25, "placed_at": "2026-03-02"}' % n
        for n in range(3)
    ]
    content = b"\n".join(lines)
    ends = {len(b"\n".join(lines[:count])) + extra for count in (1, 2) for extra in (0, 1)}
    assert survivors(reads, content, name="file.jsonl").keys() == ends


def test_a_cut_workbook_is_refused_everywhere(reads: Reads, tmp_path: Path):
    content = workbook()
    assert reads(content, name="file.xlsx").read == 1
    assert survivors(reads, content, name="file.xlsx") == {}


def test_a_workbook_with_a_damaged_part_is_refused(reads: Reads):
    content = bytearray(workbook(zipfile.ZIP_STORED))
    content[content.index(b"tea") + 1] ^= 1
    with pytest.raises(RejectedError, match="is damaged"):
        reads(bytes(content), name="file.xlsx")


def workbook(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The smallest book that a spreadsheet would open."""
    rows = [["receipt", "sku", "quantity", "total", "placed_at"], ["1", "tea", "1", "5", "2026-03-02 10:00"]]
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    rels = f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/{{}}" Target="{{}}"/>'
    types = f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'
    sheet = '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
    parts = {
        "[Content_Types].xml": types,
        "_rels/.rels": rels.format("officeDocument", "xl/workbook.xml") + "</Relationships>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}">{sheet}</workbook>',
        "xl/_rels/workbook.xml.rels": rels.format("worksheet", "worksheets/s.xml") + "</Relationships>",
        "xl/worksheets/s.xml": f"<worksheet {main}><sheetData>{cells}</sheetData></worksheet>",
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return made.getvalue()


# ── markers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    path = tmp_path / "file.csv"
    path.write_text(TEXT.rstrip("\n"))
    return path


def config(path: Path, **settings: object) -> FilesConfig:
    return FilesConfig(
        path=str(path.parent / "*"), layout="receipts", currency="KZT", timezone="Asia/Almaty", **settings
    )  # type: ignore[arg-type]


def test_a_marker_beside_the_file_proves_it_whole(dropped: Path):
    dropped.with_name("file.csv.done").touch()
    (found,) = find(config(dropped))
    assert read(config(dropped), found).read == 4


def test_a_checksum_that_differs_refuses_the_file(dropped: Path):
    dropped.with_name("file.csv.md5").write_text("d41d8cd98f00b204e9800998ecf8427e  file.csv")
    (found,) = find(config(dropped))
    with pytest.raises(RejectedError, match=r"not the one in file\.csv\.md5"):
        read(config(dropped), found)


def test_where_a_marker_is_asked_for_the_file_waits_for_it(dropped: Path):
    (found,) = find(config(dropped, whole="marker"))
    assert "has not come yet" in str(found.waiting)
    dropped.with_name("file.csv.done").touch()
    (found,) = find(config(dropped, whole="marker"))
    assert found.waiting is None


@pytest.mark.parametrize("name", ["file.csv.part", "file.csv.tmp", ".file.csv", "~$file.xlsx", "file.csv.done"])
def test_what_a_transfer_still_names_otherwise_is_no_file_yet(tmp_path: Path, name: str):
    (tmp_path / name).write_text(TEXT)
    assert list(find(config(tmp_path / name))) == []


def test_zero_bytes_at_the_end_tell_of_a_power_cut(reads: Reads):
    with pytest.raises(RejectedError, match="zero bytes"):
        reads(TEXT + "\0" * 100)


def test_the_end_mark_of_old_tills_is_no_data(reads: Reads):
    assert seen(reads(TEXT + "\x1a")) == seen(reads(TEXT))
