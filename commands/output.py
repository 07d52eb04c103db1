"""Rows on stdout: JSON, CSV or a table."""

import argparse
import json
from collections.abc import Iterable, Sequence

from web.tables import Row, as_csv, as_table

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
    rows: Sequence[Row], wanted: argparse.Namespace, columns: Iterable[tuple[str, str]] = COLUMNS
) -> None:
    """Rows as JSON, CSV or a table, on stdout."""
    if wanted.json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
    elif wanted.csv:
        print(as_csv(rows, [key for key, _title in columns]), end="")
    else:
        print(as_table(rows, list(columns)), end="")
