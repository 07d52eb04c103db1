"""Synchronize the fleet and the workbook of recorders, both ways.

The workbook decides which recorders exist. A serial that a person changes in the monitor is
kept as pending, is used at once, and is written into its one cell by `sync()`.
"""

import errno
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event, Lock

from fleet import labels, recorder_list, state
from fleet.model import (
    Edit,
    Invalid,
    NotFound,
    PendingSerials,
    Refused,
    Report,
    TakenWorkbook,
    Target,
)
from fleet.recorder_list import RecorderRow
from fleet.serials import clean_serial
from fleet.texts import name_of
from fleet.tracker import Precondition, Tracker, no_precondition
from inventory import workbook
from inventory.files import digest, find_lock, write_atomically
from store.json_file import CannotKeep

log = logging.getLogger(__name__)
TRIES = 3
SAME_TIME = 2.5
"""Seconds within which two saves can have the same time: no file system's clock is coarser."""
Fingerprint = tuple[int, ...]
NOT_READ: Fingerprint = ()
"""The fingerprint of a file that was not read yet; a missing file has None."""
NO_WORKBOOK = b""
"""The content of a workbook that did not exist."""


class Outdated(Refused):
    """The file or the pending serials have changed since the preview."""


@dataclass(frozen=True, slots=True)
class WorkbookState:
    """The state of the file. `error` says why it cannot be used; then the recorders of
    the last good one stay. `busy`: the file is open in another program."""

    book: workbook.Workbook | None = None
    error: str = ""
    busy: str = ""
    read_at: datetime | None = None


