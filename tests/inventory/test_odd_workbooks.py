"""Odd sheets, odd cells and odd characters: each spoils only itself, and a person is told."""

import io

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings

from fleet.recorder_list import RecorderRow
from fleet.texts import name_of, one_line, storable
from inventory import recorders, workbook
from inventory.export import workbook_bytes
from inventory.workbook import NotReadable
from tests.inventory.test_cells import books
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
)

BOOK, LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
ROWS = (("AB12345", "SITE-001", "Mall"), ("AB12346", "SITE-002", "Port"))
SITES = {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def sites(data: bytes) -> dict[str, str]:
    return {recorder.site: recorder.serial for recorder in recorders.read(data).rows}


def two_sheets(first: list[tuple], second: list[tuple], **states: str) -> openpyxl.Workbook:
    """A workbook with the sheets First and Second; `states` by name."""
    book = openpyxl.Workbook()
    book.active.title = "First"
    book.create_sheet("Second")
    for name, lines in (("First", first), ("Second", second)):
        book[name].sheet_state = states.get(name, "visible")
        for line in lines:
            book[name].append(line)
    return book


# -- odd sheets --------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["1:2", "", "nonsense", "A1:B", "A0:XFE9999999"])
def test_whatever_a_sheet_says_of_its_size_it_is_read(place):
    text = sheet_of("".join(row(n, *values) for n, values in enumerate(ROWS, 2)))
    text = text.replace("<sheetData>", f'<dimension ref="{place}"/><sheetData>')
    assert sites(with_sheet(text)) == SITES


@pytest.mark.parametrize(
    ("part", "pattern", "text"),
    [
        (BOOK, 'state="visible"', 'state="show"'),
        (BOOK, "</sheets>", '<sheet name="Module1" sheetId="9"/></sheets>'),
        (BOOK, "</sheets>", '<sheet name="Gone" sheetId="9" r:id="rId77"/></sheets>'),
        (LINKS, '(Id="rId1"|relationships/worksheet")(.*sheet2)', None),
    ],
    ids=["state=show", "a VBA module", "a sheet that is not stored", "an XLM macro sheet"],
)
def test_an_odd_sheet_in_the_list_of_sheets_keeps_nobody_from_the_others(part, pattern, text):
    data = saved(two_sheets([TITLES, *ROWS], [("x",)]))
    if text is None:
        kind = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"
        links = parts(data)[LINKS].decode()
        before, _, after = links.partition("/xl/worksheets/sheet2.xml")
        begin = before.rindex("<Relationship")
        odd = f'<Relationship Type="{kind}" Target="/xl/worksheets/sheet2.xml'
        data = packed({**parts(data), LINKS: (before[:begin] + odd + after).encode()})
    else:
        data = changed(data, part, pattern, text)
    assert sites(data) == SITES


def test_a_damaged_sheet_is_named_and_the_others_are_looked_at():
    whole = parts(saved(two_sheets([("x",)], [TITLES, *ROWS])))
    whole[SHEET] = whole[SHEET][:-20]
    book = recorders.read(packed(whole))
    assert book.sheet == "Second"
    assert len(book.rows) == 2
    (note,) = book.notes
    assert note.startswith("Sheet First is damaged and cannot be read")


def test_when_no_sheet_is_left_the_damaged_one_is_named_in_the_error():
    whole = parts(book_of(ROWS))
    whole[SHEET] = whole[SHEET][:-20]
    with pytest.raises(NotReadable, match="Sheet Sheet is damaged and cannot be read"):
        recorders.read(packed(whole))


@pytest.mark.parametrize("part", ["xl/styles.xml", "docProps/app.xml", "xl/theme/theme1.xml"])
def test_damaged_parts_that_have_no_texts_are_passed_over(part):
    whole = parts(book_of(ROWS))
    whole[part] = whole[part][: len(whole[part]) // 2]
    assert sites(packed(whole)) == SITES


def test_a_sheet_with_a_cell_too_far_away_spoils_only_itself():
    whole = parts(saved(two_sheets([("x",)], [TITLES, *ROWS])))
    whole[SHEET] = sheet_of(row(2, "a") + cell("XFD1048576", "far")).replace("STORE", "").encode()
    book = workbook.read(packed(whole))
    assert book.sheet == "Second"
    assert [recorder.site for recorder in book.rows] == ["SITE-001", "SITE-002"]


# -- odd cells ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        *(
            f'<c r="C2" t="e"><v>{error}</v></c>'
            for error in ("#GETTING_DATA", "#SPILL!", "#CALC!")
        ),
        '<c r="C2" t="e"><v>#N/A</v></c>',
        '<c r="C2" t="b"><v>maybe</v></c>',
        '<c r="C2" t="s"><v>99</v></c>',
        '<c r="C2" t="zz"><v></v></c>',
        '<c r="?!"><v></v></c>',
        "<c/>",
    ],
)
def test_an_odd_cell_is_empty_and_the_rest_is_read_and_written(odd):
    cells = cell("A2", "AB12345") + cell("B2", "SITE-001") + odd + cell("E2", "beside")
    data = with_sheet(sheet_of(f'<row r="2">{cells}</row>' + row(3, *ROWS[1])))
    book = recorders.read(data)
    assert list(book.rows) == [
        RecorderRow("SITE-001", "AB12345", "", number=2),
        RecorderRow("SITE-002", "AB12346", "Port", number=3),
    ]
    new = workbook.with_serials(data, {"SITE-002": "NEW12345"}).data
    assert new is not None
    assert sites(new) == {**SITES, "SITE-002": "NEW12345"}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(books())
