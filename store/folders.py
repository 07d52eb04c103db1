"""Write folders and small files to disk."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new or renamed file in it survives a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Take the rights of others from the files directly in a folder: older versions gave them. What
    belongs to another user stays as it is."""
    for path in folder.iterdir():
        with suppress(OSError):
            state = path.lstat()
            if stat.S_ISREG(state.st_mode) and state.st_mode & 0o077:
                path.chmod(0o600)


def replace_file(path: Path, data: bytes, *, is_forced: bool = False) -> None:
    """Replace a small file whole, by one that its owner alone can read. Unless its content is
    forced to disk first, it may be the older one after a power cut. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        if is_forced:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)
