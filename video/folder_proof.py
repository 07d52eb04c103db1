"""Prove that the folder of recordings or stills is the one that it was, before anything is written
there.

A share that dropped out leaves an ordinary folder behind, on the disk of the system. So the folder
holds a marker with a random id, which DATA_DIR knows too, together with where the folder is.
The marker also names the monitor whose folder it is: a second one would delete what it did not
record. A lock would not hold on each share, and an open file would keep one from being unmounted.
"""

import errno
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Lock

from store.folders import replace_file, sync_folder
from video.disk_calls import Answer, DiskCalls, NotAnswering, keep
from video.mounts import Mounts, mounts_of
from video.retention import DiskSpace

log = logging.getLogger(__name__)
MARKER = ".camera-monitor-recordings"
"""Name of the file in the folder of recordings that has its id."""
KNOWN = "recordings_folder.json"
"""Name of the file in DATA_DIR that remembers that folder."""
OWNER = "monitor_id"
"""Name of the file in DATA_DIR that tells this monitor from others: 32 hexadecimal digits."""
NAMING = Lock()
"""Held while the file is looked at, so that its name is made once."""
MAX_SIZE = 1000
"""Bytes of either file."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder is for: the names of its marker and of the file in DATA_DIR that remembers it,
    and parts of sentences about it."""

    marker: str
    known: str
    noun: str
    kept: str
    again: str


RECORDINGS = Contents(MARKER, KNOWN, "recordings", "recorded", "recording continues")
STILLS = Contents(
    ".camera-monitor-stills", "stills_folder.json", "stills", "kept", "stills are kept again"
)


class NotProved(Exception):
    """The folder is not the one that it was, or cannot be used now; in a sentence."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the folder says of itself. `owner` is the id of its monitor; a marker of a version
    before this one has none, and a folder without a marker neither."""

    id: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """What DATA_DIR remembers. `device` and `inode` are those of the last proof: a share can have
    other ones after each mount. `is_apart`: it was on another disk than DATA_DIR."""

    id: str
    path: str
    device: int
    inode: int
    is_apart: bool


