"""Output of a command: JSON, CSV or a table on stdout, complaints on stderr."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from fleet.csv_export import Row, as_csv

COLUMNS = (
    ("status", "STATUS"),
    ("camera_name", "NAME"),
    ("current_ip", "ADDRESS"),
    ("current_port", "PORT"),
    ("mac_address", "MAC"),
    ("model_name", "MODEL"),
    ("serial_number", "SERIAL"),
    ("firmware_version", "FIRMWARE"),
    ("last_seen", "LAST SEEN"),
    ("total_discoveries", "DISCOVERIES"),
)


def show(
    rows: Sequence[Row], args: argparse.Namespace, columns: Iterable[tuple[str, str]] = COLUMNS
) -> None:
    """Print rows as JSON, CSV or a table."""
    if args.json:
        print(as_json(list(rows)))
    elif args.csv:
        print(as_csv(rows, [key for key, _title in columns]), end="")
    else:
        print(as_table(rows, list(columns)), end="")


def as_table(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> str:
    """Format rows in columns for a terminal, with a header."""
    cells = [[title for _key, title in columns]]
    cells += [["" if row[key] is None else str(row[key]) for key, _t in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = ("  ".join(text.ljust(widths[i]) for i, text in enumerate(line)) for line in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def as_json(value: Any) -> str:
    """JSON in the letters that stdout can take; any others are escaped, so that none is lost."""
    encoding = (sys.__stdout__ and sys.__stdout__.encoding) or "utf-8"
    return json.dumps(value, indent=2, ensure_ascii=not encoding.lower().startswith("utf"))


def complain(text: str) -> None:
    """One line on stderr, as far as that can be written."""
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:
            _drop(sys.stderr)


def write(text: str) -> bool:
    """Write to stdout, with `?` for letters that it cannot show; False if it takes no more."""
    try:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # a reader like `head` has what it wanted
            complain(f"The output cannot be written: {error.strerror}.")
        _drop(sys.stdout)
        return False
    return True


def _drop(stream: TextIO) -> None:
    """Discard all further output: at exit Python would try to write the rest, and report that."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
