"""The contents of a workbook: its recorders, and the rows that cannot be used. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleet.recorder_list import RecorderRow
from fleet.serials import clean_serial
from fleet.texts import name_of, one_line

SERIAL, SITE, STORE = "P2P NUMBER", "SITE", "STORE NAME"
NEEDED = (SERIAL, SITE, STORE)
MAX_ROWS = 50_000
MAX_COLUMNS = 200
LONGEST_CELL = 500
CUT = "…"
"""The end of a text that is longer."""
FORMULA = ("=", "+", "-", "@")
"""With these begins what a spreadsheet computes."""
MAX_ABOVE = 20
"""Lines with content in which the titles are looked for: headings may stand above them."""
Place = tuple[int, int]
"""Row from 1, column from 0."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows with content by their number in the file, from 1: texts from the first column
    that has any. `notes` tell a person what was not read."""

    title: str
    rows: Mapping[int, Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that is not used: why, and what to do. `row` is there when a serial of its own is
    all that the row lacks."""

    number: int
    error: str
    hint: str
    row: RecorderRow | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a file: cells with a text by title ("" for columns without one), the names of
    the other sheets, and how many there are of other things, each by its name in the plural."""

    filled: Mapping[str, int] = field(default_factory=dict)
    sheets: Sequence[str] = ()
    objects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workbook:
    """The workbook as it was read. `columns` are the titles in the order of the sheet; `notes`
    are for people: what was not read, and where the list was found if that may surprise."""

    sheet: str
    columns: Sequence[str]
    rows: Sequence[RecorderRow]
    problems: Sequence[Problem]
    notes: Sequence[str] = ()
    contents: Contents = field(default_factory=Contents)


@dataclass(frozen=True, slots=True)
class RecorderSheet:
    """The texts of a sheet: its lines with content below the titles, by row from 1.

    `first` is the column of the first text in each line, from 0. `cut` is the row from which
    on there was too much, 0 for none. `merged` are cells that show the text of a merged one.
    """

    sheet: str
    titles: Sequence[str]
    first: int
    lines: Mapping[int, Sequence[str]]
    cut: int = 0
    merged: frozenset[Place] = frozenset()

    def place(self, title: str) -> int:
        """The first column with a title, in any case. Raises ValueError."""
        return [title.upper() for title in self.titles].index(title)

    def filled(self) -> dict[str, int]:
        """The number of cells with a text below each title; "" for those without a title."""
        counts = dict.fromkeys((title for title in self.titles if title), 0)
        for cells in self.lines.values():
            for place, text in enumerate(cells):
                if text:
                    title = self.titles[place] if place < len(self.titles) else ""
                    counts[title] = counts.get(title, 0) + 1
        return counts


def missing_titles(titles: Sequence[str]) -> list[str]:
    """The needed titles that are missing in a line."""
    known = {title.upper() for title in titles}
    return [title for title in NEEDED if title not in known]


def clean_text(text: str) -> str:
    """Clean a cell's text: one line, at most LONGEST_CELL characters (CUT shows the rest), without
    the quote that our own CSV files have before a formula."""
    text = one_line(text)
    text = f"{text[: LONGEST_CELL - 1]}{CUT}" if len(text) > LONGEST_CELL else text
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def is_cut(text: str) -> bool:
    """True if the text of a cell was longer than it is here."""
    return len(text) >= LONGEST_CELL - 1 and text.endswith(CUT)


def workbook_of(table: RecorderSheet) -> Workbook:
    """Parse the rows of the sheet; rows that cannot be used become problems."""
    places = {title: table.place(title) for title in NEEDED}
    own = set(places.values())
    others = [(n, title) for n, title in enumerate(table.titles) if title and n not in own]
    rows: list[RecorderRow] = []
    problems: list[Problem] = []
    taken: dict[tuple[str, str], int] = {}
    for number, cells in table.lines.items():
        parsed = _parse_row(number, cells, places, others, taken)
        if isinstance(parsed, RecorderRow):
            rows.append(parsed)
        else:
            problems.append(parsed)
    if table.cut:
        problems.append(
            Problem(
                table.cut, f"More than {MAX_ROWS:,} rows", "Split the list between two servers."
            )
        )
    return Workbook(table.sheet, table.titles, rows, _without_duplicate_sites(rows, problems))


def _without_duplicate_sites(
    rows: Sequence[RecorderRow], problems: Sequence[Problem]
) -> list[Problem]:
    """Remove the row from problems whose site is in an earlier row: they wait for no serial."""
    known = {row.site: row.number for row in rows}
    kept = []
    for problem in problems:
        if problem.row and known.setdefault(problem.row.site, problem.number) != problem.number:
            problem = replace(problem, row=None)
        kept.append(problem)
    return kept


def _parse_row(
    number: int,
    cells: Sequence[str],
    places: Mapping[str, int],
    others: Sequence[tuple[int, str]],
    taken: dict[tuple[str, str], int],
) -> RecorderRow | Problem:
    def cell(title: str) -> str:
        place = places[title]
        return cells[place] if place < len(cells) else ""

    site, typed = name_of(cell(SITE)), name_of(cell(SERIAL))
    serial = clean_serial(typed)
    if not site:
        return Problem(number, "SITE is empty", "Enter a unique name for the site.")
    extra = {title: cells[place] for place, title in others if place < len(cells) and cells[place]}
    row = RecorderRow(site, serial or "", cell(STORE), extra, number)
    if not typed:
        hint = "Enter the recorder's serial number."
        return Problem(number, f"P2P NUMBER of {site} is empty", hint, row)
    if serial is None:
        error = f"P2P NUMBER {typed[:40]!r} of {site} is not a serial number"
        return Problem(number, error, "A serial number has 4 to 32 letters and digits.", row)
    for kind, value in ((SITE, site), (SERIAL, serial)):
        # Serials that differ in capitals only are one recorder's.
        before = taken.setdefault((kind, value.upper() if kind == SERIAL else value), number)
        if before != number:
            if kind == SERIAL and taken.get((SITE, site)) == number:
                del taken[SITE, site]
            error = f"{kind} {value} is already used in row {before}"
            if kind == SITE:
                return Problem(number, error, "Keep only one of the two rows.")
            hint = f"Enter the serial number of the recorder at {site}."
            return Problem(number, error, hint, replace(row, serial=""))
    return row
