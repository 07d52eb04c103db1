"""Read the sheets of a workbook as rows of text, with damaged, far, merged and hidden cells.

Run by the child process; the rest of the monitor asks `inventory.workbook`.
"""

import io
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)

from inventory import frames
from inventory.limits import SAVE_HINT, SHRINK_HINT, NotReadable, check
from inventory.model import MAX_COLUMNS, MAX_ROWS, Place, Table
from inventory.plain_sheets import Range, plain_sheet
from inventory.xlsx_parts import Sheet, sheets_of

if TYPE_CHECKING:
    from pandas import ExcelFile
    from python_calamine import CalamineSheet

MAX_TEXT = 100 << 20
"""Letters of all cells together, where each cell adds EACH more."""
TEXT_PER_CELL = 32
MAX_MERGED = 1_000_000
"""Cells that merged ones may span, all together."""
MERGED = "Merged cells: the value applies to every row that the cell spans."
LIBRARY = "python_calamine"
NO_LIBRARY = "The package python-calamine is not installed, so Excel workbooks cannot be read"
NO_LIBRARY_HINT = "Save the table as CSV UTF-8 and upload that file."
DAMAGED = (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError)

Lines = dict[int, list[str]]
"""Rows of text by their number in the sheet, from 1."""


@dataclass(frozen=True, slots=True)
class SheetCells:
    """The rows with content, from column `first` on (from 0); merged cells; notes for a person
    on what was not read."""

    sheet: Sheet
    first: int = 0
    rows: Iterator[tuple[int, list[str]]] = iter(())
    merged: Sequence[Range] = ()
    notes: Sequence[str] = ()


def each_sheet(data: bytes, *, tidy: bool = False) -> Iterator[SheetCells]:
    """Read the sheets of a workbook, visible ones first; a damaged one is empty.

    Raises NotReadable. With `tidy` each sheet is rewritten in plain cells first, which takes
    longer.
    """
    check(data)
    if not find_spec(LIBRARY):
        raise NotReadable(NO_LIBRARY, NO_LIBRARY_HINT)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        sheets, file = _open(data, packed, tidy)
        for sheet in sheets:
            try:
                yield _cells_of(packed, file, sheet)
            except DAMAGED as error:
                note = f"Sheet {sheet.name[:40]} is damaged and cannot be read ({error})."
                yield SheetCells(sheet, notes=[note])


def first_table(data: bytes, *, tidy: bool = False) -> Table:
    """Read the first visible sheet that has rows, else a hidden one. Raises NotReadable."""
    notes = list[str]()
    for cells in each_sheet(data, tidy=tidy):
        notes += cells.notes
        name = cells.sheet.name
        lines, cut = limited_rows(name, cells.rows)
        if not lines:
            continue
        if fill_merged(lines, cells.first, cells.merged):
            notes.append(MERGED)
        if cells.sheet.is_hidden:
            notes.append(f"Sheet {name[:40]} is hidden in the file. No visible sheet has rows.")
        return Table(name, lines, [*notes, *row_limit_note(cut)])
    raise NotReadable(
        ". ".join(["The workbook is empty", *(note.rstrip(".") for note in notes[:3])]),
        "Put the rows into the first sheet, below a row of column titles.",
    )


def row_limit_note(number: int) -> list[str]:
    """The note about rows from that number on, which were not read; empty for 0."""
    return [f"More than {MAX_ROWS:,} rows: row {number} and later were not read."] if number else []


