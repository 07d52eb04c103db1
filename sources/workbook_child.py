"""The child process that takes workbooks apart: `python -m sources.workbook_child`.

On standard input comes a line of JSON, then the file: `memory` in bytes and `seconds` of a
processor are the most that it may use; with `serials` it gives the file with these, else its
rows. Back comes a line of JSON that says what follows, or `{"error": ..., "hint": ...}`.
"""

import json
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from sources import workbook_cells, workbook_rows
from sources.workbook_limits import SHRINK, NotReadable


def main() -> None:
    wish = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_AS, (wish["memory"], wish["memory"]))
    # At the first it is told so and ends, at the second it is killed.
    resource.setrlimit(resource.RLIMIT_CPU, (wish["seconds"], wish["seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    try:
        answer = _written(data, wish["serials"]) if "serials" in wish else _rows(data)
    except NotReadable as error:
        answer = iter([_line({"error": error.error, "hint": error.hint})])
    except MemoryError:
        answer = iter([_line({"error": "The workbook needs too much memory", "hint": SHRINK})])
    sys.stdout.buffer.writelines(answer)


def _rows(data: bytes) -> Iterator[bytes]:
    """The sheet in the first line; then in each a row, as a list, or a problem."""
    book = workbook_rows.read(data)
    return chain(
        [_line({"sheet": book.sheet, "columns": book.columns})],
        (_line([one.number, one.site, one.serial, one.store, one.extra]) for one in book.rows),
        (_line(asdict(one)) for one in book.problems),
    )


def _written(data: bytes, serials: dict[str, str]) -> Iterator[bytes]:
    """What was refused in the first line; then the new file, if there is another one."""
    written = workbook_cells.with_serials(data, serials)
    is_changed = written.data is not None
    head = {"refused": written.refused, "gone": written.gone, "changed": is_changed}
    return iter([_line(head), written.data or b""])


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    main()
