"""A new workbook by hand: first what it would change, then one commit, then undo."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from discovery.workbooks import NONE, Workbooks
from fleet.model import NotThere
from sources import workbook
from sources.workbook_export import from_csv, is_csv

KEY = re.compile(r"[0-9a-f]{32}")
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
        """What these bytes, a workbook or CSV, would change. Raises NotReadable; writes nothing
        but a waiting copy."""
        old = self.workbooks.state.book
        if is_csv(data):
            data = from_csv(data, {one.site: one.extra for one in old.rows} if old else {})
        book = _read(data)
        before = {one.site: one for one in old.rows} if old else {}
        after = {one.site: one for one in book.rows}
        both = [(before[site], row) for site, row in after.items() if site in before]
        changed = [pair for pair in both if _facts(pair[0]) != _facts(pair[1])]
        key = _key_of(data)
        try:
            self._keep(key, data)
        except OSError as error:
            raise workbook.NotReadable(
                f"The upload cannot be kept in {self.folder} ({error.strerror})",
                "Make room there, or give this user the right to write it.",
            ) from error
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

        Raises NotThere for one that waits no more, Refused while somebody has the workbook
        open (it goes on waiting), OSError when the file cannot be written.
        """
        staged = self.folder / f"wait-{key[:32]}.xlsx"
        data = staged.read_bytes() if KEY.fullmatch(key) and staged.is_file() else NONE
        if _key_of(data) != key:
            # A power cut may have left a part of it.
            raise NotThere("This upload waits no more", "Upload the workbook again.")
        said = self.workbooks.take(data, self._before)
        staged.unlink(missing_ok=True)
        return said

    def undo(self) -> str:
        """Put the workbook back that was there before the last commit. Raises like `commit`."""
        if not self.can_undo:
            raise NotThere("There is no workbook from before", "Upload the one that you want.")
        said = self.workbooks.take(self._before.read_bytes(), self.folder / "undone.xlsx")
        self._before.unlink()
        return said


def _key_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _read(data: bytes) -> workbook.Workbook:
    try:
        return workbook.read(data)
    except ChildProcessError as error:
        raise workbook.NotReadable(
            f"The workbook cannot be read now ({error.strerror})",
            "Free memory, or allow this user more processes.",
        ) from error


def _facts(row: workbook.Row) -> tuple[str, str, dict[str, str]]:
    return row.serial, row.store, dict(row.extra)
