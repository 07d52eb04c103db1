"""Keep copies of the SQLite database from before migrations."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from store.folders import sync_folder

KEPT = 2
"""Number of copies kept, one of each revision."""


def database_file(engine: Engine) -> Path | None:
    """The file of an SQLite database; None for others."""
    name = engine.url.database
    is_file = engine.dialect.name == "sqlite" and name and name != ":memory:"
    return Path(name) if is_file and name else None


def keep_copy(connection: Connection, path: Path, revision: str) -> Path:
    """Copy the database at `path` durably into the folder `copies` beside it; return the path.

    A copy of the same revision is replaced, and the oldest are deleted. Raises OSError or
    sqlite3.Error; then no partial copy is left.
    """
    folder = path.parent / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{path.name}.revision{revision}"
    new = folder / f".{path.name}.new"
    source: Any = connection.connection.driver_connection
    try:
        _check_room(source, folder)
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(new)) as target:
            source.backup(target)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(copy)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
    sync_folder(folder)
    others = (other for other in folder.glob("*.revision[0-9]*") if other.stem == path.name)
    for extra in sorted(others)[:-KEPT]:
        extra.unlink()
    return copy


def _check_room(source: sqlite3.Connection, folder: Path) -> None:
    """Raise OSError when the folder has no room for the whole database."""
    pages, size = (
        source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    free = shutil.disk_usage(folder).free
    if free < pages * size:
        needed = f"{pages * size / 1e6:,.1f} MB needed, {free / 1e6:,.1f} MB free"
        raise OSError(ENOSPC, needed)
