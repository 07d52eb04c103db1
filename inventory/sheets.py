"""Finds the list of recorders in a workbook: which sheet has it, and its texts.

`read` is run by the child process; the rest of the monitor asks `inventory.workbook`.
"""

import io
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)

from fleet.texts import name_of
from inventory.contents import contents_of
from inventory.limits import SAVE, SHRINK, NotReadable, check
from inventory.model import (
    MAX_ABOVE,
    MAX_COLUMNS,
    MAX_ROWS,
    NEEDED,
    Place,
    Table,
    Workbook,
    bare,
    missing_in,
    workbook_of,
)
from inventory.parts import Sheet, sheets_of
from inventory.tidy import Range, tidied

MAX_TEXT = 100 << 20
"""Letters of all cells together, where each cell counts as EACH more."""
EACH = 32
MAX_MERGED = 1_000_000
"""Cells that merged ones may span, all together."""
DAMAGED = (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError)


def read(data: bytes, *, tidy: bool = False) -> Workbook:
    """The list of recorders: the first visible sheet that has the three columns, else the
    first hidden one. Raises NotReadable.

    With `tidy` each sheet is told again before calamine sees it, which takes longer.
    """
    table, notes = _found(data, tidy)
    book = workbook_of(table)
    return replace(book, notes=notes, contents=contents_of(data, table))


def table_of(data: bytes, *, tidy: bool = False) -> Table:
    """The texts of the sheet that `read` takes. Raises NotReadable."""
    return _found(data, tidy)[0]


def _found(data: bytes, tidy: bool) -> tuple[Table, list[str]]:
    """The table, and what a person should know about where it comes from."""
    check(data)
    notes, lacks = list[str](), list[str]()
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        sheets, book = _opened(data, packed, tidy)
        for sheet in sheets:
            try:
                made, why = _read_sheet(packed, book, sheet)
            except DAMAGED as error:
                notes.append(f"Sheet {sheet.name[:40]} cannot be read, it is damaged ({error}).")
                continue
            notes += why
            if isinstance(made, Table):
                return made, [*notes, *_told(made, sheet)]
            lacks += [made] if made else []
    said = " ".join([f"No sheet has the columns {', '.join(NEEDED)}", *lacks[:3]])
    raise NotReadable(
        ". ".join([said, *(one.rstrip(".") for one in notes[:3])]),
        "Put these three titles into one row of a sheet, in any order.",
    )


def _told(table: Table, sheet: Sheet) -> list[str]:
    notes = []
    if sheet.is_hidden:
        notes.append(
            f"Sheet {sheet.name[:40]} is hidden in the file. It is used because no visible sheet "
            f"has the columns {', '.join(NEEDED)}."
        )
    if table.merged:
        notes.append("Merged cells: the value applies to every row that the cell spans.")
    return notes