def test_told_again_in_plain_cells_every_workbook_reads_the_same(given_: tuple) -> None:
    data, _wanted = given_
    assert recorders.sheet_of_recorders(data, tidy=True) == recorders.sheet_of_recorders(data)


def test_told_again_numbers_dates_and_gaps_between_rows_stay():
    book = openpyxl.Workbook()
    for number, line in ((3, (*TITLES, "Opened")), (7, (123456, "SITE-001", 1.5))):
        for place, value in enumerate(line, 2):
            book.active.cell(number, place).value = value
    book.active["E7"].number_format = "yyyy-mm-dd"
    book.active["E7"] = 45_000
    book.active["E7"].number_format = "yyyy-mm-dd"
    data = saved(book)
    (plain,) = recorders.read(data).rows
    assert plain == RecorderRow("SITE-001", "123456", "1.5", {"Opened": "2023-03-15"}, number=7)
    assert list(recorders.read(data, tidy=True).rows) == [plain]


# -- hidden sheets, headings, merged cells -----------------------------------------------------


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_comes_after_the_visible_ones(state):
    data = saved(two_sheets([TITLES, ROWS[0]], [TITLES, ROWS[1]], First=state))
    book = recorders.read(data)
    assert (book.sheet, [recorder.site for recorder in book.rows]) == ("Second", ["SITE-002"])
    assert book.notes == []


def test_a_hidden_sheet_is_used_when_no_visible_one_has_the_titles_and_that_is_said():
    book = recorders.read(saved(two_sheets([TITLES, *ROWS], [("x",)], First="hidden")))
    assert book.sheet == "First"
    (note,) = book.notes
    assert note.startswith("Sheet First is hidden in the file.")


def test_headings_may_stand_above_the_titles():
    data = book_of([TITLES, *ROWS], ("Recorders of the north", None, None))
    book = recorders.read(data)
    assert [(recorder.number, recorder.site) for recorder in book.rows] == [
        (3, "SITE-001"),
        (4, "SITE-002"),
    ]


def test_the_missing_title_is_named_with_those_that_are_there():
    with pytest.raises(NotReadable) as caught:
        recorders.read(book_of(ROWS, ("P2P NO", "SITE", "STORE NAME")))
    assert caught.value.error == (
        "No sheet has the columns P2P NUMBER, SITE, STORE NAME (Sheet Sheet has no column "
        "P2P NUMBER; found: P2P NO, SITE, STORE NAME)"
    )


def with_merged(rows: list[tuple], *places: str) -> bytes:
    cells = "".join(f'<mergeCell ref="{span}"/>' for span in places)
    text = f"</sheetData><mergeCells>{cells}</mergeCells>"
    return changed(book_of(rows), SHEET, "</sheetData>", text)