class FolderProof:
    """Proof of the folder at `folder`, which the first one creates."""

    def __init__(
        self,
        folder: Path,
        data_dir: Path,
        calls: DiskCalls | None = None,
        contents: Contents = RECORDINGS,
    ) -> None:
        self.contents = contents
        self.folder = folder.absolute()
        self.data_dir = data_dir
        self.calls = calls or DiskCalls(mounts=self._mounts)
        """What asks its disk, which may not answer: no method here waits for it without limit."""
        self.trouble = ""
        """The result of the last proof: why nothing can be recorded, or empty."""
        self.shortage = ""
        """Why its disk takes no more recordings though it is not full, as the clean-up says."""
        self._is_silent = False
        self._lock = Lock()

    def _mounts(self) -> Mounts:
        known = self._remembered()
        return mounts_of(self.folder, None if known is None else known.device)

    def prove(self) -> str:
        """The reason why nothing can be recorded there now; empty if it can. It is logged once when
        it appears, and once when it is gone."""
        was_silent = self._is_silent
        try:
            trouble = self.calls.ask(self._trouble)
            self._is_silent = False
        except NotAnswering as error:
            trouble, self._is_silent = str(self._silent(error)), True
        # How long it has not answered changes each time.
        if trouble and trouble != self.trouble and not (was_silent and self._is_silent):
            log.warning("%s", trouble)
        if self.trouble and not trouble:
            log.warning("%s can be used again; %s", self.folder, self.contents.again)
        self.trouble = trouble
        return trouble

    def prove_identity(self) -> str:
        """The reason why the folder is not known to be ours; empty if it is, full or not. The first
        proof creates it."""
        if self.is_new():
            return self.prove()
        try:
            with self.opened():
                return ""
        except NotProved as error:
            return str(error)

    def _trouble(self) -> str:
        try:
            if self._remembered() is None:
                self._create()
            handle = self._open()
            try:
                return self._space_trouble(handle)
            finally:
                os.close(handle)
        except OSError as error:
            return str(self._not_usable(error))
        except NotProved as error:
            return str(error)

    def space(self) -> DiskSpace:
        """The disk of the proved folder. Raises NotProved."""
        return self._asked(self._space)

    def _space(self) -> DiskSpace:
        handle = self._open()
        try:
            return space_of(handle)
        except OSError as error:
            raise self._not_usable(error) from error
        finally:
            os.close(handle)

    def space_before(self) -> DiskSpace | None:
        """The disk where the folder will be created; None if that cannot be known. Raises
        NotProved."""
        return self._asked(partial(_space_at, self.folder))

    def _asked(
        self, ask: Callable[[], Answer], discard: Callable[[Answer], object] = keep
    ) -> Answer:
        """The answer of the disk. Raises NotProved also when none comes."""
        try:
            return self.calls.ask(ask, discard)
        except NotAnswering as error:
            raise self._silent(error) from error

    def _silent(self, error: NotAnswering) -> NotProved:
        return NotProved(
            f"{error} ({self.folder}). Nothing is {self.contents.kept} until its disk or share "
            "does."
        )

    def is_new(self) -> bool:
        """True if nothing was ever kept in this folder."""
        return self._remembered() is None

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the proved folder, which may be full: it stays the same one whatever is
        mounted meanwhile. Raises NotProved, also before the first recording."""
        handle = self._asked(self._open, os.close)
        try:
            yield handle
        finally:
            os.close(handle)

    def _space_trouble(self, handle: int) -> str:
        if os.fstatvfs(handle).f_bavail:
            return self.shortage
        return f"The disk of {self.folder} is full. Free disk space there."

    def _open(self) -> int:
        known = self._remembered()
        if known is None:
            raise NotProved(f"Nothing has been {self.contents.kept} in {self.folder} yet.")
        try:
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._not_usable(error) from error
        try:
            self._check(handle, known)
        except NotProved:
            os.close(handle)
            raise
        return handle

    def _check(self, handle: int, known: KnownFolder) -> None:
        """Compare the open folder with the one that is known. Raises NotProved."""
        try:
            folder, marker = os.fstat(handle), _read_marker(handle, self.contents.marker)
            is_apart = folder.st_dev != self.data_dir.stat().st_dev
            is_writable = os.access(".", os.W_OK | os.X_OK, dir_fd=handle)
            is_read_only = os.fstatvfs(handle).f_flag & os.ST_RDONLY
        except OSError as error:
            raise self._not_usable(error) from error
        if marker.id != known.id or (known.is_apart and not is_apart):
            raise NotProved(
                f"{self.folder} is not the folder of the {self.contents.noun}: it was replaced, or "
                f"its disk or share is not mounted. Nothing is {self.contents.kept} until it is "
                f"back. To use this folder from now on, delete {self._known_path()}."
            )
        self._check_owner(marker)
        if is_read_only or not is_writable:
            number = errno.EROFS if is_read_only else errno.EACCES
            raise self._not_usable(OSError(number, os.strerror(number)))
        if not marker.owner:
            # A full disk takes no marker, and has to be cleaned all the same.
            with suppress(OSError):
                _write_marker(handle, self.contents.marker, Marker(marker.id, self._owner()))
        seen = KnownFolder(known.id, str(self.folder), folder.st_dev, folder.st_ino, is_apart)
        if seen != known:
            self._remember(seen)

    def _check_owner(self, marker: Marker) -> None:
        """Refuse the folder of another monitor. Raises NotProved."""
        if marker.owner and marker.owner != self._owner():
            files = [self.folder / self.contents.marker]
            if self._remembered():
                files.append(self._known_path())
            raise NotProved(
                f"{self.folder} belongs to another Camera Monitor, with another DATA_DIR: each "
                f"would delete {self.contents.noun} of the other. Nothing is {self.contents.kept} "
                "there. Set MEDIA_DIR to another folder. If the other one no longer runs, take the "
                f"folder over: delete {' and '.join(map(str, files))}."
            )

    def _owner(self) -> str:
        """The id of this monitor, which is made when it is first asked for. Raises NotProved."""
        path = self.data_dir / OWNER
        with NAMING, self._data_dir_errors():
            with suppress(FileNotFoundError, UnicodeDecodeError):
                if owner := path.read_text()[:MAX_SIZE].strip():
                    return owner
            owner = token_hex(16)
            replace_file(path, f"{owner}\n".encode(), is_forced=True)
            return owner

    def _not_usable(self, error: OSError) -> NotProved:
        if error.errno == errno.ENOENT:
            return NotProved(
                f"{self.folder} does not exist: its disk or share may not be mounted. Nothing is "
                f"{self.contents.kept} until it is back."
            )
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NotProved(f"The disk of {self.folder} is full. Free disk space there.")
        return NotProved(
            f"{self.folder} cannot be written ({error.strerror}). Allow this user to write there, "
            "or set MEDIA_DIR to another folder."
        )

    # -- what is remembered --------------------------------------------------------------

    def _create(self) -> None:
        """Create the folder and its marker, or take over one that has a marker. Raises OSError and
        NotProved."""
        with self._lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fchmod(handle, 0o700)
                marker = _read_marker(handle, self.contents.marker)
                self._check_owner(marker)
                if not marker.owner:
                    marker = Marker(marker.id or token_hex(16), self._owner())
                    _write_marker(handle, self.contents.marker, marker)
                folder = os.fstat(handle)
            finally:
                os.close(handle)
            sync_folder(self.folder)
            is_apart = folder.st_dev != self.data_dir.stat().st_dev
            place = (str(self.folder), folder.st_dev, folder.st_ino, is_apart)
            self._remember(KnownFolder(marker.id, *place))

    def _remembered(self) -> KnownFolder | None:
        """The folder that DATA_DIR knows; None before the first start, and where MEDIA_DIR was
        set to another folder since. A damaged file is as none."""
        with suppress(OSError, ValueError, TypeError):
            known = KnownFolder(**json.loads(self._known_path().read_text()[:MAX_SIZE]))
            return known if known.path == str(self.folder) else None
        return None

    def _known_path(self) -> Path:
        return self.data_dir / self.contents.known

    def _remember(self, known: KnownFolder) -> None:
        with self._data_dir_errors():
            replace_file(self._known_path(), json.dumps(asdict(known)).encode(), is_forced=True)

    @contextmanager
    def _data_dir_errors(self) -> Iterator[None]:
        """Say in a sentence that DATA_DIR cannot be written."""
        try:
            yield
        except OSError as error:
            raise NotProved(f"{self.data_dir} cannot be written ({error.strerror}).") from error


def _write_marker(folder: int, name: str, marker: Marker) -> None:
    """Write the marker whole and durably. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    new = f"{name}.new"
    handle = os.open(new, flags, 0o600, dir_fd=folder)
    try:
        os.write(handle, f"{marker.id}\n{marker.owner}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _read_marker(folder: int, name: str) -> Marker:
    """The marker of an open folder; an empty one if there is none. Raises OSError."""
    # A pipe in its place would wait for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return Marker()
    try:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        text = os.read(handle, MAX_SIZE).decode(errors="replace") if is_file else ""
    finally:
        os.close(handle)
    id, owner = (*text.split(), "", "")[:2]
    return Marker(id, owner)


def space_of(folder: int) -> DiskSpace:
    """The disk of an open folder. Raises OSError."""
    disk = os.fstatvfs(folder)
    return DiskSpace(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)


def _space_at(path: Path) -> DiskSpace | None:
    """The disk where a folder will be created; None if that cannot be known."""
    for folder in (path, *path.parents):
        with suppress(OSError):
            disk = os.statvfs(folder)
            return DiskSpace(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)
    return None