def _open(
    data: bytes, packed: zipfile.ZipFile, tidy: bool
) -> tuple[list[Sheet], "ExcelFile | None"]:
    """List the sheets, visible ones first, and open the file with pandas: None where it must
    not or cannot open it. Raises NotReadable."""
    from python_calamine import CalamineError, SheetVisibleEnum

    reason, file = "", None
    if not tidy:
        try:
            file = frames.open_workbook(data)
        except CalamineError as error:
            reason = str(error)
    try:
        return sheets_of(packed), file
    except DAMAGED as error:
        if file is None:
            detail = reason or str(error)
            raise NotReadable(f"The list of its sheets is damaged ({detail})", SAVE_HINT) from error
    known = [
        Sheet(sheet.name, "", sheet.visible != SheetVisibleEnum.Visible)
        for sheet in file.book.sheets_metadata
    ]
    return sorted(known, key=lambda sheet: sheet.is_hidden), file


def _cells_of(packed: zipfile.ZipFile, file: "ExcelFile | None", sheet: Sheet) -> SheetCells:
    """Read the cells of a sheet. Raises DAMAGED."""
    from python_calamine import CalamineError

    if file is not None:
        try:
            cells = file.book.get_sheet_by_name(sheet.name)
            merged = cells.merged_cell_ranges or []
            return _sheet_cells(sheet, cells, frames.sheet_rows(cells), merged)
        except CalamineError:
            pass  # one odd cell is enough
    return _rewritten_cells(packed, sheet)


def _rewritten_cells(packed: zipfile.ZipFile, sheet: Sheet) -> SheetCells:
    """Read the cells of a sheet that is rewritten in plain cells first. Raises DAMAGED."""
    from python_calamine import CalamineError

    plain = plain_sheet(packed, sheet.part)
    try:
        cells = frames.open_workbook(plain.data).book.get_sheet_by_name("Sheet")
    except CalamineError as error:
        raise ValueError(str(error)) from error
    rows = ((plain.numbers[line - 1], texts) for line, texts in frames.sheet_rows(cells))
    return _sheet_cells(sheet, cells, rows, plain.merged, plain.was_cut)


def _sheet_cells(
    sheet: Sheet,
    cells: "CalamineSheet",
    rows: Iterator[tuple[int, list[str]]],
    merged: Sequence[Range],
    was_cut: bool = False,
) -> SheetCells:
    (_, first), (_, last) = cells.start or (0, 0), cells.end or (0, 0)
    far = f"Cells of sheet {sheet.name[:40]} that are far from the table were not read."
    notes = [far] if was_cut or last >= first + MAX_COLUMNS else []
    return SheetCells(sheet, first, _without_empty(rows), merged, notes)


def _without_empty(rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Skip rows with only characters that a cell does not show."""
    return ((number, cells) for number, cells in rows if any(cells))


def limited_rows(name: str, rows: Iterator[tuple[int, list[str]]]) -> tuple[Lines, int]:
    """Read rows up to the limit; the number of the first row beyond it, 0 for none. Raises
    NotReadable."""
    lines: Lines = {}
    size = 0
    for number, cells in rows:
        if len(lines) >= MAX_ROWS:
            return lines, number
        lines[number] = cells
        size += sum(len(cell) + TEXT_PER_CELL for cell in cells if cell)
        if size > MAX_TEXT:
            raise NotReadable(f"The sheet {name[:40]} has too much text", SHRINK_HINT)
    return lines, 0


def fill_merged(lines: Lines, first: int, merged: Sequence[Range]) -> frozenset[Place]:
    """Fill the rows that merged cells span, and return the places. A merged cell stores its
    text in its first row; a person sees it in the others too. Only rows with other content get
    it, and only in the first column."""
    numbers = sorted(lines)
    filled, budget = set[Place](), MAX_MERGED
    for (top, left), (bottom, _right) in merged:
        column = left - first
        above = lines.get(top + 1, [])
        text = above[column] if 0 <= column < len(above) else ""
        if not text:
            continue
        begin, end = bisect_left(numbers, top + 2), bisect_left(numbers, bottom + 2)
        spanned = numbers[begin : min(end, begin + budget)]
        budget -= len(spanned)
        for number in spanned:
            if column < len(lines[number]) and not lines[number][column]:
                lines[number][column] = text
                filled.add((number, left))
    return frozenset(filled)
