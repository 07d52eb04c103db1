"""Read a table with any columns from an .xlsx, .csv or text file."""

import json
from pathlib import Path

from inventory import process
from inventory.limits import MAX_BYTES
from inventory.model import Table


def read_table(file: bytes | Path, name: str = "") -> Table:
    """The texts of the first visible sheet with content, or of a text file, which `name` titles.

    Every cell is as the sheet shows it: "0123" and "1E5" stay texts, a date has no time. Raises
    NotReadable in words, OSError for a path, ChildProcessError when no process can be started.
    """
    data = file if isinstance(file, bytes) else _start_of(file)
    title = name or (file.name if isinstance(file, Path) else "")
    head, lines = process.ask({"table": title}, data)
    rows = dict(json.loads(line) for line in lines.splitlines())
    return Table(head["title"], rows, head["notes"])


def _start_of(path: Path) -> bytes:
    """Read the file up to one byte beyond the limit: a larger one is refused."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