@pytest.mark.parametrize("tidy", [False, True])
def test_a_merged_store_counts_for_all_its_rows_and_that_is_said(tidy):
    rows = [("AB12345", "S1", "Market"), ("AB12346", "S2"), ("AB12347", "S3"), ("AB12348", "S4")]
    book = recorders.read(with_merged(rows, "C2:C4"), tidy=tidy)
    assert [recorder.store for recorder in book.rows] == ["Market", "Market", "Market", ""]
    assert book.notes == ["Merged cells: the value applies to every row that the cell spans."]


def test_a_merged_cell_makes_no_rows_and_fills_no_column_beside():
    rows = [("AB12345", "S1", None), (), ("AB12346", "S2", "Pier")]
    book = recorders.read(with_merged(rows, "B2:C3", "A1:A4", "XFD1:XFD1048576"))
    assert [(recorder.site, recorder.store) for recorder in book.rows] == [
        ("S1", ""),
        ("S2", "Pier"),
    ]
    assert book.problems == []


def test_many_merged_cells_over_everything_take_no_time_worth_speaking_of():
    rows = [(f"SN{n:06}", f"S{n}", "x") for n in range(2000)]
    places = ["C2:C1048576"] * 20_000
    assert len(recorders.read(with_merged(rows, *places)).rows) == 2000


# -- invisible and unfit characters ------------------------------------------------------------

UNSEEN = ("\u200b", "\ufeff", "\u2060", "\u00ad", "\u200e", "\u200d", "\u202a", "\ufe0f")


@pytest.mark.parametrize("sign", UNSEEN)
def test_characters_without_width_are_taken_out_of_titles_sites_and_serials(sign):
    titles = (f"P2P{sign} NUMBER{sign}", f"{sign}SITE", f"STORE NAME{sign}")
    data = book_of([(f"AB{sign}12345", f"SITE-{sign}001", "Mall"), ROWS[1]], titles)
    book = recorders.read(data)
    assert {recorder.site: recorder.serial for recorder in book.rows} == SITES
    assert book.columns == list(TITLES)


def test_two_sites_that_look_the_same_are_one():
    data = book_of([("AB12345", "Zu\u0308rich", ""), ("AB12346", "Z\u00fcrich\u200b", "")])
    book = recorders.read(data)
    assert [recorder.site for recorder in book.rows] == ["Z\u00fcrich"]
    assert book.problems[0].error == "SITE Z\u00fcrich is already used in row 2"


def test_a_store_keeps_the_joiners_that_its_letters_need():
    assert one_line(" \u0645\u06cc\u200c\u062e \u200b ") == "\u0645\u06cc\u200c\u062e"


@pytest.mark.parametrize(
    "sign", [*map(chr, range(0x01, 0x09)), "\x0e", "\x1a", "\x7f", "\ufffe", "\ud800"]
)
def test_a_character_that_no_spreadsheet_holds_is_left_out(sign):
    assert storable(f"a{sign}b") == name_of(f" a{sign}b ") == "ab"
    data = workbook_bytes([dict(zip(TITLES, (f"AB12345{sign}", "S1", f"Mall{sign}"), strict=True))])
    assert list(recorders.read(data).rows) == [RecorderRow("S1", "AB12345", "Mall", number=2)]


def test_a_control_character_in_a_cell_of_excel_is_left_out():
    text = sheet_of(row(2, "AB12345", "SITE_x0008_-001", "Store_x0008_ A_x000B_B"))
    assert list(recorders.read(with_sheet(text)).rows) == [
        RecorderRow("SITE-001", "AB12345", "Store A B", number=2)
    ]


@pytest.mark.parametrize("text", ["_x0041_", "_x005F_x0041_", "a_x_b", "__x000A_"])
def test_what_looks_like_the_code_of_a_letter_stays_text_in_an_export(text):
    data = workbook_bytes([dict(zip(TITLES, ("AB12345", "S1", text), strict=True))])
    assert [recorder.store for recorder in recorders.read(data).rows] == [text]
    assert openpyxl.load_workbook(io.BytesIO(data)).active.max_row == 2
