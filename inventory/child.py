"""The child process that takes workbooks apart: `python -m inventory.child`.

On standard input comes a line of JSON, then the file: `memory` in bytes and `seconds` of a
processor are the most that it may use; with `serials` it gives the file with these, with `more`
a text file as a workbook, else its rows; `tidy` is for a file that ended another child. Back
comes a line of JSON that says what follows, or `{"error": ..., "hint": ...}`.
"""

import json
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any

from fleet.recorder_list import RecorderRow
from inventory import cells, sheets, text_files
from inventory.limits import SHRINK, NotReadable
from inventory.model import Problem


def main() -> None:
    wish = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_AS, (wish["memory"], wish["memory"]))
    # At the first it is told so and ends, at the second it is killed.
    resource.setrlimit(resource.RLIMIT_CPU, (wish["seconds"], wish["seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    try:
        answer = _answer(data, wish)
    except NotReadable as error:
        answer = iter([_line({"error": error.error, "hint": error.hint})])
    except MemoryError:
        answer = iter([_line({"error": "The workbook needs too much memory", "hint": SHRINK})])
    sys.stdout.buffer.writelines(answer)


def _answer(data: bytes, wish: Mapping[str, Any]) -> Iterator[bytes]:
    tidy = bool(wish.get("tidy"))
    if "serials" in wish:
        return _written(data, wish["serials"], tidy)
    if "more" in wish:
        return iter([_line({}), text_files.from_text(data, wish["more"])])
    return _rows(data, tidy)


def _rows(data: bytes, tidy: bool) -> Iterator[bytes]:
    """The sheet in the first line; then in each a row, as a list, or a problem."""
    book = sheets.read(data, tidy=tidy)
    head = {
        "sheet": book.sheet,
        "columns": book.columns,
        "notes": book.notes,
        "contents": asdict(book.contents),
    }
    return chain(
        [_line(head)],
        (_line(_plain(one)) for one in book.rows),
        (_line(_problem(one)) for one in book.problems),
    )


def _plain(row: RecorderRow) -> list[Any]:
    return [row.site, row.serial, row.store, row.extra, row.number]


def _problem(one: Problem) -> dict[str, Any]:
    row = _plain(one.row) if one.row else None
    return {"number": one.number, "error": one.error, "hint": one.hint, "row": row}


def _written(data: bytes, serials: dict[str, str], tidy: bool) -> Iterator[bytes]:
    """What was refused in the first line; then the new file, if there is another one."""
    written = cells.with_serials(data, serials, tidy=tidy)
    is_changed = written.data is not None
    head = {"refused": written.refused, "gone": written.gone, "changed": is_changed}
    return iter([_line(head), written.data or b""])


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    main()
