"""The rows of a workbook: which sheet has them, and which of them can be used.

`read` is run by the child process; the rest of the house asks `sources.workbook`.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sources.easy4ip_wire import clean_serial
from sources.workbook_limits import SAVE, SHRINK, NotReadable, check

SERIAL, SITE, STORE = "P2P NUMBER", "SITE", "STORE NAME"
NEEDED = (SERIAL, SITE, STORE)
MOST_ROWS = 50_000
MOST_COLUMNS = 200
MOST_TEXT = 100 << 20
"""Letters of all cells together, where each cell counts as EACH more."""
EACH = 32
LONGEST_CELL = 500
FORMULA = ("=", "+", "-", "@")
"""With these begins what a spreadsheet computes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recorder. `number` is its row in the sheet, from 1; `extra` the other columns."""

    number: int
    site: str
    serial: str
    store: str
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken: why, and what to do."""

    number: int
    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class Workbook:
    """`columns` are the titles as they stand in the sheet, in their order."""

    sheet: str
    columns: Sequence[str]
    rows: Sequence[Row]
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Table:
    """The texts of a sheet: its lines with content, by row from 1, without the line of titles.

    `first` is the column of the first text in each line, from 0. `cut` is the row from which
    on there was too much, 0 for none.
    """

    sheet: str
    titles: Sequence[str]
    first: int
    lines: Mapping[int, Sequence[str]]
    cut: int = 0

    def place(self, title: str) -> int:
        """Where a title stands first, in any case. Raises ValueError."""
        return [one.upper() for one in self.titles].index(title)


def read(data: bytes) -> Workbook:
    """The first sheet that has the three columns. Raises NotReadable."""
    return workbook_of(table_of(data))


def table_of(data: bytes) -> Table:
    """The texts of the first sheet that has the three columns. Raises NotReadable."""
    check(data)
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            found = _table(name, sheet.iter_rows(), sheet.start)
            if found is not None:
                return found
    except CalamineError as error:
        raise NotReadable(f"The file is no workbook that can be read ({error})", SAVE) from error
    raise NotReadable(
        f"No sheet has the columns {', '.join(NEEDED)}",
        "Put these three titles into the first row of one sheet, in any order.",
    )


def _table(name: str, lines: Iterator[list[Any]], start: tuple[int, int] | None) -> Table | None:
    """None when the first line with content has not the three titles.

    `start` is row and column of the first cell with content; lines begin at row 0.
    """
    # A far cell makes a million empty lines: they are passed over before they are texts.
    filled = ((n, line) for n, line in enumerate(lines, 1) if line.count("") < len(line))
    texts = ((n, [_text(one) for one in line[:MOST_COLUMNS]]) for n, line in filled)
    numbered = ((n, cells) for n, cells in texts if any(cells))
    _number, titles = next(numbered, (0, []))
    if not {one.upper() for one in titles}.issuperset(NEEDED):
        return None
    found: dict[int, Sequence[str]] = {}
    cut = size = 0
    for number, cells in numbered:
        if len(found) >= MOST_ROWS:
            cut = number
            break
        found[number] = cells
        size += sum(len(one) + EACH for one in cells if one)
        if size > MOST_TEXT:
            raise NotReadable(f"The sheet {name[:40]} has too much text", SHRINK)
    return Table(name, titles, start[1] if start else 0, found, cut)


def workbook_of(table: Table) -> Workbook:
    """The rows that can be used, and why the others cannot."""
    places = {title: table.place(title) for title in NEEDED}
    rows: list[Row] = []
    problems: list[Problem] = []
    taken: dict[tuple[str, str], int] = {}
    for number, cells in table.lines.items():
        made = _row(number, cells, table.titles, places, taken)
        if isinstance(made, Row):
            rows.append(made)
        else:
            problems.append(made)
    if table.cut:
        problems.append(
            Problem(table.cut, f"More than {MOST_ROWS:,} rows", "Divide it over two houses.")
        )
    return Workbook(table.sheet, table.titles, rows, problems)


def _row(
    number: int,
    cells: Sequence[str],
    titles: Sequence[str],
    places: Mapping[str, int],
    taken: dict[tuple[str, str], int],
) -> Row | Problem:
    def cell(title: str) -> str:
        place = places[title]
        return cells[place] if place < len(cells) else ""

    site, serial = cell(SITE), clean_serial(cell(SERIAL))
    if not site:
        return Problem(number, "SITE is empty", "Give the site a name of its own.")
    if not cell(SERIAL):
        return Problem(number, f"P2P NUMBER of {site} is empty", "Enter the recorder's serial.")
    if serial is None:
        return Problem(
            number,
            f"P2P NUMBER {cell(SERIAL)[:40]!r} of {site} is no serial",
            "A serial has 4 to 32 letters and digits.",
        )
    for kind, value in ((SITE, site), (SERIAL, serial)):
        before = taken.setdefault((kind, value), number)
        if before != number:
            if kind == SERIAL and taken.get((SITE, site)) == number:
                del taken[SITE, site]
            return Problem(
                number, f"{kind} {value} stands in row {before} already", "Keep one of the two."
            )
    own = places.values()
    extra = {
        titles[place]: value
        for place, value in enumerate(cells)
        if value and place < len(titles) and titles[place] and place not in own
    }
    return Row(number, site, serial, cell(STORE), extra)


def _text(value: Any) -> str:
    """A cell as text: 123456.0 is 123456; texts keep their leading zeros."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return bare(str(value)) if value is not None else ""


def bare(text: str) -> str:
    """A cell's text in one line. The quote that keeps our own CSV files from being formulas
    is taken away again."""
    text = " ".join(text.split()).replace("\x00", "")[:LONGEST_CELL]
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text
