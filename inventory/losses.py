"""Describe what of the current workbook an upload would lose. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from fleet.recorder_list import RecorderRow
from inventory.workbook import NEEDED, Workbook

MAX_SITES = 5
"""Maximum number of sites that are named; the others are only counted."""
MAX_SHEETS = 10


def losses(old: Workbook, new: Workbook) -> Iterator[str]:
    """Describe columns, sheets and other contents that would be lost, a sentence each."""
    columns = {column.upper() for column in new.columns}
    for title, cells in old.contents.filled.items():
        if title and title.upper() not in columns:
            yield f"Column {title[:60]} with {_count(cells, 'filled cell', 'filled cells')}."
    untitled = old.contents.filled.get("", 0) - new.contents.filled.get("", 0)
    if untitled > 0:
        yield f"{_count(untitled, 'filled cell', 'filled cells')} in columns without a title."
    gone = [
        sheet for sheet in old.contents.sheets if sheet not in {*new.contents.sheets, new.sheet}
    ]
    for name in gone[:MAX_SHEETS]:
        yield f"Sheet {name[:60]}."
    if len(gone) > MAX_SHEETS:
        yield f"{len(gone) - MAX_SHEETS} more sheets."
    for kind, number in old.contents.objects.items():
        left = new.contents.objects.get(kind, 0)
        if left < number:
            yield (
                f"{number - left} of {number} {kind}."
                if left
                else f"{kind} ({number}).".capitalize()
            )


def emptied(
    pairs: Iterable[tuple[RecorderRow, RecorderRow]], columns: Sequence[str]
) -> Iterator[str]:
    """Describe cells that would lose their text, by column, for sites in both files."""
    kept = {column.upper() for column in columns}
    losses: dict[str, list[str]] = {}
    for old, new in pairs:
        if old.store and not new.store:
            losses.setdefault(NEEDED[2], []).append(old.site)
        for title in old.extra.keys() - new.extra.keys():
            if title.upper() in kept:
                losses.setdefault(title, []).append(old.site)
    for title, sites in losses.items():
        names = ", ".join(site[:60] for site in sites[:MAX_SITES])
        more = f" and {len(sites) - MAX_SITES} more" if len(sites) > MAX_SITES else ""
        cells = _count(len(sites), "cell", "cells")
        yield f"{title[:60]} of {names}{more}: {cells} would become empty."


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
