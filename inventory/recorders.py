"""Find the list of recorders in a workbook: the sheet that has its three columns.

Run by the child process; the rest of the monitor asks `inventory.workbook`.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from fleet.texts import name_of
from inventory.contents import contents_of
from inventory.limits import NotReadable
from inventory.model import MAX_ABOVE, NEEDED, RecorderSheet, Workbook, missing_titles, workbook_of
from inventory.sheets import MERGED, SheetCells, each_sheet, fill_merged, limited_rows


def read(data: bytes, *, tidy: bool = False) -> Workbook:
    """Read the list of recorders: the first visible sheet that has the three columns, else the
    first hidden one; `tidy` as for `each_sheet`. Raises NotReadable."""
    table, notes = _find(data, tidy)
    book = workbook_of(table)
    return replace(book, notes=notes, contents=contents_of(data, table))


def sheet_of_recorders(data: bytes, *, tidy: bool = False) -> RecorderSheet:
    """The texts of the sheet that `read` takes. Raises NotReadable."""
    return _find(data, tidy)[0]


def _find(data: bytes, tidy: bool) -> tuple[RecorderSheet, list[str]]:
    """Find the sheet; return it with notes for a person."""
    notes, lacks = list[str](), list[str]()
    for cells in each_sheet(data, tidy=tidy):
        notes += cells.notes
        table = _find_list(cells)
        if isinstance(table, RecorderSheet):
            return table, [*notes, *_origin_notes(table, cells)]
        lacks += [table] if table else []
    problem = " ".join([f"No sheet has the columns {', '.join(NEEDED)}", *lacks[:3]])
    raise NotReadable(
        ". ".join([problem, *(note.rstrip(".") for note in notes[:3])]),
        "Put these three column titles into one row of a sheet, in any order.",
    )


def _origin_notes(table: RecorderSheet, cells: SheetCells) -> list[str]:
    notes = []
    if cells.sheet.is_hidden:
        notes.append(
            f"Sheet {table.sheet[:40]} is hidden in the file. It is used because no visible sheet "
            f"has the columns {', '.join(NEEDED)}."
        )
    if table.merged:
        notes.append(MERGED)
    return notes


def _find_list(cells: SheetCells) -> RecorderSheet | str:
    """Find the table below the first line that has the three titles; else describe what is
    missing. Raises NotReadable."""
    name = cells.sheet.name
    seen: list[list[str]] = []
    for number, texts in islice(cells.rows, MAX_ABOVE):
        seen.append([name_of(text) for text in texts])
        if not missing_titles(seen[-1]):
            lines, cut = limited_rows(name, cells.rows)
            below = [merged for merged in cells.merged if merged[0][0] >= number]
            filled = fill_merged(lines, cells.first, below)
            return RecorderSheet(name, seen[-1], cells.first, lines, cut, filled)
    return columns_note(f"Sheet {name[:40]}", seen)


def columns_note(place: str, lines: Sequence[Sequence[str]]) -> str:
    """Name the titles missing in the closest line; empty if no line has one of the three."""
    closest = min(lines, key=lambda line: len(missing_titles(line)), default=())
    missing = missing_titles(closest)
    if len(missing) == len(NEEDED):
        return ""
    has = ", ".join(title[:40] for title in closest if title)[:200]
    return f"({place} has no column {', '.join(missing)}; found: {has})"
