"""Detect that a folder or file was replaced since the start: writes to it would be lost."""

from pathlib import Path


class PathGuard:
    """Detector of a folder or file at `path` that is gone or was replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark: tuple[int, int] | None = None

    def mark(self) -> None:
        """Mark what is there now as ours. Raises OSError."""
        stat = self.path.stat()
        self._mark = stat.st_dev, stat.st_ino

    def trouble(self) -> str:
        """The reason why nothing can be written there now; empty while it is ours."""
        if self._mark is None:
            return ""
        try:
            stat = self.path.stat()
        except OSError as error:
            return (
                f"{self.path} cannot be written: it no longer exists ({error.strerror}). {REMEDY}"
            )
        if (stat.st_dev, stat.st_ino) != self._mark:
            return f"{self.path} cannot be written: it was replaced or unmounted. {REMEDY}"
        return ""


REMEDY = "Restore it, or restart Camera Monitor."
