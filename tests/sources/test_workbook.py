"""Reading the workbook of recorders, and writing single cells of it."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font

from sources import workbook
from sources.workbook import NotReadable, Row
from tests.workbooks import TITLES, write

ROWS = (("AB12345", "SITE-001", "Mall"), ("AB12346", "SITE-002", "Port"))


def book_of(
    rows: Iterable[Sequence[Any]], titles: Sequence[Any] = TITLES, begin: tuple[int, int] = (1, 1)
) -> bytes:
    """A workbook with one sheet whose first cell is at row and column `begin`."""
    book = openpyxl.Workbook()
    for number, row in enumerate((titles, *rows), start=begin[0]):
        for place, value in enumerate(row, start=begin[1]):
            if value is not None:
                book.active.cell(number, place).value = value
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(data: bytes, part: str, pattern: str, text: str) -> bytes:
    """The file with something else in one of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for one in old.infolist():
            content = old.read(one).decode()
            if one.filename == part:
                content, times = re.subn(pattern, text, content)
                assert times
            new.writestr(one, content)
    return out.getvalue()


def sites(data: bytes) -> dict[str, str]:
    return {row.site: row.serial for row in workbook.read(data).rows}


# -- reading -----------------------------------------------------------------------------------


def test_every_row_is_a_recorder_with_its_number_in_the_sheet():
    book = workbook.read(book_of(ROWS))
    assert list(book.rows) == [
        Row(2, "SITE-001", "AB12345", "Mall"),
        Row(3, "SITE-002", "AB12346", "Port"),
    ]
    assert book.problems == []


@pytest.mark.parametrize(
    "titles",
    [TITLES, ("p2p number", "Site", "store name"), (" P2P  NUMBER ", "SITE\n", "STORE NAME")],
)
def test_the_titles_are_known_in_any_case_and_spacing(titles):
    assert sites(book_of(ROWS, titles)) == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def test_the_columns_stand_in_any_order_and_the_others_are_kept():
    titles = ("Phone", "STORE NAME", "SITE", "", "P2P NUMBER", "Opened")
    row = (1234.0, "Mall", "SITE-001", "untitled", "AB12345", True)
    found = workbook.read(book_of([row], titles)).rows
    assert list(found) == [
        Row(2, "SITE-001", "AB12345", "Mall", {"Phone": "1234", "Opened": "TRUE"})
    ]


def test_the_first_sheet_with_the_three_titles_is_taken():
    book = openpyxl.Workbook()
    book.active.append(["Notes", "SITE"])
    for name, site in (("Recorders", "SITE-001"), ("Old", "SITE-009")):
        sheet = book.create_sheet(name)
        sheet.append(list(TITLES))
        sheet.append(["AB12345", site, "Mall"])
    found = workbook.read(saved(book))
    assert found.sheet == "Recorders"
    assert [row.site for row in found.rows] == ["SITE-001"]


@pytest.mark.parametrize("begin", [(3, 1), (1, 3), (4, 27)])
def test_the_table_may_begin_anywhere_and_rows_are_numbered_as_excel_does(begin):
    rows = workbook.read(book_of(ROWS, begin=begin)).rows
    assert [(row.number, row.site) for row in rows] == [
        (begin[0] + 1, "SITE-001"),
        (begin[0] + 2, "SITE-002"),
    ]


@pytest.mark.parametrize(
    ("cell", "serial"),
    [
        (123456, "123456"),
        (123456.0, "123456"),
        ("123456.0", "123456"),
        ("00123456", "00123456"),
        ("ab 12345", "AB12345"),
        ("  AB12345\n", "AB12345"),
    ],
)
def test_a_serial_is_read_as_it_was_meant(cell, serial):
    assert sites(book_of([(cell, "SITE-001", "Mall")])) == {"SITE-001": serial}


def test_a_formula_counts_as_the_value_that_it_had():
    data = book_of([("AB12345", '="SITE-"&"001"', "Mall")])
    data = changed(
        data,
        "xl/worksheets/sheet1.xml",
        r"(<c r=\"B2\")([^>]*>.*?)<v\s*/>",
        r'\1 t="str"\2<v>SITE-001</v>',
    )
    assert sites(data) == {"SITE-001": "AB12345"}


