"""The workbook of recorders (P2P1.xlsx): which there are, at which site, in which store.

Only values are read: no formula is computed, no macro run, no link followed. Files come from
anywhere, and the library that takes them apart ends its whole process on some: one far cell
makes it ask for more memory than there is. So a child process does it, with MAX_MEMORY, at
most MAX_SECONDS of a processor and LONGEST of waiting. Of all files tried that pass the limits
of size, 145 MB of empty cells were the slowest to read, 5.6 s on two cores; 50,000 rows of
three columns take 0.7 s, of twenty 2.2 s.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from fleet.recorder_list import RecorderRow
from inventory.cells import Written
from inventory.limits import MAX_BYTES, SHRINK, NotReadable, check_length
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
    "Written",
    "from_text",
    "read",
    "with_serials",
]
MAX_MEMORY = 768 << 20
MAX_SECONDS = 30
"""Of a processor; there may be others who want it."""
LONGEST = 60.0
CHILD = (sys.executable, "-m", "inventory.child")
HOME = Path(__file__).parent.parent
_one = Lock()
"""Whoever has a child: there is one in all, so that many files at once take no more memory."""


def read(data: bytes) -> Workbook:
    """The list of recorders in the first sheet that has the three columns, visible ones first.
    Raises NotReadable, ChildProcessError."""
    head, rest = _asked({}, data)
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


def with_serials(data: bytes, serials: Mapping[str, str]) -> Written:
    """The workbook with these serials by site, all else as it was. Raises like `read`."""
    head, new = _asked({"serials": dict(serials)}, data)
    return Written(new if head["changed"] else None, head["refused"], head["gone"])


def from_text(data: bytes, more: Mapping[str, Mapping[str, str]]) -> bytes:
    """A text file (CSV) as a workbook; a file with only the three columns keeps the further
    ones, which `more` has by site. Raises like `read`."""
    return _asked({"more": {site: dict(columns) for site, columns in more.items()}}, data)[1]


def _asked(wish: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """What the child says. Raises NotReadable, ChildProcessError."""
    check_length(data)
    limits = {"memory": MAX_MEMORY, "seconds": MAX_SECONDS}
    with _one:
        done = _run({**wish, **limits}, data)
        if done.returncode not in (0, -signal.SIGXCPU):
            # One cell asked for all memory, or broke the library: it may do without that one.
            done = _run({**wish, **limits, "tidy": True}, data)
    if done.returncode == -signal.SIGXCPU:
        raise NotReadable(f"The workbook takes more than {MAX_SECONDS} s", SHRINK)
    if done.returncode:
        raise NotReadable(
            "The workbook is damaged, or one cell far from the others makes its sheet huge",
            "Delete the columns right of the table and the rows below it, and save it in Excel.",
        )
    line, _, rest = done.stdout.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    if "error" in head:
        raise NotReadable(head["error"], head["hint"])
    return head, rest


def _run(wish: Mapping[str, Any], data: bytes) -> subprocess.CompletedProcess[bytes]:
    """One child, from its start to its end. Raises NotReadable, ChildProcessError."""
    wished = json.dumps(wish).encode() + b"\n"
    try:
        return subprocess.run(
            CHILD, input=wished + data, capture_output=True, cwd=HOME, timeout=LONGEST
        )
    except subprocess.TimeoutExpired as error:
        raise NotReadable(f"The workbook takes more than {LONGEST:.0f} s", SHRINK) from error
    except OSError as error:
        said = f"no process can be started to read it: {error.strerror}"
        raise ChildProcessError(error.errno, said) from error
