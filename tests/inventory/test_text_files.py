"""Text files as workbooks, judged by what is in them and not by their names."""

import pytest

from fleet.recorder_list import RecorderRow
from inventory import recorders, text_files, workbook
from inventory.workbook import NotReadable

LINES = ["P2P NUMBER,SITE,STORE NAME", "AB12345,SITE-001,Caf\u00e9", "AB12346,SITE-002,Port"]
ROWS = [
    RecorderRow("SITE-001", "AB12345", "Caf\u00e9", number=2),
    RecorderRow("SITE-002", "AB12346", "Port", number=3),
]


def read(text: str | bytes) -> list[RecorderRow]:
    data = text.encode() if isinstance(text, str) else text
    assert text_files.is_text(data)
    return list(recorders.read(text_files.from_text(data, {})).rows)


def later(rows: list[RecorderRow], lines: int) -> list[RecorderRow]:
    return [
        RecorderRow(recorder.site, recorder.serial, recorder.store, number=recorder.number + lines)
        for recorder in rows
    ]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end_of_a_spreadsheet_is_read(encoding, end):
    assert read((end.join(LINES) + end).encode(encoding)) == ROWS


def test_utf_16_with_its_mark_is_read_in_both_orders():
    text = "\n".join(LINES)
    assert read(b"\xfe\xff" + text.encode("utf-16-be")) == ROWS
    assert read(b"\xff\xfe" + text.encode("utf-16-le")) == ROWS


@pytest.mark.parametrize("data", [b"\x81\x8d caf\xe9", b"\xff\xfe\x00\xd8 ", b"\xff\xfeA"])
def test_letters_that_fit_no_encoding_are_refused_in_words_and_nothing_else(data):
    with pytest.raises(NotReadable, match="No line has the columns"):
        text_files.from_text(data, {})


@pytest.mark.parametrize("divider", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_every_divider_is_found_by_the_titles(divider, quote):
    lines = [divider.join(f"{quote}{cell}{quote}" for cell in line.split(",")) for line in LINES]
    assert read("\n".join(lines)) == ROWS


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;", "\ufeffsep=;"])
def test_the_line_in_which_excel_names_the_divider_is_understood(line):
    text = "\n".join([line, *(line.replace(",", ";") for line in LINES)])
    assert read(text) == later(ROWS, 1)


def test_a_divider_that_only_its_own_line_names_is_taken():
    assert read("\n".join(["sep=^", *(line.replace(",", "^") for line in LINES)])) == later(ROWS, 1)


@pytest.mark.parametrize("above", [["List of recorders"], ["Recorders, 2026", "", ",,"], [""]])
def test_headings_may_stand_above_the_titles_and_rows_keep_the_numbers_of_their_lines(above):
    assert read("\n".join([*above, *LINES])) == later(ROWS, len(above))


@pytest.mark.parametrize("sign", ["\u00a0", "\u200b \ufeff", "  "])
def test_titles_may_have_blanks_of_any_kind(sign):
    assert (
        read("\n".join(LINES).replace("P2P NUMBER", f"P2P{sign}NUMBER".replace("  ", " "))) == ROWS
    )


@pytest.mark.parametrize("sign", [*map(chr, range(1, 9)), *map(chr, range(0x0E, 0x20)), "\x7f"])
def test_a_control_character_is_left_out(sign):
    blank = " " if sign in "\x1c\x1d\x1e\x1f" else ""
    rows = read("\n".join(LINES).replace("Port", f"Po{sign}rt") + f"\n{sign}")
    assert rows == [ROWS[0], RecorderRow("SITE-002", "AB12346", f"Po{blank}rt", number=3)]


def test_what_a_dos_program_ends_its_files_with_is_no_row():
    data = text_files.from_text(("\r\n".join(LINES) + "\r\n\x1a").encode(), {})
    book = recorders.read(data)
    assert (list(book.rows), book.problems) == (ROWS, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("P2P NO,SITE,STORE NAME\nA,B,C\n", "has no column P2P NUMBER; found: P2P NO, SITE, ST"),
        ("P2P NUMBER;SITE\nA;B\n", "has no column STORE NAME; found: P2P NUMBER, SITE"),
        ("<html><table><tr><td>P2P NUMBER SITE STORE NAME</td></tr></table></html>", "No line"),
        ("P2P NUMBER SITE STORE NAME\nA B C\n", "No line has the columns"),
        ("just words", "No line has the columns P2P NUMBER, SITE, STORE NAME"),
        ('P2P NUMBER,SITE,STORE NAME\n"AB12345,SITE-001', "of the CSV file cannot be read"),
        ("\n" * 25 + "\n".join(LINES), "No line has the columns"),
    ],
)
def test_what_is_missing_is_named(text, says):
    with pytest.raises(NotReadable) as caught:
        text_files.from_text(text.encode(), {})
    assert says in caught.value.error
    assert caught.value.hint


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0 text", b"text\x00\x01\x02", bytes(99)]
)
def test_what_is_no_text_is_left_to_others(data):
    assert not text_files.is_text(data)


def test_a_text_is_taken_apart_in_the_child_too():
    data = workbook.from_text("\n".join(LINES).encode(), {"SITE-001": {"PHONE": "12"}})
    assert [recorder.extra for recorder in workbook.read(data).rows] == [{"PHONE": "12"}, {}]
