"""Read every sheet of a workbook as rows of text: damaged, far, merged and hidden cells included.

Run by the child process; the rest of the monitor asks `inventory.workbook`.
"""

import io
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)

from inventory import frames
from inventory.limits import SAVE, SHRINK, NotReadable, check
from inventory.model import MAX_COLUMNS, MAX_ROWS, Place, Table, bare
from inventory.parts import Sheet, sheets_of
from inventory.tidy import MAX_LINES, Range, tidied

if TYPE_CHECKING:
    from pandas import ExcelFile

MAX_TEXT = 100 << 20
"""Letters of all cells together, where each cell adds EACH more."""
EACH = 32
MAX_MERGED = 1_000_000
"""Cells that merged ones may span, all together."""
MAX_CELLS = 4_000_000
"""Cells, most of them empty, that pandas may lay out: a million rows of four take 550 MB."""
MERGED = "Merged cells: the value applies to every row that the cell spans."
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
    """The sheets of a workbook, visible ones first; a damaged one is empty. Raises NotReadable.

    With `tidy` each sheet is rewritten in plain cells first, which takes longer.
    """
    check(data)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        sheets, file = _opened(data, packed, tidy)
        for sheet in sheets:
            try:
                yield _cells_of(packed, file, sheet)
            except DAMAGED as error:
                note = f"Sheet {sheet.name[:40]} cannot be read, it is damaged ({error})."
                yield SheetCells(sheet, notes=[note])


def first_table(data: bytes, *, tidy: bool = False) -> Table:
    """The first visible sheet that has rows, else the first hidden one. Raises NotReadable."""
    notes = list[str]()
    for cells in each_sheet(data, tidy=tidy):
        notes += cells.notes
        name = cells.sheet.name
        lines, cut = kept(name, cells.rows)
        if not lines:
            continue
        if with_merged(lines, cells.first, cells.merged):
            notes.append(MERGED)
        if cells.sheet.is_hidden:
            notes.append(f"Sheet {name[:40]} is hidden in the file. No visible sheet has rows.")
        return Table(name, lines, [*notes, *too_many(cut)])
    raise NotReadable(
        ". ".join(["The workbook is empty", *(note.rstrip(".") for note in notes[:3])]),
        "Put the rows into its first sheet, with one line of titles above them.",
    )


def too_many(number: int) -> list[str]:
    """The note about the rows from that number on, which were not read; none for 0."""
    return [f"More than {MAX_ROWS:,} rows: row {number} and later were not read."] if number else []


def _opened(
    data: bytes, packed: zipfile.ZipFile, tidy: bool
) -> tuple[list[Sheet], "ExcelFile | None"]:
    """The sheets, visible ones first, and the file as pandas has it: None where it must not or
    cannot open the whole. Raises NotReadable."""
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
            why = reason or str(error)
            raise NotReadable(f"The list of its sheets is damaged ({why})", SAVE) from error
    known = [
        Sheet(each.name, "", each.visible != SheetVisibleEnum.Visible)
        for each in file.book.sheets_metadata
    ]
    return sorted(known, key=lambda sheet: sheet.is_hidden), file


def _cells_of(packed: zipfile.ZipFile, file: "ExcelFile | None", sheet: Sheet) -> SheetCells:
    """Raises DAMAGED."""
    from python_calamine import CalamineError

    if file is not None:
        try:
            cells = file.book.get_sheet_by_name(sheet.name)
            first = cells.start[1] if cells.start else 0
            if _is_far(cells.end):
                return _tidied_cells(packed, sheet, first + MAX_COLUMNS)
            rows = enumerate(frames.sheet_rows(file, sheet.name, first), 1)
            return SheetCells(sheet, first, _filled(rows), cells.merged_cell_ranges or [])
        except CalamineError:
            pass  # one odd cell is enough
    return _tidied_cells(packed, sheet)


def _is_far(end: tuple[int, int] | None) -> bool:
    """Whether a cell far from the table makes the sheet too large to lay out, as it is mostly
    empty. `end` is its last row and column from 0."""
    rows, columns = end or (0, 0)
    is_beyond = rows > MAX_LINES or columns > MAX_COLUMNS
    return is_beyond and rows * columns > MAX_CELLS


def _tidied_cells(
    packed: zipfile.ZipFile, sheet: Sheet, columns: int = 2 * MAX_COLUMNS
) -> SheetCells:
    """The same for a sheet that is rewritten in plain cells first. Raises DAMAGED."""
    from python_calamine import CalamineError

    plain = tidied(packed, sheet.part, columns)
    try:
        file = frames.open_workbook(plain.data)
        start = file.book.get_sheet_by_name("Sheet").start
        first = start[1] if start else 0
        lines = frames.sheet_rows(file, "Sheet", first)
    except CalamineError as error:
        raise ValueError(str(error)) from error
    far = f"Cells of sheet {sheet.name[:40]} that are far from the table were not read."
    rows = zip(plain.numbers, lines, strict=False)
    notes = [far] if plain.was_cut else []
    return SheetCells(sheet, first, _filled(rows), plain.merged, notes)


def _filled(rows: Iterable[tuple[int, list[Any]]]) -> Iterator[tuple[int, list[str]]]:
    """The rows with content, as texts."""
    for number, values in rows:
        # Empty rows are passed over before they are texts: there may be a million.
        if values.count("") < len(values):
            cells = [bare(frames.as_text(value)) for value in values]
            if any(cells):
                yield number, cells


def kept(name: str, rows: Iterator[tuple[int, list[str]]]) -> tuple[Lines, int]:
    """As many rows as are read, and the number of the first one that is not, 0 for none. Raises
    NotReadable."""
    lines: Lines = {}
    size = 0
    for number, cells in rows:
        if len(lines) >= MAX_ROWS:
            return lines, number
        lines[number] = cells
        size += sum(len(cell) + EACH for cell in cells if cell)
        if size > MAX_TEXT:
            raise NotReadable(f"The sheet {name[:40]} has too much text", SHRINK)
    return lines, 0


def with_merged(lines: Lines, first: int, merged: Sequence[Range]) -> frozenset[Place]:
    """Fill what merged cells span, and say where. A merged cell stores its text in its first
    row; a person sees it in the others too. Only rows that have something else get it, and no
    column beside."""
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