class Workbooks:
    """The workbook at `path` and its recorders in the fleet."""

    def __init__(self, path: Path, tracker: Tracker, clock: Callable[[], datetime]) -> None:
        self.path = path
        self.tracker = tracker
        self.clock = clock
        self.on_serials_written: Callable[[bytes, bytes, Mapping[str, str]], None] = lambda *_: None
        """Called with the file before and after these serials were written into it, under the
        lock of the file."""
        self.on_new_targets: Callable[[], object] = lambda: None
        """Called when the list has recorders to ask about that it did not have before."""
        self.state = WorkbookState()
        self.was_read = Event()
        """Set after the first attempt to read the file."""
        self._file_lock = Lock()
        """Held while the file is read or written, which may take long."""
        self._serials_lock = Lock()
        """Held while pending serials and the rows of the fleet change together."""
        self._fingerprint: Fingerprint | None = NOT_READ
        self._fingerprint_at = 0.0
        self._read_digest = b""
        """Digest of the file as it was read last; nothing once the mark is enough."""
        self._read_error = ""
        self._unwritten = ""
        self._failed_write: tuple[bytes, Mapping[str, str]] | None = None
        """The digest of the file, and the serials that could not be written into it."""

    # -- reading -------------------------------------------------------------------------

    def sync(self) -> str:
        """Write pending serials, read the file if it changed; return what was done, in words."""
        with self._file_lock:
            try:
                return self._sync()
            finally:
                self.was_read.set()

    def _sync(self) -> str:
        try:
            self._finish_replacement()
        except (CannotKeep, OSError) as problem:
            # What is older than the file must not be written into it.
            self._fingerprint, self.state = NOT_READ, replace(self.state, error=_describe(problem))
            return self.state.error
        written, outcome = self._write_pending(), "unchanged"
        if written or self._has_changed():
            self._fingerprint, self._fingerprint_at = self._current_fingerprint(), time.monotonic()
            outcome = self._read()
        error = self._read_error or self._unwritten
        self.state = replace(self.state, error=error, busy=self._lock_notice())
        return outcome

    def read_current(self) -> tuple[bytes, Mapping[str, str]]:
        """Read the file, NO_WORKBOOK for none, and the pending serials. Raises OSError."""
        with self._file_lock:
            return self._bytes_or_none(), self.pending()

    def replace(
        self, data: bytes, before: Path, base: str, precondition: Precondition = no_precondition
    ) -> str:
        """Replace the whole workbook, NO_WORKBOOK for none; the former one is kept at `before`.
        Pending serials are dropped, but for rows without a serial in `data`: the caller that
        sends `base` has seen them.

        Raises Outdated when file and pending serials are not `base` any more, Refused while
        the workbook is open in another program, OSError or CannotKeep when it cannot be
        written, and what `precondition` gives.
        """
        with self._file_lock:
            if (error := precondition()) is not None:
                raise error
            if lock := find_lock(self.path):
                raise Refused(
                    f"{self.path.name} is open in {lock.program}, which would overwrite this one",
                    f"Close it there and try again. {lock.leftover}",
                )
            old = self._bytes_or_none()
            self._note_replacement(data, old, base, self._still_pending(data))
            try:
                write_atomically(before, old)
                self._put_file(data, old)
            except (OSError, Refused):
                with suppress(CannotKeep, OSError):
                    self._finish_replacement()
                raise
            with suppress(CannotKeep):
                self._finish_replacement(is_there=True)
            return self._retire_all() if data == NO_WORKBOOK else self._sync()

    def _still_pending(self, data: bytes) -> Mapping[str, str]:
        """The pending serials that this workbook has a row for and nothing else in its place."""
        pending = self.pending()
        with suppress(workbook.NotReadable):
            return (
                still_wanted(workbook.read(data), pending)
                if pending and data != NO_WORKBOOK
                else {}
            )
        return {}

    def _note_replacement(
        self, data: bytes, old: bytes, base: str, kept: Mapping[str, str]
    ) -> None:
        with self._serials_lock:
            pending = self.pending()
            if base_key(old, pending) != base:
                raise self._outdated()
            if older := {site: serial for site, serial in pending.items() if site not in kept}:
                # Killed before the file is there, the next look at it decides.
                taken = TakenWorkbook(digest(data).hex(), older)
                self.tracker.apply([taken], self.clock())

    def _put_file(self, data: bytes, old: bytes) -> None:
        if self._bytes_or_none() != old:
            raise self._outdated()
        if data == NO_WORKBOOK:
            self.path.unlink(missing_ok=True)
            return
        expected = old if old or self.path.exists() else None
        if not write_atomically(self.path, data, expected=expected):
            raise self._outdated()

    def _finish_replacement(self, is_there: bool = False) -> None:
        """Finish a replacement: if the new file is there, drop the serials that were pending
        before it, else keep them. Raises CannotKeep, OSError."""
        taken = state.taken_workbook(self.tracker.fleet())
        if taken is None:
            return
        is_there = is_there or digest(self._bytes_or_none()).hex() == taken.digest
        with self._serials_lock:
            newest = state.taken_workbook(self.tracker.fleet())
            old = newest.serials if newest and is_there else {}
            left = {
                site: serial for site, serial in self.pending().items() if old.get(site) != serial
            }
            self.tracker.apply([PendingSerials(left), TakenWorkbook()], self.clock())

    def _outdated(self) -> Outdated:
        error = f"{self.path.name} has changed since the preview"
        return Outdated(error, "Upload the new file again to see a new preview.")

    def _retire_all(self) -> str:
        """Retire all recorders after the workbook was removed."""
        self._fingerprint, self._read_digest, self._read_error, self._unwritten = None, b"", "", ""
        self.state, now = WorkbookState(), self.clock()
        with self._serials_lock:
            gone = recorder_list.edits((), self.tracker.devices(), self.path.name, now)
            if gone:
                self.tracker.apply(gone, now)
            self._drop_pending(self.pending())
        return f"{len(gone)} {'recorder' if len(gone) == 1 else 'recorders'} retired"

    def _read(self) -> str:
        known, self._read_error, self._read_digest = self._read_error, "", b""
        try:
            data = self._bytes()
            self._read_digest = digest(data)
            book = workbook.read(data)
            number = self._apply(book)
        except FileNotFoundError:
            # A fleet without recorders needs no workbook: report it only if there was one.
            if self._has_rows():
                self._read_error = (
                    f"{self.path.name} is missing. Put it back; the recorders are unchanged."
                )
            return "no workbook"
        except (OSError, workbook.NotReadable, CannotKeep) as error:
            self._read_error = f"{self.path.name}: {_describe(error)}"
            if not isinstance(error, workbook.NotReadable):
                self._fingerprint = NOT_READ  # the fault is not in the file: it is tried again
            if self._read_error != known:
                log.warning("%s", self._read_error)
            return self._read_error
        self.state = WorkbookState(book, read_at=self.clock())
        return (
            f"{labels.counted(len(book.rows), 'recorder')}, {number} changed, "
            f"{labels.counted(len(book.problems), 'row')} skipped"
        )

    def _apply(self, book: workbook.Workbook) -> int:
        with self._serials_lock:
            rows = effective_rows(book, self.pending())
            now = self.clock()
            edits = recorder_list.edits(rows, self.tracker.devices(), self.path.name, now)
            if edits:
                before = self._asked_serials()
                self.tracker.apply(edits, now)
                if self._asked_serials() - before:
                    self.on_new_targets()
            return len(edits)

    def _asked_serials(self) -> set[tuple[str, str]]:
        return {(target.key, target.path) for target in self.targets()}

    def _has_rows(self) -> bool:
        return bool(recorder_list.rows(self.tracker.devices()))

    def _lock_notice(self) -> str:
        lock, pending = find_lock(self.path), self.pending()
        if lock is None:
            return ""
        notice = (
            f"{self.path.name} is open in {lock.program}. Changes are used once they are saved "
            "there."
        )
        if pending:
            notice += (
                f" {self._pending_notice(pending)} The file is updated after it is closed there."
            )
        return f"{notice} {lock.leftover}"

    def _bytes(self) -> bytes:
        """Read the file up to one byte beyond the limit: a larger one is refused."""
        with self.path.open("rb") as file:
            return file.read(workbook.MAX_BYTES + 1)

    def _bytes_or_none(self) -> bytes:
        try:
            return self._bytes()
        except FileNotFoundError:
            return NO_WORKBOOK

    def _current_fingerprint(self) -> Fingerprint | None:
        with suppress(OSError):
            stat = self.path.stat()
            return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size
        return None

    def _has_changed(self) -> bool:
        if self._current_fingerprint() != self._fingerprint:
            return True
        if not self._read_digest:
            return False
        # A save in the same tick of the clock leaves the same mark. Only bytes that are the
        # same some seconds later prove that there was none.
        was_young = time.monotonic() - self._fingerprint_at < SAME_TIME
        try:
            is_same = digest(self._bytes()) == self._read_digest
        except OSError:
            return True
        if is_same and not was_young:
            self._read_digest = b""
        return not is_same

    def targets(self) -> list[Target]:
        """The recorders to ask the cloud about."""
        targets = []
        for device in self.tracker.devices().values():
            key, serial = recorder_list.key_of(device), recorder_list.serial_of(device)
            if key and serial and device.retired_at is None:
                targets.append(Target(device.site, key, "", path=serial))
        return targets

    # -- changing a serial ---------------------------------------------------------------

    def pending(self) -> Mapping[str, str]:
        return state.pending_serials(self.tracker.fleet())

    def skip_reason(self, site: str) -> workbook.Problem | None:
        """The reason why the row of a site is not used, if it lacks nothing but a serial of its own
        and none was entered yet."""
        known = {} if self.state.book is None else without_serial(self.state.book)
        return None if site in self.pending() else known.get(site)

    def row_number(self, site: str) -> int | None:
        """The row of a site in the sheet, from 1; None when the file was not read or lacks it."""
        book = self.state.book
        rows = () if book is None else effective_rows(book, self.pending())
        return next((row.number for row in rows if row.site == site), None)

    def _without_serial(self, site: str) -> RecorderRow | None:
        problem = self.skip_reason(site)
        if problem is None or problem.row is None:
            return None
        return RecorderRow(site, "", problem.row.store, problem.row.extra)

    def change_serial(
        self, site: str, text: str, by: str, precondition: Precondition = no_precondition
    ) -> None:
        """Change the serial of a site: durable when this returns, in the file soon after. The
        row of the site may have had none, or that of another row.

        Raises NotFound for a site that is not in the workbook, Invalid for an invalid serial,
        CannotKeep when it cannot be made durable, and what `precondition` gives: then it is
        not done.
        """
        serial, site = clean_serial(text), name_of(site)
        if serial is None:
            raise _invalid_serial(
                "Invalid serial number", "A serial number has 4 to 32 letters and digits."
            )
        with self._serials_lock:
            rows = {row.site: row for row in recorder_list.rows(self.tracker.devices())}
            row = rows.get(site) or self._without_serial(site)
            if row is None:
                raise NotFound(f"Site {site[:60]} does not exist", "GET /api/dvrs lists the sites.")
            for other in rows.values():
                if other.site != site and other.serial.upper() == serial.upper():
                    raise _invalid_serial(
                        f"The serial number {serial} is already used at {other.site}",
                        "Enter another serial number.",
                    )
            now = self.clock()
            facts: list[Report] = [PendingSerials({**self.pending(), site: serial})]
            if taken := state.taken_workbook(self.tracker.fleet()):
                # Newer than the workbook that is being taken.
                older = {
                    place: older_serial
                    for place, older_serial in taken.serials.items()
                    if place != site
                }
                facts.append(replace(taken, serials=older))
            self.tracker.apply(facts, now, precondition)
            new = RecorderRow(site, serial, row.store, row.extra)
            fields = {"kind": "recorder", "site": site, "source": recorder_list.SOURCE}
            edit = Edit("list", new.key, {**fields, "facts": new.facts()}, by, now)
            try:
                self.tracker.apply([edit], now)
            except CannotKeep:
                # What is pending is durable, so it is done: it counts as soon as it can.
                self._fingerprint = NOT_READ

    def _write_pending(self) -> bool:
        """Write the pending serials into their cells. True when the file was written."""
        pending = self.pending()
        if not pending:
            self._unwritten, self._failed_write = "", None
            return False
        try:
            return self._try_to_write(pending)
        except FileNotFoundError:
            self._unwritten = ""  # that it is gone is said by reading
        except OSError as error:
            remedy = "Free disk space, or allow this user to write the file and its folder."
            if error.errno == errno.EBUSY:
                remedy = "If it is mounted as a single file, mount its folder instead."
            reason = f"{self.path} cannot be written ({error.strerror}). {remedy}"
            self._unwritten = f"{self._pending_notice(pending)} {reason}"
        self._failed_write = None
        return False

    def _try_to_write(self, pending: Mapping[str, str]) -> bool:
        for _try in range(TRIES):
            if find_lock(self.path):
                # The program that has it open would save over it; the state says what is pending.
                self._unwritten, self._failed_write = "", None
                return False
            data = self._bytes()
            if self._failed_write == (digest(data), pending):
                return False
            self._unwritten, self._failed_write = "", (digest(data), pending)
            try:
                written = workbook.with_serials(data, pending)
            except workbook.NotReadable as error:
                self._unwritten = f"{self._pending_notice(pending)} {error}"
                return False
            if written.data is not None and not self._write(data, written.data):
                continue
            if written.refused:
                reasons = " ".join(f"{site}: {reason}" for site, reason in written.refused.items())
                self._unwritten = f"{self._pending_notice(written.refused)} {reasons}"
            for site in written.gone:
                log.warning("Dropped the new serial number of %s: its row was removed", site)
            done = {site: pending[site] for site in pending.keys() - written.refused.keys()}
            if written.data is not None:
                self.on_serials_written(data, written.data, done)
            self._finish_pending(done)
            return written.data is not None
        self._failed_write = None
        self._unwritten = (
            f"{self._pending_notice(pending)} {self.path.name} was changed by another program "
            f"{TRIES} times meanwhile. Close the file there; the next attempt follows soon."
        )
        return False

    def _pending_notice(self, serials: Mapping[str, str]) -> str:
        many = (
            f"1 new serial number is not yet in {self.path.name}"
            if len(serials) == 1
            else f"{len(serials)} new serial numbers are not yet in {self.path.name}"
        )
        return f"{many}; this server already uses {'it' if len(serials) == 1 else 'them'}."

    def _finish_pending(self, written: Mapping[str, str]) -> None:
        """Drop pending serials that the file has, or whose rows are gone."""
        # What was typed meanwhile stays. Without a durable note it is settled the next time.
        with self._serials_lock, suppress(CannotKeep):
            self._drop_pending(written)

    def _drop_pending(self, serials: Mapping[str, str]) -> None:
        pending = self.pending()
        left = {site: serial for site, serial in pending.items() if serials.get(site) != serial}
        if left != pending:
            self.tracker.apply([PendingSerials(left)], self.clock())

    def _write(self, old: bytes, new: bytes) -> bool:
        """Write the file, unless it has changed since `new` was made from it."""
        return write_atomically(self.path, new, expected=old)


