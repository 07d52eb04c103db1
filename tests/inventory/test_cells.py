"""Writing serials into their cells: exactly these cells are others, and nothing else is."""

import io
import re
import zipfile
from collections.abc import Mapping

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from inventory import cells, model, recorders, workbook
from inventory.workbook import NotReadable
from tests.workbooks import (
    SHEET,
    TITLES,
    book_of,
    cell,
    changed,
    packed,
    parts,
    row,
    saved,
    sheet_of,
    with_sheet,
    write,
)

ROWS = (("AB12345", "SITE-001", "Mall"), ("AB12346", "SITE-002", "Port"))
NEW = {"SITE-002": "NEW12345"}


def sites(data: bytes) -> dict[str, str]:
    return {recorder.site: recorder.serial for recorder in recorders.read(data).rows}


def written(data: bytes, serials: Mapping[str, str] = NEW) -> bytes:
    """The file with these serials, none of which was refused."""
    result = cells.with_serials(data, serials)
    assert result.refused == {}
    assert result.data is not None
    return result.data


def only_the_cell(old: bytes, new: bytes, place: str) -> None:
    """Byte by byte, the files differ in one cell of one part."""
    before, after = parts(old), parts(new)
    assert list(before) == list(after)
    assert [name for name in before if before[name] != after[name]] == [SHEET]
    pattern = rb'<(\w+:)?c r="' + place.encode() + rb'"((?!>).)*?(/>|>.*?</(\w+:)?c>)'
    first, other = (re.sub(pattern, b"", each[SHEET], flags=re.S) for each in (before, after))
    assert first == other


