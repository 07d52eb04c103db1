"""Any table that a person hands in: texts as they are shown, whatever the columns."""

import os
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from inventory import sheets, text_files
from inventory.limits import MAX_BYTES, NotReadable
from inventory.table import read_table
from tests.home import until
from tests.workbooks import TITLES as WORKBOOK_TITLES
from tests.workbooks import book_of, cell, saved, sheet_of, with_sheet, write

TITLES = ("ADDRESS", "NAME", "PORT")
LITTLE_MEMORY = 20 << 20
"""Bytes: less than one reference to each of three million cells."""


def test_cells_are_texts_as_the_sheet_shows_them():
    values = ["0123", "1E5", 123456, 1.0, 1.5, True, date(2026, 11, 27), time(9, 12), "NA", "nan"]
    table = read_table(book_of([values], ["x"] * len(values)), "cameras.xlsx")
    assert table.rows[2] == [
        *("0123", "1E5", "123456", "1", "1.5", "TRUE", "2026-11-27", "09:12:00", "NA", "nan")
    ]
    assert (table.title, table.notes) == ("Sheet", [])


def test_a_time_of_day_stays_beside_its_date():
    table = read_table(book_of([[datetime.fromisoformat("2026-11-27 09:12")]], ["AT"]))
    assert table.rows[2] == ["2026-11-27 09:12:00"]


def test_formulas_are_not_computed_and_what_they_gave_is_read():
    text = sheet_of('<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2"><f>1+1</f></c></row>')
    assert read_table(with_sheet(text)).rows[2][:2] == ["2", ""]


@pytest.mark.parametrize("divider", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_file_reads_the_same_with_every_divider_and_encoding(divider, encoding):
    rows = [TITLES, ("10.0.0.5", "Caf\u00e9; gate, left | \t", "0554"), ("10.0.0.6", "1E5", "")]
    text = "\r\n".join(divider.join(f'"{value}"' for value in row) for row in rows)
    table = read_table(text.encode(encoding), "cameras.csv")
    assert table.title == "cameras.csv"
    assert table.rows == {
        1: list(TITLES),
        2: ["10.0.0.5", "Caf\u00e9; gate, left |", "0554"],
        3: ["10.0.0.6", "1E5", ""],
    }


def test_lines_of_every_length_are_read_and_keep_their_numbers():
    table = read_table(b"sep=;\nA;B\n\n1\n1;2;3;4\n;;\n'=1+1;x\n")
    assert table.rows == {2: ["A", "B"], 4: ["1"], 5: ["1", "2", "3", "4"], 7: ["=1+1", "x"]}


def test_a_text_without_any_divider_is_a_table_of_one_column():
    assert read_table(b"10.0.0.5\n10.0.0.6\n").rows == {1: ["10.0.0.5"], 2: ["10.0.0.6"]}


def test_a_quote_that_does_not_close_is_said_with_its_line():
    with pytest.raises(NotReadable, match="Line 3 of the CSV file cannot be read"):
        read_table(b'A,B\n1,2\n"1,2\n')


def test_the_first_visible_sheet_with_rows_is_read():
    book = openpyxl.Workbook()
    book.active.sheet_state = "hidden"
    book.active.append(["secret"])
    book.create_sheet("Empty")
    book.create_sheet("Cameras").append(TITLES)
    table = read_table(saved(book))
    assert (table.title, table.rows, table.notes) == ("Cameras", {1: list(TITLES)}, [])


def test_a_hidden_sheet_is_read_when_no_other_has_rows_and_that_is_said():
    book = openpyxl.Workbook()
    book.create_sheet("Cameras").append(TITLES)
    book["Cameras"].sheet_state = "hidden"
    table = read_table(saved(book))
    assert table.title == "Cameras"
    assert "hidden" in table.notes[0]


def test_a_merged_cell_holds_for_all_its_rows_and_that_is_said():
    book = openpyxl.Workbook()
    for row in (TITLES, ("10.0.0.5", "Mall", "1"), ("10.0.0.6", None, "2")):
        book.active.append(row)
    book.active.merge_cells("B2:B3")
    table = read_table(saved(book))
    assert table.rows[3] == ["10.0.0.6", "Mall", "2"]
    assert "Merged cells" in table.notes[0]


def test_a_table_may_begin_anywhere():
    table = read_table(book_of([("10.0.0.5", "Gate", 1)], TITLES, begin=(7, 4)))
    assert table.rows == {7: list(TITLES), 8: ["10.0.0.5", "Gate", "1"]}


@pytest.mark.parametrize("place", ["XFD7", "KN7"])
def test_a_cell_far_from_a_long_table_costs_the_table_nothing(place):
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(2, 15_000))
    far = f"<row>{cell(place, 'far')}</row>"
    table = read_table(with_sheet(sheet_of(rows + far)))
    assert list(table.rows)[:14_999] == list(range(1, 15_000))
    assert table.notes == ["Cells of sheet Sheet that are far from the table were not read."]