def test_empty_rows_are_passed_over_and_an_empty_store_is_no_fault():
    book = workbook.read(book_of([(), ("AB12345", "SITE-001", None), ()]))
    assert list(book.rows) == [Row(3, "SITE-001", "AB12345", "")]
    assert book.problems == []


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ((None, "SITE-009", "Mall"), "P2P NUMBER of SITE-009 is empty"),
        (("AB12399", None, "Mall"), "SITE is empty"),
        (("1.23E+11", "SITE-009", "Mall"), "no serial"),
        (("AB12399", "SITE-001", "Mall"), "SITE SITE-001 stands in row 2 already"),
        (("ab12345", "SITE-009", "Mall"), "P2P NUMBER AB12345 stands in row 2 already"),
    ],
)
def test_a_bad_row_is_named_with_what_to_do_and_the_good_ones_count(row, error):
    book = workbook.read(book_of([ROWS[0], row, ROWS[1]]))
    assert [one.number for one in book.rows] == [2, 4]
    (problem,) = book.problems
    assert problem.number == 3
    assert error in problem.error
    assert problem.hint


def test_a_row_that_was_refused_takes_no_site_away():
    rows = [ROWS[0], ("AB12345", "SITE-002", "Mall"), ROWS[1]]
    book = workbook.read(book_of(rows))
    assert [row.number for row in book.rows] == [2, 4]


@pytest.mark.parametrize("missing", TITLES)
def test_a_missing_column_is_said_with_the_names_of_all_three(missing):
    titles = tuple("OTHER" if one == missing else one for one in TITLES)
    with pytest.raises(NotReadable, match="P2P NUMBER, SITE, STORE NAME"):
        workbook.read(book_of(ROWS, titles))


@pytest.mark.parametrize("data", [b"", b"P2P NUMBER,SITE,STORE NAME\n", b"PK\x03\x04" + bytes(99)])
def test_what_is_no_workbook_is_said_with_what_to_do(data):
    with pytest.raises(NotReadable, match=r"Save it as \.xlsx"):
        workbook.read(data)


def test_a_zip_that_is_no_workbook_is_said():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("hello.txt", "hello")
    with pytest.raises(NotReadable):
        workbook.read(out.getvalue())


def test_a_damaged_workbook_is_read_or_refused_and_never_raises_anything_else():
    data = book_of(ROWS)
    for place in range(0, len(data), 37):
        for damaged in (data[:place], data[:place] + b"\xff" * 8 + data[place + 8 :]):
            try:
                workbook.read(damaged)
            except NotReadable:
                continue


def test_a_small_file_that_holds_a_huge_one_is_not_unpacked():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        block = bytes(1 << 20)
        with packed.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range((workbook.MOST_UNPACKED >> 20) + 1):
                part.write(block)
    assert len(out.getvalue()) < 4 << 20
    with pytest.raises(NotReadable, match="Unpacked"):
        workbook.read(out.getvalue())


def test_a_file_that_is_too_large_is_not_looked_into():
    with pytest.raises(NotReadable, match="32 MB are allowed"):
        workbook.read(bytes(workbook.MOST_BYTES + 1))


def test_fifty_thousand_rows_are_read_and_what_is_more_is_said(tmp_path: Path):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(TITLES)
    for n in range(workbook.MOST_ROWS + 5):
        sheet.append((f"SN{n:08}", f"SITE-{n:05}", "Mall"))
    found = workbook.read(saved(book))
    assert len(found.rows) == 50_000
    (problem,) = found.problems
    assert (problem.number, problem.error) == (50_002, "More than 50,000 rows")


# -- writing -----------------------------------------------------------------------------------