def rich() -> bytes:
    """A workbook with all that must survive."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"].font = Font(bold=True)  # an empty cell beside the table that has a format
    for number, values in enumerate((TITLES, *ROWS), start=3):
        for place, value in enumerate(values, start=2):
            sheet.cell(number, place).value = value
    sheet["B5"] = 123456
    sheet["B5"].number_format = "0000000000"
    sheet["B5"].font = Font(bold=True, color="FF0000")
    sheet["B5"].comment = Comment("in the cellar", "Ada")
    sheet["D4"] = '="Ma"&"ll"'
    sheet["G4"] = "=1+1"
    sheet.column_dimensions["B"].width = 33
    sheet.freeze_panes = "A4"
    sheet.merge_cells("H1:I2")
    sheet.conditional_formatting.add("B4:B9", CellIsRule("equal", ["1"], font=Font(bold=True)))
    allowed = DataValidation(type="list", formula1='"Mall,Port"')
    allowed.add("D4:D9")
    sheet.add_data_validation(allowed)
    book.defined_names["serials"] = DefinedName("serials", attr_text="Sheet!$B$4:$B$9")
    book.create_sheet("Other")["A1"] = "kept"
    data = changed(
        saved(book), SHEET, r'<c r="D4"([^>]*)>(.*?)<v\s*/>', r'<c r="D4"\1 t="str">\2<v>Mall</v>'
    )
    more = {"xl/vbaProject.bin": bytes(range(256)), "xl/media/image1.png": b"\x89PNG" + bytes(99)}
    return packed({**parts(data), **more})


def test_only_the_one_cell_is_another_one():
    before = rich()
    after = written(before)
    assert sites(after) == {"SITE-001": "AB12345", "SITE-002": "NEW12345"}
    only_the_cell(before, after, "B5")


def test_everything_that_a_cell_may_have_survives_as_another_program_reads_it():
    after = openpyxl.load_workbook(io.BytesIO(written(rich())))
    sheet = after["Sheet"]
    assert sheet["B5"].value == "NEW12345"
    assert sheet["B5"].font.color.rgb == "00FF0000"
    assert sheet["B5"].number_format == "0000000000"
    assert sheet["B5"].comment.text == "in the cellar"
    assert sheet["G4"].value == "=1+1"
    assert sheet.column_dimensions["B"].width == 33
    assert sheet.freeze_panes == "A4"
    assert [str(span) for span in sheet.merged_cells.ranges] == ["H1:I2"]
    assert [str(rule.sqref) for rule in sheet.conditional_formatting] == ["B4:B9"]
    assert [str(rule.sqref) for rule in sheet.data_validations.dataValidation] == ["D4:D9"]
    assert after.defined_names["serials"].attr_text == "Sheet!$B$4:$B$9"
    assert after["Other"]["A1"].value == "kept"


def test_the_values_of_formulas_are_still_there_after_a_cell_was_written():
    assert [recorder.store for recorder in recorders.read(written(rich())).rows] == ["Mall", "Port"]


def test_the_packing_the_order_and_the_remark_of_the_file_stay():
    before = io.BytesIO()
    with zipfile.ZipFile(before, "w") as new:
        for n, (name, content) in enumerate(parts(book_of(ROWS)).items()):
            way = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[n % 2]
            new.writestr(zipfile.ZipInfo(name, (2020, 1, n + 1, 0, 0, 0)), content, way)
        new.comment = b"by Ada"
    with (
        zipfile.ZipFile(before) as old,
        zipfile.ZipFile(io.BytesIO(written(before.getvalue()))) as new,
    ):
        assert new.comment == b"by Ada"
        assert [
            (member.filename, member.compress_type, member.date_time) for member in new.infolist()
        ] == [
            (member.filename, member.compress_type, member.date_time) for member in old.infolist()
        ]


def test_through_the_child_it_is_the_same():
    data = book_of(ROWS)
    result = workbook.with_serials(data, {**NEW, "SITE-009": "NEW00009"})
    assert result.data == written(data)
    assert result.gone == ["SITE-009"]


def test_several_cells_are_written_and_may_be_written_again():
    data = written(book_of(ROWS), {"SITE-001": "NEW00001", "SITE-002": "NEW00002"})
    data = written(data, {"SITE-001": "NEW00003"})
    assert sites(data) == {"SITE-001": "NEW00003", "SITE-002": "NEW00002"}


def test_a_serial_that_stands_there_already_changes_nothing():
    assert cells.with_serials(book_of(ROWS), {"SITE-001": "AB12345"}).data is None


@pytest.mark.parametrize("begin", [(1, 1), (3, 2), (7, 26), (2, 53)])
def test_the_table_may_begin_anywhere(begin):
    assert sites(written(book_of(ROWS, begin=begin)))["SITE-002"] == "NEW12345"


# -- as other programs write them --------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r'<c r="[A-Z]+\d+"', "<c"),
        (r'<row r="\d+"', "<row"),
        (r'<c r="([A-Z]+)(\d+)"', lambda match: f'<c r="{match[1].lower()}{match[2]}"'),
    ],
)
def test_a_sheet_that_names_no_places_is_written_by_counting(pattern, text):
    data = changed(book_of(ROWS), SHEET, pattern, text)
    assert sites(written(data))["SITE-002"] == "NEW12345"


def test_some_cells_may_have_a_place_and_others_not():
    some = '<row><c t="inlineStr"><is><t>AB12346</t></is></c>' + cell("B3", "SITE-002") + "</row>"
    text = sheet_of(row(2, "AB12345", "SITE-001") + some + row(9, "AB12347", "SITE-003"))
    assert sites(written(with_sheet(text))) == {
        "SITE-001": "AB12345",
        "SITE-002": "NEW12345",
        "SITE-003": "AB12347",
    }


def test_the_place_of_a_cell_counts_and_not_that_of_its_row():
    text = sheet_of(
        row(2, "AB12345", "SITE-001").replace('<row r="2"', '<row r="7"') + row(3, *ROWS[1])
    )
    after = written(with_sheet(text), {"SITE-001": "NEW12345"})
    assert sites(after) == {"SITE-001": "NEW12345", "SITE-002": "AB12346"}


@pytest.mark.parametrize("prefix", ["x", "c", "ab.c-d"])
def test_a_sheet_whose_names_have_a_prefix_is_written_with_it(prefix):
    data = changed(book_of(ROWS), SHEET, r"<(/?)(?=[a-z])", rf"<\1{prefix}:")
    data = changed(data, SHEET, "xmlns=", f"xmlns:{prefix}=")
    after = written(data)
    assert f"<{prefix}:t>NEW12345</{prefix}:t>".encode() in parts(after)[SHEET]
    assert sites(after)["SITE-002"] == "NEW12345"
    assert openpyxl.load_workbook(io.BytesIO(after)).active["A3"].value == "NEW12345"


def test_a_cell_that_names_its_own_namespace_keeps_it():
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    own = cell("A3", "AB12346", "y:c").replace("<is>", "<y:is>").replace("</is>", "</y:is>")
    own = own.replace("<t>", "<y:t>").replace("</t>", "</y:t>")
    own = own.replace("<y:c", f'<y:c xmlns:y="{space}"')
    text = sheet_of(row(2, *ROWS[0]) + f'<row r="3">{own}{cell("B3", "SITE-002")}</row>')
    after = written(with_sheet(text))
    assert openpyxl.load_workbook(io.BytesIO(after)).active["A3"].value == "NEW12345"


@pytest.mark.parametrize(
    "written_cell",
    [
        '<c r="A3" t="s"><v>0</v></c>',
        '<c r="A3" t="s" s="0"  ><v>1</v></c >',
        '<c r="A3"><v>123456</v></c>',
        "<c r='A3' x='a>b' t='inlineStr'><is><t>AB12346</t></is></c>",
        '<c r="A3" t="str"><v>AB12346</v></c>',
        '<c r="A3" t="inlineStr"><is><r><t>AB</t></r><r><t>12346</t></r></is></c>',
        '<c r="A3" t="inlineStr"><!-- </c> --><is><t>AB12346</t></is></c\n>',
        '<c r="A3" t="inlineStr"><is><t>AB12346</t><x y="/>"/></is></c>',
    ],
)
def test_every_kind_of_cell_is_written(written_cell):
    strings = (
        b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b"<si><r><t>AB1</t></r><r><t>2346</t></r></si>"
        b'<si><t>AB12346</t><rPh sb="0" eb="1"><t>spoken</t></rPh></si></sst>'
    )
    rest = cell("B3", "SITE-002") + cell("C3", "Port")
    text = sheet_of(
        row(2, *ROWS[0]) + f'<row r="3">{written_cell}{rest}</row>' + row(4, "AB9", "SITE-4")
    )
    data = shared({**parts(with_sheet(text)), "xl/sharedStrings.xml": strings})
    assert sites(data)["SITE-002"] in ("AB12346", "123456")
    after = written(data)
    assert sites(after) == {"SITE-001": "AB12345", "SITE-002": "NEW12345"}
    inner = parts(after)[SHEET].decode()
    assert f"<is><t>NEW12345</t></is></c>{rest}</row>" in inner


def shared(book: dict[str, bytes]) -> bytes:
    """The workbook, and it knows that it has shared texts."""
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    link = b'<Relationship Id="rId99" Type="' + kind + b'" Target="sharedStrings.xml"/>'
    rels = "xl/_rels/workbook.xml.rels"
    tail = b"</Relationships>"
    return packed({**book, rels: book[rels].replace(tail, link + tail)})


@pytest.mark.parametrize("empty", ['<c r="A2"/>', '<c r="A2" s="0" />', "<c r='A2' x='>'/>"])
@pytest.mark.parametrize("after", ["", "<!-- > -->", cell("B2", "SITE-001")])
def test_an_empty_cell_is_written_without_touching_what_follows(empty, after):
    data = with_sheet(sheet_of(f'<row r="2">{empty}{after}</row>' + row(3, *ROWS[1])))
    new, refused = cells.replace_texts(data, "Sheet", {(2, 0): "NEW12345"})
    assert refused == {}
    text = parts(new)[SHEET].decode()
    assert f"<is><t>NEW12345</t></is></c>{after}</row>{row(3, *ROWS[1])}" in text


def test_a_sheet_that_begins_with_a_byte_order_mark_is_written():
    text = sheet_of(row(2, *ROWS[0]) + row(3, *ROWS[1])).encode("utf-8-sig")
    after = written(with_sheet(text))
    assert parts(after)[SHEET] == text.replace(b"AB12346", b"NEW12345")


@pytest.mark.parametrize("declared", ["utf-16", "iso-8859-1", "cp037", "nonsense"])
def test_bytes_are_counted_right_whatever_encoding_is_declared(declared):
    text = sheet_of(row(2, "AB12345", "SITE-001", "Köln 東京 𝄞") + row(3, *ROWS[1]))
    data = with_sheet(text.replace("UTF-8", declared))
    try:
        after = cells.with_serials(data, NEW).data
    except NotReadable:
        return
    assert parts(after)[SHEET] == parts(data)[SHEET].replace(b"AB12346", b"NEW12345")


def test_a_text_in_cdata_is_never_mixed_up():
    cells = '<c r="A2" t="inlineStr"><is><t><![CDATA[<c r="A3">]]></t></is></c>'
    text = sheet_of(f'<row r="2">{cells}</row>' + row(3, *ROWS[1]))
    data = with_sheet(text)
    assert parts(written(data))[SHEET] == text.replace("AB12346", "NEW12345").encode()


def test_cells_outside_the_rows_are_none():
    decoy = '<row r="3">' + cell("A3", "AB12346") + "</row>"
    data = with_sheet(sheet_of(row(2, *ROWS[0]) + row(3, *ROWS[1]), before=decoy, after=decoy))
    text = parts(written(data))[SHEET].decode()
    assert text.count(decoy) == 2
    assert text.count("NEW12345") == 1


# -- what is not written -----------------------------------------------------------------------


def test_a_cell_with_a_formula_is_not_overwritten_and_the_others_are():
    data = changed(
        book_of([('="AB"&"12345"', "SITE-001", "Mall"), ROWS[1]]),
        SHEET,
        r'(<c r="A2")([^>]*>.*?)<v\s*/>',
        r'\1 t="str"\2<v>AB12345</v>',
    )
    result = cells.with_serials(data, {**NEW, "SITE-001": "NEW00001"})
    assert result.refused == {
        "SITE-001": "A2 has a formula. Enter the serial number there in Excel."
    }
    assert result.data is not None
    assert sites(result.data) == {"SITE-001": "AB12345", "SITE-002": "NEW12345"}


@pytest.mark.parametrize("serial", [None, "AB12345", "no serial!"])
def test_a_row_that_lacks_only_a_serial_gets_one(serial):
    data = book_of([ROWS[0], (serial, "SITE-003", "Pier"), ROWS[1]])
    after = written(data, {"SITE-003": "NEW12345"})
    assert sites(after) == {"SITE-001": "AB12345", "SITE-003": "NEW12345", "SITE-002": "AB12346"}


def test_a_site_that_two_rows_lack_a_serial_for_is_filled_once():
    data = book_of([(None, "SITE-003", "Pier"), (None, "SITE-003", "Quay")])
    after = recorders.read(written(data, {"SITE-003": "NEW12345"}))
    assert [(recorder.number, recorder.store) for recorder in after.rows] == [(2, "Pier")]
    assert [problem.error for problem in after.problems] == ["P2P NUMBER of SITE-003 is empty"]


def test_a_site_that_two_rows_have_is_written_into_the_one_that_is_used():
    data = book_of([(None, "SITE-003", "Pier"), ("AB12347", "SITE-003", "Quay")])
    after = recorders.read(written(data, {"SITE-003": "NEW12345"}))
    assert [(recorder.number, recorder.serial) for recorder in after.rows] == [(3, "NEW12345")]


@pytest.mark.parametrize(
    "cells",
    [
        cell("B3", "SITE-002") + cell("C3", "Port"),
        cell("B3", "SITE-002"),
        '<c r="B3" t="inlineStr"><is><t>SITE-002</t></is></c><c t="inlineStr"><is/></c>',
    ],
)
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_a_cell_that_is_not_stored_yet_is_put_into_its_row(cells, prefix):
    text = sheet_of(row(2, *ROWS[0]) + f'<row r="3">{cells}</row>' + row(4, "AB9999", "SITE-4"))
    if prefix:
        text = re.sub("<(/?)(?=[a-z])", rf"<\1{prefix}", text).replace("xmlns=", "xmlns:x=")
    data = with_sheet(text)
    after = written(data)
    assert sites(after) == {"SITE-001": "AB12345", "SITE-002": "NEW12345", "SITE-4": "AB9999"}
    new = cell("A3", "NEW12345").replace("<", f"<{prefix}").replace(f"<{prefix}/", f"</{prefix}")
    assert parts(after)[SHEET].decode().replace(new, "") == text
    assert openpyxl.load_workbook(io.BytesIO(after)).active["A3"].value == "NEW12345"


def test_a_cell_at_the_end_of_its_row_is_added_there():
    titles = ("SITE", "STORE NAME", "P2P NUMBER")
    data = book_of([("SITE-002", "Port", None)], titles)
    assert sites(written(data)) == {"SITE-002": "NEW12345"}


def test_a_cell_inside_a_merged_one_is_not_written():
    data = merged(book_of([ROWS[0], (None, "SITE-002", "Port")]), "A2:A3")
    result = cells.with_serials(data, NEW)
    assert result.data is None
    assert result.refused == {
        "SITE-002": "A3 is part of a merged cell. Enter the serial number there in Excel."
    }


def merged(data: bytes, place: str) -> bytes:
    cells = f'<mergeCells><mergeCell ref="{place}"/></mergeCells>'
    return changed(data, SHEET, "</sheetData>", f"</sheetData>{cells}")


def test_a_row_that_is_not_stored_gets_no_cell():
    data, refused = cells.replace_texts(book_of(ROWS), "Sheet", {(99, 0): "NEW12345"})
    assert refused[99, 0].startswith("A99 is not stored")
    assert "NEW12345" not in sites(data).values()


def test_a_cell_that_stands_there_twice_is_not_half_written():
    text = sheet_of(row(2, *ROWS[0]) + row(3, *ROWS[1]) + f"<row>{cell('A3', 'AB77777')}</row>")
    with pytest.raises(NotReadable, match="without changing other cells"):
        cells.with_serials(with_sheet(text), NEW)


def test_a_sheet_that_is_not_there_or_has_a_document_type_is_said():
    with pytest.raises(NotReadable, match="Nowhere"):
        cells.replace_texts(book_of(ROWS), "Nowhere", {(2, 0): "NEW12345"})
    declared = r'<!DOCTYPE a [<!ENTITY b "c">]>'
    data = changed(book_of(ROWS), SHEET, r"\A(<\?xml.*?\?>)?", declared)
    with pytest.raises(NotReadable, match="document type"):
        cells.replace_texts(data, "Sheet", {(2, 0): "NEW12345"})


def test_a_written_file_of_the_helpers_is_read(tmp_path):
    assert sites(write(tmp_path / "P2P1.xlsx", ROWS).read_bytes())["SITE-001"] == "AB12345"


# -- whatever the workbook is ------------------------------------------------------------------

SERIALS = st.text("ABCXYZ0123456789", min_size=4, max_size=32)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
VALUES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS


@st.composite
def books(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """A workbook of any order, place and form, and new serials for some of its sites."""
    serials = draw(st.lists(SERIALS, min_size=1, max_size=6, unique=True))
    titles = draw(st.permutations([*TITLES, "Phone", "Note", ""]))
    lines = []
    for n, serial in enumerate(serials):
        if draw(st.booleans()):
            lines.append([draw(VALUES) for _ in titles])
        given_ = {TITLES[0]: serial, TITLES[1]: f"Site <{n}> & 'Söhne'", TITLES[2]: draw(TEXTS)}
        lines.append([given_.get(title, draw(VALUES)) for title in titles])
    plain = [[None if str(value).startswith("=") else value for value in line] for line in lines]
    begin = draw(st.tuples(st.integers(1, 40), st.integers(1, 60)))
    data = book_of(plain, titles, begin)
    for pattern, text in ((r'<c r="[A-Z]+\d+"', "<c"), (r'(<row) r="\d+"', r"\1")):
        # Only where nothing is left out do places follow from counting.
        if begin == (1, 1) and draw(st.booleans()) and all(None not in line for line in plain):
            data = changed(data, SHEET, pattern, text)
    known = sorted(sites(data))
    wanted = draw(st.dictionaries(st.sampled_from(known), SERIALS)) if known else {}
    return data, wanted


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(books())
def test_whatever_a_workbook_is_like_exactly_the_serials_change(given_: tuple) -> None:
    data, wanted = given_
    before = recorders.sheet_of_recorders(data)
    result = cells.with_serials(data, wanted)
    assert result.refused == {}
    assert result.gone == []
    after = recorders.sheet_of_recorders(result.data or data)
    at, site_at = before.place(TITLES[0]), before.place(TITLES[1])
    taken = {recorder.number for recorder in model.workbook_of(before).rows}
    for number, line in before.lines.items():
        new = wanted.get(line[site_at]) if number in taken else None
        assert after.lines[number] == (line if new is None else [*line[:at], new, *line[at + 1 :]])
    assert after.lines.keys() == before.lines.keys()
    assert after.titles == before.titles
    old, new_parts = parts(data), parts(result.data or data)
    assert {name for name in old if old[name] != new_parts[name]} <= {SHEET}
