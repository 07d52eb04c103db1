"""Start the child process that reads and writes tables, within limits.

Files come from anywhere, and the library that takes them apart ends its whole process on some:
one far cell makes it ask for more memory than there is. So a child process does it, with
MAX_MEMORY, at most MAX_SECONDS of a processor and MAX_WAIT in all. It also keeps pandas out of
the monitor, which would take 50 MB more: only the child has it, while it reads one file.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from inventory.limits import SHRINK_HINT, NotReadable, check_length

MAX_MEMORY = 768 << 20
MAX_SECONDS = 30
"""Seconds of processor time."""
MAX_WAIT = 60.0
COMMAND = (sys.executable, "-m", "inventory.child")
ROOT = Path(__file__).parent.parent
_one_at_a_time = Lock()
"""Held while a child runs: one at a time, so that many files at once take no more memory."""


def ask(request: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Run a child and return its first line and the bytes after it. Raises NotReadable,
    ChildProcessError."""
    check_length(data)
    limits = {"memory": MAX_MEMORY, "seconds": MAX_SECONDS}
    with _one_at_a_time:
        process = _run({**request, **limits}, data)
        if process.returncode not in (0, -signal.SIGXCPU):
            # One cell asked for all memory, or broke the library: it may do without that one.
            process = _run({**request, **limits, "tidy": True}, data)
    if process.returncode == -signal.SIGXCPU:
        raise NotReadable(f"Reading the workbook takes longer than {MAX_SECONDS} s", SHRINK_HINT)
    if process.returncode:
        raise NotReadable(
            "The workbook is damaged, or a cell far from the others makes its sheet huge",
            "Delete the columns to the right of the table and the rows below it, and save it "
            "in Excel.",
        )
    line, _, rest = process.stdout.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    if "error" in head:
        raise NotReadable(head["error"], head["hint"])
    return head, rest


def _run(request: Mapping[str, Any], data: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run one child to its end. Raises NotReadable, ChildProcessError."""
    line = json.dumps(request).encode() + b"\n"
    try:
        return subprocess.run(
            COMMAND, input=line + data, capture_output=True, cwd=ROOT, timeout=MAX_WAIT
        )
    except subprocess.TimeoutExpired as error:
        raise NotReadable(
            f"Reading the workbook takes longer than {MAX_WAIT:.0f} s", SHRINK_HINT
        ) from error
    except OSError as error:
        reason = f"no process could be started to read it: {error.strerror}"
        raise ChildProcessError(error.errno, reason) from error
