"""Read and write the workbook of recorders (P2P1.xlsx) in a child process.

Only values are read: no formula is computed, no macro run, no link followed.
"""

import json
from collections.abc import Mapping

from fleet.recorder_list import RecorderRow
from inventory import process
from inventory.cells import SerialUpdate
from inventory.limits import MAX_BYTES, NotReadable
from inventory.model import (
    NEEDED,
    SERIAL,
    SITE,
    STORE,
    Contents,
    Problem,
    Workbook,
)

__all__ = [
    "MAX_BYTES",
    "NEEDED",
    "SERIAL",
    "SITE",
    "STORE",
    "Contents",
    "NotReadable",
    "Problem",
    "Workbook",
    "SerialUpdate",
    "from_text",
    "read",
    "with_serials",
]


def read(data: bytes) -> Workbook:
    """Read the list of recorders in the first sheet that has the three columns, visible ones
    first. Raises NotReadable, ChildProcessError."""
    head, rest = process.ask({}, data)
    rows: list[RecorderRow] = []
    problems: list[Problem] = []
    # Line by line: other threads have their turn between them.
    for line in rest.splitlines():
        match json.loads(line):
            case dict(problem):
                row = problem.pop("row")
                problems.append(Problem(**problem, row=RecorderRow(*row) if row else None))
            case row:
                rows.append(RecorderRow(*row))
    contents = Contents(**head["contents"])
    return Workbook(head["sheet"], head["columns"], rows, problems, head["notes"], contents)


def with_serials(data: bytes, serials: Mapping[str, str]) -> SerialUpdate:
    """Write these serials by site, and change nothing else. Raises like `read`."""
    head, new = process.ask({"serials": dict(serials)}, data)
    return SerialUpdate(new if head["changed"] else None, head["refused"], head["gone"])


def from_text(data: bytes, more: Mapping[str, Mapping[str, str]]) -> bytes:
    """Convert a text file (CSV) to a workbook; a file with only the three columns keeps the
    further ones, which `more` has by site. Raises like `read`."""
    return process.ask({"more": {site: dict(columns) for site, columns in more.items()}}, data)[1]
