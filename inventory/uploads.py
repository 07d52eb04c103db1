"""Uploads of a new workbook: preview, commit and undo."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import IO

from fleet import recorder_list
from fleet.model import NotFound, Refused
from fleet.natural_order import natural_key
from fleet.recorder_list import RecorderRow
from fleet.tracker import Precondition, no_precondition
from inventory import workbook
from inventory.files import write_atomically
from inventory.losses import emptied, losses
from inventory.text_files import is_text
from inventory.workbooks import (
    NO_WORKBOOK,
    Outdated,
    Workbooks,
    base_key,
    effective_rows,
    still_wanted,
)
from store.json_file import CannotKeep

KEY = re.compile(r"[0-9a-f]{64}")
"""Of a preview: the upload, then what it was compared with."""
MAX_UPLOADS = 10
"""Uploads that wait for their commit; an older one is forgotten."""


MAX_WAITING = 3
"""Uploads that wait while another one is read: each takes memory."""
MAX_LOCK_WAIT = 20.0
"""Seconds that one waits."""


class TooManyUploads(Exception):
    """Too many uploads at the same time: try again later."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The changes that a new workbook would make.

    `key` commits it. `forgotten` are the pending serials of sites that have no row now; `kept`
    those that the rows of the new one still lack; `lost` describes what only the current file has.
    """

    key: str
    book: workbook.Workbook
    added: Sequence[RecorderRow]
    changed: Sequence[tuple[RecorderRow, RecorderRow]]
    removed: Sequence[RecorderRow]
    unchanged: int
    forgotten: Mapping[str, str]
    kept: Mapping[str, str]
    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class Replacement:
    """The last import, which can be undone. `is_first`: there was no workbook before it."""

    at: datetime
    is_first: bool


class Uploads:
    """Folder of uploaded workbooks that wait for a commit."""

    def __init__(self, folder: Path, workbooks: Workbooks) -> None:
        self.folder = folder
        self.workbooks = workbooks
        self._slots = BoundedSemaphore(1 + MAX_WAITING)
        self._lock = Lock()
        workbooks.on_serials_written = self._update_former

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Lock uploads. Raises TooManyUploads when too many wait, or when it takes too long."""
        if not self._slots.acquire(blocking=False):
            raise TooManyUploads
        try:
            if not self._lock.acquire(timeout=MAX_LOCK_WAIT):
                raise TooManyUploads
            try:
                yield
            finally:
                self._lock.release()
        finally:
            self._slots.release()

    def _former_path(self, base: str) -> Path:
        """The path of the workbook that the commit with the result `base` replaced; `base` is
        part of its name."""
        return self.folder / f"before-{base}.xlsx"

    def _update_former(self, old: bytes, new: bytes, serials: Mapping[str, str]) -> None:
        """Write the serials that were written into the current workbook into the former one
        too, so that an undo loses none. If one has no cell there, no undo is possible."""
        before = self._former_path(base_key(old, {}))
        with suppress(OSError, workbook.NotReadable):
            if not before.is_file():
                return
            data, imported = before.read_bytes(), before.stat().st_mtime
            updated = workbook.with_serials(data, serials)
            if not updated.refused and not updated.gone:
                renewed = self._former_path(base_key(new, {}))
                write_atomically(renewed, updated.data or data)
                os.utime(renewed, (imported, imported))
                before.unlink()

    def _former_workbooks(self) -> list[Path]:
        """The former workbooks, also those of older versions, without a base in their name."""
        return [*self.folder.glob("before-*.xlsx"), *self.folder.glob("before.xlsx")]

    def last_import(self) -> Replacement | None:
        """The last commit while the workbook before it is still there, so that undo is offered."""
        with suppress(OSError):
            stats = [file.stat() for file in self._former_workbooks()]
            if stats:
                newest = max(stats, key=lambda stat: stat.st_mtime)
                return Replacement(_modified(newest), not newest.st_size)
        return None

    def undone_at(self) -> datetime | None:
        """The time of the last undo, if it was the last change made here."""
        with suppress(OSError):
            if not self._former_workbooks():
                return _modified(self._undone_path.stat())
        return None

    @property
    def _undone_path(self) -> Path:
        """The path of the workbook that was in use before the last undo."""
        return self.folder / "undone.xlsx"

    def preview(self, upload: bytes | IO[bytes]) -> Preview:
        """Preview the changes of these bytes, a workbook or CSV, to the current list. Raises
        NotReadable, TooManyUploads; writes nothing but a waiting copy."""
        with self._one_at_a_time():
            if not isinstance(upload, bytes):
                upload = upload.read(workbook.MAX_BYTES + 1)
            return self._compare(upload)

    def _compare(self, data: bytes) -> Preview:
        name = self.workbooks.path.name
        try:
            now, pending = self.workbooks.read_current()
        except OSError as error:
            text = (
                f"{name} cannot be read ({error.strerror}), so the upload cannot be compared with "
                "it"
            )
            raise workbook.NotReadable(text, "Allow this user to read it.") from error
        try:
            return self._preview(data, now, pending)
        except ChildProcessError as error:
            raise workbook.NotReadable(
                f"The workbook cannot be read now ({error.strerror})",
                "Free memory, or allow this user more processes.",
            ) from error

    def _preview(self, data: bytes, now: bytes, pending: Mapping[str, str]) -> Preview:
        old = self._read_workbook(now)
        before = {row.site: row for row in self._rows(old, pending)}
        if is_text(data):
            data = workbook.from_text(data, {site: row.extra for site, row in before.items()})
        book = workbook.read(data)
        kept = still_wanted(book, pending)
        after = {row.site: row for row in effective_rows(book, kept)}
        pairs = [(before[site], row) for site, row in after.items() if site in before]
        changed = [pair for pair in pairs if _facts(pair[0]) != _facts(pair[1])]
        key = _key_of(data)
        try:
            self._store_upload(key, data)
        except OSError as error:
            raise workbook.NotReadable(
                f"The upload cannot be saved in {self.folder} ({error.strerror})",
                "Free disk space there, or allow this user to write to the folder.",
            ) from error
        return Preview(
            key + base_key(now, pending),
            book,
            [row for site, row in after.items() if site not in before],
            changed,
            [row for site, row in before.items() if site not in after],
            len(pairs) - len(changed),
            {site: serial for site, serial in pending.items() if site not in {**before, **kept}},
            kept,
            [*losses(old, book), *emptied(pairs, book.columns)] if old else [],
        )

    def _read_workbook(self, data: bytes) -> workbook.Workbook | None:
        """Read a workbook; None for a file that is gone or damaged."""
        with suppress(workbook.NotReadable):
            return workbook.read(data) if data != NO_WORKBOOK else None
        return None

    def _rows(
        self, book: workbook.Workbook | None, pending: Mapping[str, str]
    ) -> list[RecorderRow]:
        """The rows of the file; of one that is gone or damaged, those still in use."""
        if book is not None:
            return effective_rows(book, pending)
        return recorder_list.rows(self.workbooks.tracker.devices())

    def _store_upload(self, key: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        waiting = sorted(self.folder.glob("wait-*.xlsx"), key=lambda file: file.stat().st_mtime)
        for upload in waiting[: max(0, len(waiting) - MAX_UPLOADS + 1)]:
            upload.unlink()
        (self.folder / f"wait-{key}.xlsx").write_bytes(data)

    def commit(self, key: str, precondition: Precondition = no_precondition) -> str:
        """Replace the workbook with a previewed one; return what was done, in words.

        Raises TooManyUploads; NotFound for an upload that has expired. The upload is kept when this
        raises Refused, as the workbook is open or is not what the preview compared with; OSError
        or CannotKeep when the file cannot be written; and what `precondition` gives.
        """
        with self._one_at_a_time():
            return self._commit(key, precondition)

    def _commit(self, key: str, precondition: Precondition) -> str:
        staged = self.folder / f"wait-{key[:32]}.xlsx"
        data = staged.read_bytes() if KEY.fullmatch(key) and staged.is_file() else NO_WORKBOOK
        if _key_of(data) != key[:32]:
            # A power cut may have left a part of it.
            raise NotFound("This upload has expired", "Upload the workbook again.")
        left, former = base_key(data, {}), self._former_workbooks()
        try:
            result = self.workbooks.replace(data, self._former_path(left), key[32:], precondition)
        except (OSError, Refused, CannotKeep):
            with suppress(OSError):
                if base_key(self.workbooks.read_current()[0], {}) != left:
                    self._former_path(left).unlink(missing_ok=True)
            raise
        self._delete([file for file in former if file != self._former_path(left)])
        staged.unlink(missing_ok=True)
        return result

    def undo(self, precondition: Precondition = no_precondition) -> str:
        """Restore the workbook that the last commit replaced.

        Raises like `commit`, Refused also when anything was changed since that commit.
        """
        with self._one_at_a_time():
            return self._undo(precondition)

    def _undo(self, precondition: Precondition) -> str:
        if not (former := self._former_workbooks()):
            raise NotFound("There is no previous workbook", "Upload the workbook you want.")
        now, pending = self.workbooks.read_current()
        before = self._former_path(base_key(now, pending))
        if not before.is_file():
            raise self._undo_refused(now, pending, former)
        try:
            result = self.workbooks.replace(
                before.read_bytes(), self._undone_path, base_key(now, pending), precondition
            )
        except Outdated:
            raise self._undo_refused(*self.workbooks.read_current(), former) from None
        self._delete(former)
        return result

    def _undo_refused(self, now: bytes, pending: Mapping[str, str], former: list[Path]) -> Refused:
        name = self.workbooks.path.name
        if pending:
            sites = ", ".join(sorted(pending, key=natural_key)[:5]) + (
                " and others" if len(pending) > 5 else ""
            )
            error = f"A new serial number of {sites} was entered after the import"
        elif now == NO_WORKBOOK:
            error = f"{name} was removed after the import"
        elif all(file.name == "before.xlsx" for file in former):
            error = (
                f"{name} may have been changed after the import: its state at that time is unknown"
            )
        else:
            error = f"{name} was changed after the import"
        paths = [str(file) for file in former if file.stat().st_size]
        where = f" The previous workbook is kept as {paths[-1]}." if paths else ""
        return Refused(error, f"Upload the workbook you want instead.{where}")

    def _delete(self, files: list[Path]) -> None:
        for file in files:
            file.unlink(missing_ok=True)


def _modified(stat: os.stat_result) -> datetime:
    return datetime.fromtimestamp(stat.st_mtime, UTC)


def _key_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _facts(row: RecorderRow) -> tuple[str, str, dict[str, str]]:
    return row.serial, row.store, dict(row.extra)