def _opened(data: bytes, packed: zipfile.ZipFile, tidy: bool) -> tuple[list[Sheet], Any]:
    """The sheets, visible ones first, and the file as calamine has it: None where it must not
    or cannot open the whole. Raises NotReadable."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    said, book = "", None
    if not tidy:
        try:
            book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        except CalamineError as error:
            said = str(error)
    try:
        return sheets_of(packed), book
    except DAMAGED as error:
        if book is None:
            why = said or str(error)
            raise NotReadable(f"The list of its sheets is damaged ({why})", SAVE) from error
    known = [
        Sheet(one.name, "", one.visible != SheetVisibleEnum.Visible) for one in book.sheets_metadata
    ]
    return sorted(known, key=lambda one: one.is_hidden), book


def _read_sheet(
    packed: zipfile.ZipFile, book: Any, sheet: Sheet
) -> tuple[Table | str, Sequence[str]]:
    """Its table, or in words which of the three titles it lacks; and what was left out.
    Raises DAMAGED."""
    from python_calamine import CalamineError, CalamineWorkbook

    if book is not None:
        try:
            cells = book.get_sheet_by_name(sheet.name)
            merged = cells.merged_cell_ranges or []
            return _table(sheet.name, enumerate(cells.iter_rows(), 1), cells.start, merged), ()
        except CalamineError:
            pass  # one odd cell is enough
    made = tidied(packed, sheet.part)
    try:
        cells = CalamineWorkbook.from_filelike(io.BytesIO(made.data)).get_sheet_by_name("Sheet")
    except CalamineError as error:
        raise ValueError(str(error)) from error
    lines = zip(made.numbers, cells.iter_rows(), strict=False)
    far = f"Cells of sheet {sheet.name[:40]} that are far from the table were not read."
    notes = [far] if made.was_cut else []
    return _table(sheet.name, lines, cells.start, made.merged), notes


def _table(
    name: str,
    lines: Iterator[tuple[int, list[Any]]],
    start: tuple[int, int] | None,
    merged: Sequence[Range],
) -> Table | str:
    """The table below the first line that has the three titles, else what is missing, in words.

    `start` is row and column of the first cell with content, from 0. Raises NotReadable.
    """
    # A far cell makes a million empty lines: they are passed over before they are texts.
    filled = ((n, line) for n, line in lines if line.count("") < len(line))
    texts = ((n, [_text(one) for one in line[:MAX_COLUMNS]]) for n, line in filled)
    numbered = ((n, cells) for n, cells in texts if any(cells))
    seen: list[list[str]] = []
    for number, cells in islice(numbered, MAX_ABOVE):
        seen.append([name_of(one) for one in cells])
        if not missing_in(seen[-1]):
            first = start[1] if start else 0
            table = _rest(name, seen[-1], first, numbered)
            return _with_merged(table, [one for one in merged if one[0][0] >= number])
    return lacking(f"Sheet {name[:40]}", seen)


def _rest(
    name: str, titles: list[str], first: int, numbered: Iterator[tuple[int, list[str]]]
) -> Table:
    found: dict[int, Sequence[str]] = {}
    cut = size = 0
    for number, cells in numbered:
        if len(found) >= MAX_ROWS:
            cut = number
            break
        found[number] = cells
        size += sum(len(one) + EACH for one in cells if one)
        if size > MAX_TEXT:
            raise NotReadable(f"The sheet {name[:40]} has too much text", SHRINK)
    return Table(name, titles, first, found, cut)


def _with_merged(table: Table, merged: Sequence[Range]) -> Table:
    """A merged cell stores its text in its first row; it counts for the others too, as a
    person sees it. Only rows that have something else get it, and no column beside."""
    lines = {number: list(cells) for number, cells in table.lines.items()} if merged else {}
    numbers = sorted(lines)
    filled, budget = set[Place](), MAX_MERGED
    for (top, left), (bottom, _right) in merged:
        place = left - table.first
        above = lines.get(top + 1, [])
        text = above[place] if 0 <= place < len(above) else ""
        if not text:
            continue
        begin, end = bisect_left(numbers, top + 2), bisect_left(numbers, bottom + 2)
        spanned = numbers[begin : min(end, begin + budget)]
        budget -= len(spanned)
        for number in spanned:
            if place < len(lines[number]) and not lines[number][place]:
                lines[number][place] = text
                filled.add((number, left))
    return replace(table, lines=lines, merged=frozenset(filled)) if filled else table


def lacking(where: str, lines: Sequence[Sequence[str]]) -> str:
    """Which of the three titles the line lacks that has most of them; nothing if none has one."""
    best = min(lines, key=lambda one: len(missing_in(one)), default=())
    missing = missing_in(best)
    if len(missing) == len(NEEDED):
        return ""
    has = ", ".join(one[:40] for one in best if one)[:200]
    return f"({where} has no column {', '.join(missing)}; it has {has})"


def _text(value: Any) -> str:
    """A cell as text: 123456.0 is 123456; texts keep their leading zeros."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return bare(str(value)) if value is not None else ""
