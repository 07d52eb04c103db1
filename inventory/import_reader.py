"""Read what a person hands in to import: pasted text, a CSV file or an Excel workbook."""

from inventory import import_rows
from inventory.import_rows import ImportList
from inventory.limits import NotReadable
from inventory.table import read_table

PASTED = "Pasted list"


def read_text(text: str) -> ImportList:
    """Read pasted text. Raises NotReadable, ChildProcessError."""
    if not text.strip():
        raise NotReadable("Nothing was pasted", "Paste addresses or stream URLs, or choose a file.")
    lines = import_rows.pasted_lines(text)
    if lines is not None:
        return import_rows.import_list(lines)
    # A spreadsheet puts tabs between the cells that it copies.
    has_tabs = "\t" in text
    table = read_table((f"sep=\t\n{text}" if has_tabs else text).encode("utf-8", "replace"), PASTED)
    return import_rows.import_list(import_rows.renumbered(table, -1) if has_tabs else table)


def read_file(data: bytes, name: str) -> ImportList:
    """Read an uploaded file. Raises NotReadable, ChildProcessError."""
    return import_rows.import_list(read_table(data, name))