def without_serial(book: workbook.Workbook) -> dict[str, workbook.Problem]:
    """The rows by site that have no serial of their own but are valid otherwise."""
    return {problem.row.site: problem for problem in book.problems if problem.row}


def effective_rows(book: workbook.Workbook, pending: Mapping[str, str]) -> list[RecorderRow]:
    """The rows in use, with the serials that are not in the file yet."""
    lacking = [problem.row for site, problem in without_serial(book).items() if site in pending]
    rows = [*book.rows, *(row for row in lacking if row)]
    return [replace(row, serial=pending.get(row.site, row.serial)) for row in rows]


def still_wanted(book: workbook.Workbook, pending: Mapping[str, str]) -> dict[str, str]:
    """The pending serials for rows without one, except those that another row has."""
    lacking, used = without_serial(book), {row.serial.upper() for row in book.rows}
    return {
        site: serial
        for site, serial in pending.items()
        if site in lacking and serial.upper() not in used
    }


def base_key(data: bytes, pending: Mapping[str, str]) -> str:
    """The key of a file together with its pending serials."""
    serials = json.dumps(pending, sort_keys=True).encode() if pending else b""
    return digest(digest(data) + serials).hex()[:32]


def _invalid_serial(error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = "p2pNumber"
    return invalid


def _describe(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"It cannot be read ({error.strerror}). Allow this user to read it."
    return str(error)