def rich() -> bytes:
    """A workbook with all that must survive: formats, formulas with values, another sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"].font = Font(bold=True)  # an empty cell beside the table that has a format
    for number, row in enumerate((TITLES, *ROWS), start=3):
        for place, value in enumerate(row, start=2):
            sheet.cell(number, place).value = value
    sheet["B5"] = 123456
    sheet["B5"].number_format = "0000000000"
    sheet["B5"].font = Font(bold=True, color="FF0000")
    sheet["D4"] = '="Ma"&"ll"'
    sheet["G4"] = "=1+1"
    sheet.column_dimensions["B"].width = 33
    book.create_sheet("Other")["A1"] = "kept"
    data = saved(book)
    part = "xl/worksheets/sheet1.xml"
    return changed(
        data, part, r'<c r="D4"([^>]*)>(.*?)<v\s*/>', r'<c r="D4"\1 t="str">\2<v>Mall</v>'
    )


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_only_the_one_cell_is_another_one():
    before, after = rich(), workbook.with_texts(rich(), "Sheet", {(5, 1): "NEW12345"})
    assert sites(after) == {"SITE-001": "AB12345", "SITE-002": "NEW12345"}
    old, new = parts(before), parts(after)
    assert list(old) == list(new)
    assert [name for name in old if old[name] != new[name]] == ["xl/worksheets/sheet1.xml"]
    one, other = (
        re.sub(rb'<c r="B5".*?</c>', b"", each["xl/worksheets/sheet1.xml"], flags=re.S)
        for each in (old, new)
    )
    assert one == other
    sheet = openpyxl.load_workbook(io.BytesIO(after))["Sheet"]
    assert sheet["B5"].value == "NEW12345"
    assert sheet["B5"].font.color.rgb == "00FF0000"
    assert sheet["B5"].number_format == "0000000000"
    assert sheet["G4"].value == "=1+1"
    assert sheet.column_dimensions["B"].width == 33


def test_the_values_of_formulas_are_still_there_after_a_cell_was_written():
    after = workbook.with_texts(rich(), "Sheet", {(5, 1): "NEW12345"})
    assert [row.store for row in workbook.read(after).rows] == ["Mall", "Port"]


def test_several_cells_are_written_and_may_be_written_again():
    data = workbook.with_texts(book_of(ROWS), "Sheet", {(2, 0): "NEW00001", (3, 0): "NEW00002"})
    data = workbook.with_texts(data, "Sheet", {(2, 0): "NEW00003"})
    assert sites(data) == {"SITE-001": "NEW00003", "SITE-002": "NEW00002"}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r'<c r="[A-Z]+\d+"', "<c"),
        (r'<row r="\d+"', "<row"),
    ],
)
def test_a_sheet_that_names_no_cells_is_written_by_counting(pattern, text):
    data = changed(book_of(ROWS), "xl/worksheets/sheet1.xml", pattern, text)
    assert sites(workbook.with_texts(data, "Sheet", {(3, 0): "NEW12345"}))["SITE-002"] == "NEW12345"


def test_a_sheet_whose_names_have_a_prefix_is_written_with_it():
    part = "xl/worksheets/sheet1.xml"
    data = changed(book_of(ROWS), part, r"<(/?)(?=[a-z])", r"<\1x:")
    data = changed(data, part, "xmlns=", "xmlns:x=")
    after = workbook.with_texts(data, "Sheet", {(3, 0): "NEW12345"})
    assert b"<x:t>NEW12345</x:t>" in parts(after)[part]
    assert sites(after)["SITE-002"] == "NEW12345"


def test_a_cell_with_a_formula_is_not_overwritten():
    data = book_of([('="AB"&"12345"', "SITE-001", "Mall")])
    with pytest.raises(NotReadable, match="A2 has a formula"):
        workbook.with_texts(data, "Sheet", {(2, 0): "NEW12345"})


@pytest.mark.parametrize("place", [(99, 0), (2, 99)])
def test_a_cell_that_is_not_there_is_said(place):
    with pytest.raises(NotReadable, match="no such cell"):
        workbook.with_texts(book_of(ROWS), "Sheet", {place: "NEW12345"})


def test_a_sheet_that_is_not_there_or_has_a_document_type_is_said():
    with pytest.raises(NotReadable):
        workbook.with_texts(book_of(ROWS), "Nowhere", {(2, 0): "NEW12345"})
    data = changed(
        book_of(ROWS),
        "xl/worksheets/sheet1.xml",
        r"\A(<\?xml.*?\?>)?",
        r'<!DOCTYPE a [<!ENTITY b "c">]>',
    )
    with pytest.raises(NotReadable, match="document type"):
        workbook.with_texts(data, "Sheet", {(2, 0): "NEW12345"})


def test_a_written_file_of_the_helpers_is_read(tmp_path: Path):
    assert sites(write(tmp_path / "P2P1.xlsx", ROWS).read_bytes())["SITE-001"] == "AB12345"
