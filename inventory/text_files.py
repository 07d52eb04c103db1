"""Convert a text file (CSV, Excel's "Unicode Text") in any encoding to a workbook."""

import re
from collections.abc import Mapping

from fleet.texts import name_of
from inventory.export import workbook_bytes
from inventory.frames import text_rows
from inventory.limits import NotReadable, check_length
from inventory.model import (
    MAX_ABOVE,
    MAX_COLUMNS,
    MAX_ROWS,
    NEEDED,
    SITE,
    Table,
    clean_text,
    missing_titles,
)
from inventory.recorders import columns_note
from inventory.sheets import row_limit_note

DIVIDERS = ",;\t|"
SEPARATOR = re.compile(r'\s{0,9}"?sep=([^\w\s"]|\t)"?[ \t,;|]{0,99}(\r\n|\r|\n|\Z)', re.IGNORECASE)
"""Excel's own first line: the divider of the lines below."""
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""Byte order marks."""
HEAD_BYTES = 4096
LINES = MAX_ROWS + MAX_ABOVE + 1

Lines = list[list[str]]


def encoding_of(data: bytes) -> str | None:
    """The encoding of a text file; None for bytes that are no text."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return encoding
    head = data[:HEAD_BYTES]
    if b"\x00" in head:
        # Latin letters in UTF-16 without a mark have a zero in every second byte.
        odd, even = head[1::2].count(0), head[::2].count(0)
        many, few = len(head) * 0.3, len(head) * 0.1
        is_little, is_big = odd > many and even < few, even > many and odd < few
        return "utf-16-le" if is_little else "utf-16-be" if is_big else None
    try:
        data.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def is_text(data: bytes) -> bool:
    """True if these bytes are a text file, and not a workbook of any kind."""
    return not data.startswith((b"PK", b"\xd0\xcf\x11\xe0")) and bool(
        data and encoding_of(data) is not None
    )


def from_text(data: bytes, more: Mapping[str, Mapping[str, str]]) -> bytes:
    """Convert the file to a workbook, each line in the row of its number. `more` has the
    further columns by site: a file with only the three keeps them. Raises NotReadable."""
    text, divider = _split_separator_line(data)
    before = 1 if divider else 0
    lines, titles_at = _recorder_lines(text, divider)
    above = [[clean_text(value) for value in line] for line in lines[:titles_at]]
    titles = [name_of(title) for title in lines[titles_at][:MAX_COLUMNS]]
    known = {title: title.upper() if title.upper() in NEEDED else title for title in titles}
    rows = [
        {
            known[title]: clean_text(value)
            for title, value in zip(titles, line, strict=False)
            if title
        }
        for line in lines[titles_at + 1 :]
    ]
    kept = [{**more.get(name_of(row.get(SITE, "")), {}), **row} for row in rows]
    return workbook_bytes(kept, [*([[]] * before), *above])


def text_table(data: bytes, name: str) -> Table:
    """Read the file as a table, split at the divider that finds the most cells in its first
    lines. Raises NotReadable."""
    text, divider = _split_separator_line(data)
    before = 1 if divider else 0
    lines = text_rows(text, divider or _best_divider(text), MAX_ROWS + 1)
    rows = {
        number: cells
        for number, line in enumerate(lines, 1 + before)
        if any(cells := [clean_text(cell) for cell in line])
    }
    if not rows:
        raise NotReadable(
            "The file contains no text", "Save the list again, as CSV UTF-8 or .xlsx."
        )
    cut = before + MAX_ROWS + 1 if len(lines) > MAX_ROWS else 0
    rows.pop(cut, None)
    return Table(name, rows, row_limit_note(cut))


def _best_divider(text: str) -> str:
    """The divider that finds the most cells. Raises NotReadable if each leaves a quote open."""
    cells = dict[str, int]()
    broken: NotReadable | None = None
    for divider in DIVIDERS:
        try:
            head = text_rows(text, divider, MAX_ABOVE)
        except NotReadable as error:
            broken = broken or error
            continue
        cells[divider] = max((len(line) for line in head), default=0)
    if broken and not cells:
        raise broken
    return max(cells, key=lambda divider: cells[divider])


def _split_separator_line(data: bytes) -> tuple[str, str]:
    """Split off Excel's separator line; return the text below it and its divider, if any.
    Raises NotReadable."""
    check_length(data)
    text = _decode(data)
    separator = SEPARATOR.match(text)
    return (text[separator.end() :], separator[1]) if separator else (text, "")


def _decode(data: bytes) -> str:
    encoding = encoding_of(data) or "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        # Every byte is a letter in Latin-1, and half a UTF-16 letter is not worth a refusal.
        return data.decode("latin-1" if encoding == "cp1252" else encoding, "replace")


def _recorder_lines(text: str, divider: str) -> tuple[Lines, int]:
    """Split the lines at the divider that shows the three titles; the number of the line that
    has them. Raises NotReadable."""
    seen: Lines = []
    broken: NotReadable | None = None
    for candidate in divider or DIVIDERS:
        try:
            head = text_rows(text, candidate, MAX_ABOVE)
        except NotReadable as error:
            broken = broken or error
            continue
        names = [[name_of(cell) for cell in line[:MAX_COLUMNS]] for line in head]
        for number, line in enumerate(names):
            if not missing_titles(line):
                return text_rows(text, candidate, LINES), number
        seen += names
    if broken:
        raise broken
    sentence = f"No line has the columns {', '.join(NEEDED)} {columns_note('The file', seen)}"
    raise NotReadable(
        sentence.strip(),
        "Put these three column titles into one line above the recorders, in any order, "
        "separated by a comma, semicolon, tab or |. Or upload an .xlsx workbook.",
    )