def test_empty_cells_beside_a_long_table_are_not_laid_out_all_at_once():
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(2, 15_000))
    data = with_sheet(sheet_of(rows + f"<row>{cell('GR7', 'last')}</row>"))
    (sheet,) = sheets.each_sheet(data)
    tracemalloc.start()
    try:
        assert sum(1 for _ in sheet.rows) == 14_999
        assert tracemalloc.get_traced_memory()[1] < LITTLE_MEMORY
    finally:
        tracemalloc.stop()


def test_what_is_beyond_the_last_row_that_is_read_is_said(monkeypatch):
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    monkeypatch.setattr(text_files, "MAX_ROWS", 2)
    book = book_of([(n,) for n in range(1, 4)], ["N"])
    by_sheet = sheets.first_table(book)
    by_text = text_files.text_table(b"N\n1\n2\n3\n", "n.csv")
    assert by_sheet.rows == by_text.rows == {1: ["N"], 2: ["1"]}
    assert by_sheet.notes == by_text.notes == ["More than 2 rows: row 3 and later were not read."]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file contains no text"),
        (book_of([], []), "The workbook is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old .xls workbook"),
        (bytes(600), "not an .xlsx workbook"),
        (bytes(MAX_BYTES + 1), "32 MB are allowed"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data, says):
    with pytest.raises(NotReadable) as caught:
        read_table(data)
    assert says in caught.value.error
    assert caught.value.hint


def test_a_file_is_read_by_its_path_and_no_more_of_it_than_is_allowed(tmp_path: Path):
    assert read_table(write(tmp_path / "a.xlsx", [("1", "2", "3")], TITLES)).rows[2] == [*"123"]
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotReadable, match="32 MB are allowed"):
        read_table(tmp_path / "huge.csv")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.xlsx")


def test_pandas_starts_no_threads_in_the_child():
    script = (
        "from pathlib import Path\nfrom inventory import frames\nframes.use_one_thread()\n"
        "import pandas\nprint(len(list(Path('/proc/self/task').iterdir())))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


def libraries(session: int) -> set[str]:
    """The packages with compiled parts that the processes of a session have loaded."""
    names = set[str]()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(process.name)) == session:
                lines = (process / "maps").read_text().splitlines()
                names |= {line.partition("/site-packages/")[2].split("/")[0] for line in lines}
    return names


def test_the_monitor_itself_never_loads_pandas(run_monitor, tmp_path: Path):
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / "P2P1.xlsx", [("AB12345", "SITE-001", "Mall")], WORKBOOK_TITLES)
    monitor = run_monitor()
    until(lambda: monitor.get("/api/dvrs").json["items"], what="the workbook is read")
    loaded = libraries(monitor.process.pid)
    assert "pydantic_core" in loaded
    assert not {"pandas", "numpy", "python_calamine"} & loaded
