"""Reading the workbook of recorders."""

import openpyxl
import pytest

from fleet.recorder_list import RecorderRow
from inventory import process, recorders, sheets, workbook
from inventory.workbook import NotReadable
from tests.workbooks import SHEET, TITLES, book_of, cell, changed, row, saved, sheet_of, with_sheet

ROWS = (("AB12345", "SITE-001", "Mall"), ("AB12346", "SITE-002", "Port"))


def sites(data: bytes) -> dict[str, str]:
    return {row.site: row.serial for row in workbook.read(data).rows}


# -- reading -----------------------------------------------------------------------------------


def test_every_row_is_a_recorder_with_its_number_in_the_sheet():
    book = workbook.read(book_of(ROWS))
    assert list(book.rows) == [
        RecorderRow("SITE-001", "AB12345", "Mall", number=2),
        RecorderRow("SITE-002", "AB12346", "Port", number=3),
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
    rows = workbook.read(book_of([row], titles)).rows
    assert list(rows) == [
        RecorderRow("SITE-001", "AB12345", "Mall", {"Phone": "1234", "Opened": "TRUE"}, number=2)
    ]


def test_the_first_sheet_with_the_three_titles_is_taken():
    book = openpyxl.Workbook()
    book.active.append(["Notes", "SITE"])
    for name, site in (("Recorders", "SITE-001"), ("Old", "SITE-009")):
        sheet = book.create_sheet(name)
        sheet.append(list(TITLES))
        sheet.append(["AB12345", site, "Mall"])
    result = workbook.read(saved(book))
    assert result.sheet == "Recorders"
    assert [row.site for row in result.rows] == ["SITE-001"]


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
        ("ab 12345", "ab12345"),
        ("  AB12345\n", "AB12345"),
    ],
)
def test_a_serial_is_read_as_it_was_meant(cell, serial):
    assert sites(book_of([(cell, "SITE-001", "Mall")])) == {"SITE-001": serial}


def test_a_formula_counts_as_the_value_that_it_had():
    data = book_of([("AB12345", '="SITE-"&"001"', "Mall")])
    data = changed(
        data,
        SHEET,
        r"(<c r=\"B2\")([^>]*>.*?)<v\s*/>",
        r'\1 t="str"\2<v>SITE-001</v>',
    )
    assert sites(data) == {"SITE-001": "AB12345"}


def test_empty_rows_are_passed_over_and_an_empty_store_is_no_fault():
    book = workbook.read(book_of([(), ("AB12345", "SITE-001", None), ()]))
    assert list(book.rows) == [RecorderRow("SITE-001", "AB12345", "", number=3)]
    assert book.problems == []


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ((None, "SITE-009", "Mall"), "P2P NUMBER of SITE-009 is empty"),
        (("AB12399", None, "Mall"), "SITE is empty"),
        (("1.23E+11", "SITE-009", "Mall"), "not a serial number"),
        (("AB12399", "SITE-001", "Mall"), "SITE SITE-001 is already used in row 2"),
        (("ab12345", "SITE-009", "Mall"), "P2P NUMBER ab12345 is already used in row 2"),
    ],
)
def test_a_bad_row_is_named_with_what_to_do_and_the_good_ones_count(row, error):
    book = workbook.read(book_of([ROWS[0], row, ROWS[1]]))
    assert [recorder.number for recorder in book.rows] == [2, 4]
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
    titles = tuple("OTHER" if title == missing else title for title in TITLES)
    with pytest.raises(NotReadable, match="P2P NUMBER, SITE, STORE NAME"):
        workbook.read(book_of(ROWS, titles))


def test_a_damaged_workbook_is_read_or_refused_and_never_raises_anything_else():
    data = book_of(ROWS)
    for place in range(0, len(data), 37):
        for damaged in (data[:place], data[:place] + b"\xff" * 8 + data[place + 8 :]):
            try:
                recorders.read(damaged)
            except NotReadable:
                continue


def test_fifty_thousand_rows_are_read_and_what_is_more_is_said():
    numbers = range(2, sheets.MAX_ROWS + 7)
    text = sheet_of("".join(row(n, f"SN{n:08}", f"SITE-{n:05}", "Mall") for n in numbers))
    result = workbook.read(with_sheet(text))
    assert len(result.rows) == 50_000
    (problem,) = result.problems
    assert (problem.number, problem.error) == (50_002, "More than 50,000 rows")


