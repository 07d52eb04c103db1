"""A new workbook by hand: first what it would change, then one commit, then undo."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from discovery.workbooks import Workbooks, write_whole
from fleet.model import NotThere
from sources import workbook

KEY = re.compile(r"[0-9a-f]{32}")
NONE = b""
"""Kept in place of the former workbook when there was none."""
LONGEST_WAIT = 10
"""Uploads that wait for their commit; an older one is forgotten."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a new workbook would change. `key` commits it."""

    key: str
    book: workbook.Workbook
    added: Sequence[workbook.Row]
    changed: Sequence[tuple[workbook.Row, workbook.Row]]
    removed: Sequence[workbook.Row]
    unchanged: int


class Uploads:
    """Keeps uploaded workbooks in a folder until somebody commits them."""

    def __init__(self, folder: Path, workbooks: Workbooks) -> None:
        self.folder = folder
        self.workbooks = workbooks

    @property
    def _before(self) -> Path:
        return self.folder / "before.xlsx"

    @property
    def can_undo(self) -> bool:
        """Whether the workbook before the last commit is still there."""
        return self._before.is_file()

    def preview(self, data: bytes) -> Preview:
        """What these bytes would change. Raises NotReadable; writes nothing but a waiting copy."""
        book = workbook.read(data)
        old = self.workbooks.state.book
        before = {one.site: one for one in old.rows} if old else {}
        after = {one.site: one for one in book.rows}
        both = [(before[site], row) for site, row in after.items() if site in before]
        changed = [pair for pair in both if _facts(pair[0]) != _facts(pair[1])]
        key = hashlib.sha256(data).hexdigest()[:32]
        self._keep(key, data)
        return Preview(
            key,
            book,
            [row for site, row in after.items() if site not in before],
            changed,
            [row for site, row in before.items() if site not in after],
            len(both) - len(changed),
        )

    def _keep(self, key: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        waiting = sorted(self.folder.glob("wait-*.xlsx"), key=lambda one: one.stat().st_mtime)
        for one in waiting[: max(0, len(waiting) - LONGEST_WAIT + 1)]:
            one.unlink()
        (self.folder / f"wait-{key}.xlsx").write_bytes(data)

    def commit(self, key: str) -> str:
        """Make a previewed workbook the one that counts; what was done, in words.

        Raises NotThere for one that waits no more, OSError when the file cannot be written.
        """
        staged = self.folder / f"wait-{key[:32]}.xlsx"
        if not KEY.fullmatch(key) or not staged.is_file():
            raise NotThere("This upload waits no more", "Upload the workbook again.")
        path = self.workbooks.path
        write_whole(self._before, path.read_bytes() if path.exists() else NONE)
        write_whole(path, staged.read_bytes())
        staged.unlink()
        return self.workbooks.keep()

    def undo(self) -> str:
        """Put the workbook back that was there before the last commit. Raises NotThere."""
        if not self.can_undo:
            raise NotThere("There is no workbook from before", "Upload the one that you want.")
        data = self._before.read_bytes()
        if data == NONE:
            self._before.unlink()
            return self.workbooks.do_without()
        write_whole(self.workbooks.path, data)
        self._before.unlink()
        return self.workbooks.keep()


def _facts(row: workbook.Row) -> tuple[str, str, dict[str, str]]:
    return row.serial, row.store, dict(row.extra)
