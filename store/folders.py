"""Write folders and small files to disk."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new or renamed file in it survives a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes, *, is_forced: bool = False) -> None:
    """Replace a small file whole. Unless its content is forced to disk first, it may be the older
    one after a power cut. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        if is_forced:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)