def test_fifty_thousand_rows_that_cannot_be_used_are_named_and_no_more():
    numbers = range(2, sheets.MAX_ROWS + 7)
    result = workbook.read(with_sheet(sheet_of("".join(row(n, "", "Mall") for n in numbers))))
    assert len(result.problems) == 50_001
    assert result.problems[-1].error == "More than 50,000 rows"


# -- files that would take the monitor with them -------------------------------------------------


def test_a_sheet_that_claims_to_be_huge_is_read_by_what_is_in_it():
    text = sheet_of(row(2, "AB12345", "SITE-001"), before='<dimension ref="A1:XFD1048576"/>')
    assert sites(with_sheet(text)) == {"SITE-001": "AB12345"}


def test_a_recorder_in_the_last_row_of_excel_is_read():
    result = workbook.read(with_sheet(sheet_of(row(1_048_576, "AB12345", "SITE-001", "Mall"))))
    assert list(result.rows) == [RecorderRow("SITE-001", "AB12345", "Mall", number=1_048_576)]


def test_a_table_of_all_columns_of_excel_is_read_by_its_first_ones():
    text = row(2, "AB12345", "SITE-001").replace("</row>", cell("XFD2", "far") + "</row>")
    assert sites(with_sheet(sheet_of(text))) == {"SITE-001": "AB12345"}


@pytest.mark.parametrize(
    "place",
    ["XFD1048576", "XFD100000", "ZZZZZZ4294967295", "A4294967296", "A0", "A99999999999999999999"],
)
def test_a_cell_so_far_that_no_memory_suffices_spoils_only_itself(place):
    text = sheet_of(f"<row>{cell(place, 'far away')}</row>" + row(3, "AB12345", "SITE-001"))
    result = workbook.read(with_sheet(text))
    assert list(result.rows) == [RecorderRow("SITE-001", "AB12345", "", number=3)]
    after = workbook.with_serials(with_sheet(text), {"SITE-001": "NEW12345"})
    assert after.data is None or sites(after.data) == {"SITE-001": "NEW12345"}


def test_more_text_than_is_kept_is_refused(monkeypatch):
    text = sheet_of("".join(row(n, f"SN{n:08}", f"SITE-{n:05}", "x" * 400) for n in range(2, 99)))
    assert len(recorders.read(with_sheet(text)).rows) == 97
    monkeypatch.setattr(sheets, "MAX_TEXT", 40_000)
    with pytest.raises(NotReadable, match="too much text"):
        recorders.read(with_sheet(text))


def test_a_file_that_takes_too_long_is_said(monkeypatch):
    monkeypatch.setattr(process, "MAX_SECONDS", 1)
    rows = "<row/>" * (90 << 20 >> 3)
    with pytest.raises(NotReadable, match="takes longer than 1 s"):
        workbook.read(with_sheet(sheet_of(rows)))


def test_nobody_waits_longer_than_a_limit(monkeypatch):
    monkeypatch.setattr(process, "MAX_WAIT", 0.01)
    with pytest.raises(NotReadable, match="takes longer than"):
        workbook.read(book_of(ROWS))


def test_a_process_that_cannot_be_started_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setattr(process, "COMMAND", ("/nowhere/python",))
    with pytest.raises(ChildProcessError, match="no process could be started"):
        workbook.read(book_of(ROWS))


@pytest.mark.parametrize("depth", [100, 1_000_000])
def test_deep_and_long_xml_is_read_or_refused(depth):
    deep = "<a>" * depth + "</a>" * depth
    text = sheet_of(row(2, "AB12345", "SITE-001"), after=deep + "<!--" + "x" * depth + "-->")
    assert sites(with_sheet(text)) == {"SITE-001": "AB12345"}


def test_macros_and_links_to_other_files_are_left_alone():
    more = {
        "xl/vbaProject.bin": b"\xd0\xcf\x11\xe0 macros",
        "xl/externalLinks/externalLink1.xml": b"<externalLink/>",
        "xl/externalLinks/_rels/externalLink1.xml.rels": b'<Relationships><Relationship Id="rId1" '
        b'Target="http://127.0.0.1:1/other.xlsx" TargetMode="External"/></Relationships>',
    }
    data = with_sheet(sheet_of(row(2, "AB12345", "SITE-001")), **more)
    assert sites(data) == {"SITE-001": "AB12345"}


def test_without_the_library_for_workbooks_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheets, "LIBRARY", "not_installed_here")
    with pytest.raises(NotReadable, match="python-calamine is not installed") as caught:
        list(sheets.each_sheet(book_of(ROWS)))
    assert "CSV" in caught.value.hint
