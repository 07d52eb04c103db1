"""The fleet in one JSON file, with the last good copies beside it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fleet.database import original_format, record
from fleet.database.fleet_store import OpenedFleet
from fleet.model import Event, Fleet
from store.json_file import CannotOpen, JsonFile, read_regular_file


class JsonStore:
    """The fleet in the file at `path`; copies lie in `data_dir`. A FleetStore."""

    def __init__(self, path: Path, data_dir: Path) -> None:
        self.path = path
        self.file = JsonFile(path, data_dir)
        self._encoder = record.Encoder()
        self._is_original = False
        self._notice = ""

    @property
    def foreign_change(self) -> str:
        return self.file.foreign_change

    # -- reading -------------------------------------------------------------------------

    def check(self) -> None:
        self.file.acquire()
        self.file.release()

    def open(self) -> OpenedFleet:
        self.file.acquire()
        try:
            loaded = self.file.load(self._parse_and_keep)
        except FileNotFoundError:
            return OpenedFleet(Fleet())
        except record.TooNew as error:
            raise self._too_new(error) from error
        self._encoder.renew(loaded.value)
        is_current = not (loaded.damage or self._notice)
        return OpenedFleet(loaded.value, loaded.damage, is_current, self._is_original, self._notice)

    def read(self) -> Fleet:
        try:
            return _fleet_in(_parsed(read_regular_file(self.path)))
        except FileNotFoundError:
            return Fleet()
        except record.TooNew as error:
            raise self._too_new(error) from error
        except OSError as error:
            raise CannotOpen(
                f"{self.path} cannot be read: {error.strerror}. Allow this user to read it, "
                "or set DATABASE_PATH to the right file."
            ) from error
        except ValueError as error:
            raise CannotOpen(
                f"{self.path} is damaged: {error}. Start Camera Monitor, which uses the "
                "newest good copy, or replace the file with a copy from "
                f"{self.file.copies_dir}."
            ) from error

    def _too_new(self, error: record.TooNew) -> CannotOpen:
        return CannotOpen(
            f"{self.path} was written by a newer Camera Monitor: {error}. "
            "Install the newer version again, or set DATABASE_PATH to another file."
        )

    def _parse_and_keep(self, data: bytes) -> Fleet:
        """The fleet; the bytes of another format are kept for ever. Raises ValueError."""
        raw = _parsed(data)
        fleet = _fleet_in(raw)
        if "format" not in raw:
            kept, older = self.file.keep_original(data), "The former tracker"
            self._is_original = True
        elif record.is_version_1(raw):
            kept, older = self.file.keep_version(data, 1), "Older versions of Camera Monitor"
        else:
            return fleet
        self._notice = (
            f"{self.path} was updated to file format {record.VERSION}. {older} cannot open "
            f"it. The original is kept in {kept}."
        )
        return fleet

    def newest_copy(self) -> tuple[Path | None, Fleet]:
        for copy in self.file.copies():
            with suppress(OSError, record.Unreadable, record.TooNew):
                data = copy.read_bytes()
                fleet = record.decode(data)
                if fleet.devices:
                    return self.file.keep_replaced(data), fleet
        return None, Fleet()

    # -- writing -------------------------------------------------------------------------

    def prepare(self, fleet: Fleet, events: Sequence[Event] = ()) -> None:
        self._encoder.renew(fleet, events)

    def write(self, fleet: Fleet) -> None:
        self.file.write(self._encoder.encode(fleet))

    def has_foreign_change(self) -> bool:
        return self.file.has_foreign_change()

    # -- its place -----------------------------------------------------------------------

    def places(self) -> dict[str, Path]:
        return {"Data": self.file.data_dir, "Copies": self.file.copies_dir}

    def missing(self) -> str:
        return self.file.missing()

    def unwritable(self) -> str:
        return self.file.unwritable()

    def close(self) -> None:
        self.file.release()


def _parsed(data: bytes) -> Mapping[str, Any]:
    """Parse the bytes as JSON. Raises ValueError."""
    try:
        return record.parsed(data)
    except record.Unreadable as error:
        raise ValueError(str(error)) from error


def _fleet_in(raw: Mapping[str, Any]) -> Fleet:
    """The fleet in our own format or that of the former tracker. Raises ValueError, TooNew."""
    try:
        if "format" in raw:
            return record.fleet_of(raw)
        if original_format.is_original(raw):
            return original_format.converted_fleet(raw)
    except record.Unreadable as error:
        raise ValueError(str(error)) from error
    raise ValueError("it is not a Camera Monitor database")
