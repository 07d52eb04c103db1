"""Keeps the fleet and the workbook of recorders the same, both ways.

The workbook is the truth for which recorders exist. A serial that a person changes here is
kept as pending, counts at once, and is written into its one cell by `keep()`.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from fleet import listing
from fleet.model import Edit, NotThere, Target, Unfit
from fleet.tracker import Tracker
from sources import workbook
from sources.easy4ip_wire import clean_serial

log = logging.getLogger(__name__)
PENDING = "pending_serials"
"""In the tracker's memo: {site: serial} that the workbook has not yet."""
TRIES = 3
UNREAD = (0, 0, 0)
"""The mark of a file that nobody has looked at yet; a missing one has None."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known of the file. `error` says why it cannot be used; then the recorders of
    the last good one stay. `busy` says that somebody has it open."""

    book: workbook.Workbook | None = None
    error: str = ""
    busy: str = ""
    read_at: datetime | None = None


class Workbooks:
    """The workbook at `path` and the recorders that stand in it."""

    def __init__(self, path: Path, tracker: Tracker, clock: Callable[[], datetime]) -> None:
        self.path = path
        self.tracker = tracker
        self.clock = clock
        self.state = State()
        self._mark: tuple[int, int, int] | None = UNREAD
        self._unwritten = ""
        self._lock = Lock()

    # -- reading -------------------------------------------------------------------------

    def keep(self) -> str:
        """Write what is pending, read the file if it changed; what was done, in words."""
        with self._lock:
            before, written = self._unwritten, self._write_pending()
            mark, did = self._mark_now(), "unchanged"
            if mark != self._mark or written or (before and not self._unwritten):
                did = self._read()
                self._mark = mark
            self.state = replace(self.state, busy=self._busy())
            if self._unwritten:
                self.state = replace(self.state, error=self._unwritten)
            return did

    def do_without(self) -> str:
        """Take the workbook away, and its recorders out of the counts."""
        with self._lock:
            self.path.unlink(missing_ok=True)
            self._mark, self.state, now = None, State(), self.clock()
            gone = listing.edits((), self.tracker.devices(), self.path.name, now)
            if gone:
                self.tracker.apply(gone, now)
            return f"{len(gone)} recorders retired"

    def _read(self) -> str:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            # Nobody who has no recorders needs one: it is missed only by those who had it.
            missing = f"{self.path.name} is gone. Put it back; the recorders stay as they were."
            self.state = State(self.state.book, missing if self._has_rows() else "")
            return "there is no workbook"
        except OSError as error:
            self.state = State(self.state.book, f"{self.path} cannot be read ({error.strerror}).")
            return self.state.error
        try:
            book = workbook.read(data)
        except workbook.NotReadable as error:
            self.state = State(self.state.book, f"{self.path.name}: {error}")
            log.warning("%s", self.state.error)
            return self.state.error
        number = self._apply(book)
        self.state = State(book, read_at=self.clock())
        return f"{len(book.rows)} recorders, {number} changed, {len(book.problems)} rows refused"

    def _apply(self, book: workbook.Workbook) -> int:
        pending = self.pending()
        rows = [
            listing.Row(one.site, pending.get(one.site, one.serial), one.store, one.extra)
            for one in book.rows
        ]
        now = self.clock()
        edits = listing.edits(rows, self.tracker.devices(), self.path.name, now)
        if edits:
            self.tracker.apply(edits, now)
        return len(edits)

    def _has_rows(self) -> bool:
        return any(listing.key_of(one) for one in self.tracker.devices().values())

    def _busy(self) -> str:
        """Excel lays such a file beside the one that it has open."""
        if self.path.with_name(f"~${self.path.name}").exists():
            return f"{self.path.name} is open in Excel: what is saved there counts."
        return ""

    def _mark_now(self) -> tuple[int, int, int] | None:
        with suppress(OSError):
            stat = self.path.stat()
            return stat.st_ino, stat.st_mtime_ns, stat.st_size
        return None

    def targets(self) -> list[Target]:
        """The recorders to ask the cloud about."""
        found = []
        for device in self.tracker.devices().values():
            key, serial = listing.key_of(device), listing.serial_of(device)
            if key and serial and device.retired_at is None:
                found.append(Target(device.site, key, "", path=serial))
        return found

    # -- changing a serial ---------------------------------------------------------------

    def pending(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.tracker.fleet().memo.get(PENDING, {})
        return found

    def change_serial(self, site: str, text: str, by: str) -> None:
        """A new serial for a site: durable when this returns, in the file soon after.

        Raises NotThere for a site that is not in the workbook, Unfit for what is no serial.
        """
        serial = clean_serial(text)
        if serial is None:
            unfit = Unfit("This is no serial", "A serial has 4 to 32 letters and digits.")
            unfit.field = "p2pNumber"
            raise unfit
        with self._lock:
            rows = {one.site: one for one in listing.rows(self.tracker.devices())}
            row = rows.get(site)
            if row is None:
                raise NotThere(f"There is no site {site[:60]}", "GET /api/dvrs lists them.")
            for other in rows.values():
                if other.site != site and other.serial == serial:
                    unfit = Unfit(f"{serial} is that of {other.site}", "Type another serial.")
                    unfit.field = "p2pNumber"
                    raise unfit
            now = self.clock()
            self.tracker.remember({PENDING: {**self.pending(), site: serial}}, now)
            new = listing.Row(site, serial, row.store, row.extra)
            fields = {"kind": "recorder", "site": site, "source": listing.SOURCE}
            edit = Edit("list", new.key, {**fields, "facts": new.facts()}, by, now)
            self.tracker.apply([edit], now)

    def _write_pending(self) -> bool:
        """Put the pending serials into their cells. True when the file was written."""
        pending = self.pending()
        self._unwritten = ""
        if not pending or not self.path.exists():
            return False
        for _try in range(TRIES):
            try:
                data = self.path.read_bytes()
                new = with_serials(data, pending)
                if new is not None and not self._replace(data, new):
                    continue
            except (OSError, workbook.NotReadable) as error:
                self._unwritten = f"New serials cannot be written into the file: {error}"
                return False
            self.tracker.remember({PENDING: {}}, self.clock())
            return new is not None
        self._unwritten = (
            f"{self.path.name} was changed by somebody else {TRIES} times while a new serial was "
            "being written. It is tried again soon; close the file elsewhere."
        )
        return False

    def _replace(self, old: bytes, new: bytes) -> bool:
        """Write the file, unless it is not the one any more that `new` was made of."""
        return write_whole(self.path, new, instead_of=old)


def write_whole(path: Path, data: bytes, instead_of: bytes | None = None) -> bool:
    """Wholly there or not at all, with the mode that it had. Raises OSError.

    False, and nothing is written, when the file is not `instead_of` any more.
    """
    real = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    staged = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(real.stat().st_mode & 0o777 if real.exists() else 0o644)
        # At the last moment: writing may have taken its time.
        if instead_of is not None and _digest(real.read_bytes()) != _digest(instead_of):
            return False
        staged.replace(real)
        _sync(real.parent)
        return True
    finally:
        with suppress(OSError):
            staged.unlink()


def _sync(folder: Path) -> None:
    """Only then the new file outlives a power cut, as the note that it was written does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def with_serials(data: bytes, serials: Mapping[str, str]) -> bytes | None:
    """The workbook with these serials by site, all else as it was; None when nothing changes.

    Raises NotReadable.
    """
    book = workbook.read(data)
    places = {one.site: one for one in book.rows}
    changes = {
        places[site].number: serial
        for site, serial in serials.items()
        if site in places and places[site].serial != serial
    }
    if not changes:
        return None
    column = next(n for n, one in enumerate(book.columns) if one.upper() == workbook.SERIAL)
    texts = {(number, book.first + column): serial for number, serial in changes.items()}
    return workbook.with_texts(data, book.sheet, texts)
