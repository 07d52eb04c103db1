"""The child process that reads and writes tables: `python -m inventory.child`.

On standard input comes a line of JSON, then the file: `memory` in bytes and `seconds` of a
processor are the most that it may use; with `serials` it gives the file with these, with `more`
a text file as a workbook, with `table` the rows of any table (a text file has that title), else
the list of recorders; `tidy` is for a file that ended another child. Back comes a line of JSON
that says what follows, or `{"error": ..., "hint": ...}`.
"""

import gc
import json
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any

from fleet.recorder_list import RecorderRow
from inventory import cells, frames, recorders, sheets, text_files
from inventory.limits import SHRINK_HINT, NotReadable
from inventory.model import Problem

OUT_OF_MEMORY = 1
"""Exit status: the next child gets the same file with `tidy`."""


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    # At the first it is told so and ends, at the second it is killed.
    resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    frames.use_one_thread()
    # The process handles one file: looking for cycles among its cells only takes time.
    gc.disable()
    data = sys.stdin.buffer.read()
    try:
        response = _respond(data, request)
    except NotReadable as error:
        response = iter([_line({"error": error.error, "hint": error.hint})])
    except MemoryError:
        if not request.get("tidy"):
            sys.exit(OUT_OF_MEMORY)
        response = iter(
            [_line({"error": "The workbook needs too much memory", "hint": SHRINK_HINT})]
        )
    sys.stdout.buffer.writelines(response)


def _respond(data: bytes, request: Mapping[str, Any]) -> Iterator[bytes]:
    tidy = bool(request.get("tidy"))
    if "serials" in request:
        return _serial_update(data, request["serials"], tidy)
    if "table" in request:
        return _table(data, request["table"], tidy)
    if "more" in request:
        return iter([_line({}), text_files.from_text(data, request["more"])])
    return _rows(data, tidy)


def _table(data: bytes, name: str, tidy: bool) -> Iterator[bytes]:
    """Encode a table: title and notes in the first line, then a row with its number in each."""
    is_text = text_files.is_text(data)
    table = text_files.text_table(data, name) if is_text else sheets.first_table(data, tidy=tidy)
    head = {"title": table.title, "notes": table.notes}
    return chain([_line(head)], (_line(row) for row in table.rows.items()))


def _rows(data: bytes, tidy: bool) -> Iterator[bytes]:
    """Encode the list: the sheet in the first line, then a row as a list, or a problem, in each."""
    book = recorders.read(data, tidy=tidy)
    head = {
        "sheet": book.sheet,
        "columns": book.columns,
        "notes": book.notes,
        "contents": asdict(book.contents),
    }
    return chain(
        [_line(head)],
        (_line(_row_values(row)) for row in book.rows),
        (_line(_problem(problem)) for problem in book.problems),
    )


def _row_values(row: RecorderRow) -> list[Any]:
    return [row.site, row.serial, row.store, row.extra, row.number]


def _problem(problem: Problem) -> dict[str, Any]:
    row = _row_values(problem.row) if problem.row else None
    return {"number": problem.number, "error": problem.error, "hint": problem.hint, "row": row}


def _serial_update(data: bytes, serials: dict[str, str], tidy: bool) -> Iterator[bytes]:
    """Encode the update: refused serials in the first line, then the new file, if any."""
    update = cells.with_serials(data, serials, tidy=tidy)
    is_changed = update.data is not None
    head = {"refused": update.refused, "gone": update.gone, "changed": is_changed}
    return iter([_line(head), update.data or b""])


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    main()
