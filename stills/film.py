"""Films: the stills of a day of a camera as an MP4, made when somebody asks for it, and kept."""

import logging
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import BoundedSemaphore, Event, Lock, Thread

from stills.exif import kept_of
from stills.film_files import Film, FilmFiles
from stills.film_making import LOOK, Cancelled, FilmOrder, NotMade, make_film
from stills.model import Still
from stills.shelf import Shelf
from store.sql import Unreachable

log = logging.getLogger(__name__)
MOST_STILLS = 2000
"""A still each minute is 1500 on a day of 25 hours."""
LARGEST_SIDE = 1920
SLOWEST, FASTEST, LENGTH = 4, 12, 10
"""Frames per second, and the seconds that a film lasts between these two."""
AT_ONCE = 2
MOST_WAITING = 20
MOST_FAILED = 500
HEAD = 8192
"""Bytes of a still that have its metadata, which this program wrote."""
NONE, MAKING, READY, FAILED = "none", "making", "ready", "failed"
"""States of the film of a day."""
SIDEWAYS = 5
"""From this orientation on, height and width are exchanged."""


class Busy(Exception):
    """Another film is being made. `is_same_camera`: of this camera, of another day."""

    def __init__(self, reason: str, hint: str, *, is_same_camera: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.is_same_camera = is_same_camera


@dataclass(frozen=True, slots=True)
class FilmState:
    """What there is of the film of a day: `done` of `total` pictures while it is being made, the
    `film` once it is ready, the `problem` and `hint` if there could be none. `total`: stills of
    the day now; `newer`: how many of them were taken after those of the film."""

    state: str
    total: int
    done: int = 0
    film: Film | None = None
    newer: int = 0
    problem: str = ""
    hint: str = ""


@dataclass(slots=True)
class _Work:
    """A film that is being made."""

    day: date
    stills: list[Still]
    bounds: tuple[datetime, datetime]
    done: int = 0
    is_unwanted: Event = field(default_factory=Event)

    def count(self) -> None:
        self.done += 1


class Films:
    """The films of all cameras. Of each camera one is made at a time, in a thread of its own.
    `prove` says why the folder of stills is not ours now, or nothing. Methods raise Unreachable,
    and Invalid for a day out of range."""

    def __init__(
        self,
        shelf: Shelf,
        files: FilmFiles,
        prove: Callable[[], str] = lambda: "",
        make: Callable[[FilmOrder, Callable[[], object], Callable[[], bool]], int] = make_film,
    ) -> None:
        self._shelf = shelf
        self._files = files
        self._prove = prove
        self._make = make
        self._turns = BoundedSemaphore(AT_ONCE)
        self._lock = Lock()
        self._works: dict[int, _Work] = {}
        self._failed: OrderedDict[tuple[int, date], NotMade] = OrderedDict()
        self._ends = False

    def state(self, device: int, day: date) -> FilmState:
        """What there is of the film of a day of this server's zone."""
        return self._state(device, day, self._shelf.of_day(device, day))

    def _state(self, device: int, day: date, stills: Sequence[Still]) -> FilmState:
        with self._lock:
            work, failure = self._works.get(device), self._failed.get((device, day))
        if work is not None and work.day == day:
            return FilmState(MAKING, len(work.stills), work.done)
        if failure is not None:
            total, reason, hint = len(stills), failure.reason, failure.hint
            return FilmState(FAILED, total, problem=reason, hint=hint)
        film = self._files.find(device, *self._shelf.bounds(day))
        # One of a day that goes on has its first stills; one with others is not shown to anybody.
        if film is None or not film.fits(stills[: film.total]):
            return FilmState(NONE, len(stills))
        return FilmState(READY, len(stills), film.total, film, len(stills) - film.total)

    def make(self, device: int, day: date) -> FilmState:
        """Begin to make the film of a day, unless it is there or under way. Raises NotMade where
        there is nothing to make it of, and Busy."""
        stills = self._shelf.of_day(device, day)
        if trouble := self._prove():
            raise NotMade(trouble)
        if not stills:
            raise NotMade(f"There is no still of {day}.", "Choose a day with stills.")
        if len(stills) > MOST_STILLS:
            raise NotMade(
                f"{len(stills)} stills of {day} are too many: a time-lapse has {MOST_STILLS}.",
                "Download the stills of that day instead.",
            )
        known = self._state(device, day, stills)
        if known.state == READY and not known.newer:
            return known
        with self._lock:
            self._begin(device, _Work(day, stills, self._shelf.bounds(day)))
        return self._state(device, day, stills)

    def _begin(self, device: int, work: _Work) -> None:
        running = self._works.get(device)
        if running is not None and running.day == work.day:
            return
        if running is not None:
            raise Busy(
                f"The time-lapse of {running.day} of this camera is being made.",
                "Wait until it is ready, or cancel it.",
                is_same_camera=True,
            )
        if self._ends or len(self._works) >= AT_ONCE + MOST_WAITING:
            raise Busy(
                f"{len(self._works)} time-lapses are being made already.",
                "Try again in a few minutes.",
                is_same_camera=False,
            )
        self._failed.pop((device, work.day), None)
        try:
            Thread(target=self._run, args=(device, work), name="film", daemon=True).start()
        except RuntimeError:
            text = "This server is too busy to make a time-lapse."
            raise Busy(text, "Try again in a few minutes.", is_same_camera=False) from None
        self._works[device] = work

    def cancel(self, device: int, day: date) -> None:
        """Stop making the film of that day, if it is under way."""
        with self._lock:
            work = self._works.get(device)
            if work is not None and work.day == day:
                work.is_unwanted.set()
                del self._works[device]

    def stop(self) -> None:
        """Make no other film, and end the processes that make some."""
        with self._lock:
            self._ends = True
            for work in self._works.values():
                work.is_unwanted.set()

    # -- in a thread of its own ----------------------------------------------------------

    def _run(self, device: int, work: _Work) -> None:
        failure: NotMade | None = NotMade(
            "An internal error occurred.", "See the log of the server."
        )
        try:
            self._wait(work)
            try:
                self._write(device, work)
            finally:
                self._turns.release()
            failure = None
        except Cancelled:
            failure = None
        except NotMade as error:
            failure = error
        except Unreachable as error:
            failure = NotMade(f"{error}.")
        except OSError as error:
            failure = NotMade(f"The time-lapse cannot be saved ({error.strerror}).")
        finally:
            with self._lock:
                if self._works.get(device) is work:
                    del self._works[device]
                    self._note(device, work.day, failure)

    def _wait(self, work: _Work) -> None:
        """Wait until it is the turn of this film. Raises Cancelled."""
        # Whoever cancels and asks again leaves no thread behind that waits for a turn.
        while not self._turns.acquire(timeout=LOOK):
            if work.is_unwanted.is_set():
                raise Cancelled

    def _note(self, device: int, day: date, failure: NotMade | None) -> None:
        if failure is None:
            return
        log.warning("No time-lapse of camera %d of %s: %s", device, day, failure.reason)
        self._failed[device, day] = failure
        while len(self._failed) > MOST_FAILED:
            self._failed.popitem(last=False)

    def _write(self, device: int, work: _Work) -> None:
        if work.is_unwanted.is_set():
            raise Cancelled
        staged = self._files.staged(device, work.bounds[0])
        try:
            order = self._order(str(staged), work.stills)
            frames = self._make(order, work.count, work.is_unwanted.is_set)
            if not frames:
                raise NotMade(
                    f"None of the {len(work.stills)} stills of {work.day} can be decoded.",
                    "Choose another day.",
                )
            film = self._files.keep(staged, *work.bounds, work.stills, frames)
        finally:
            with suppress(OSError):
                staged.unlink(missing_ok=True)
        # What was deleted meanwhile must not be seen in a film.
        known = {still.id for still in self._shelf.of_day(device, work.day)}
        if not known.issuperset(still.id for still in work.stills):
            film.path.unlink(missing_ok=True)
            raise NotMade("Stills of this day were deleted while it was made.")

    def _order(self, output: str, stills: Sequence[Still]) -> FilmOrder:
        pictures = [(still, self._orientation(still)) for still in stills]
        width, height = _size_of_most(pictures)
        return FilmOrder(
            output,
            width,
            height,
            frame_rate(len(stills)),
            [
                (str(self._shelf.path(still)), orientation, max(still.width, still.height))
                for still, orientation in pictures
            ],
        )

    def _orientation(self, still: Still) -> int:
        with suppress(OSError), os.fdopen(self._shelf.opened(still), "rb") as file:
            return kept_of(file.read(HEAD)).orientation
        return 1


def frame_rate(stills: int) -> int:
    """Frames per second of a film of so many stills: ten seconds, but neither too slow nor too
    fast to look at."""
    return min(FASTEST, max(SLOWEST, round(stills / LENGTH)))


def _size_of_most(pictures: Sequence[tuple[Still, int]]) -> tuple[int, int]:
    """The size that most pictures have when they are upright, or less, with even sides."""
    sizes = Counter(
        (still.height, still.width) if orientation >= SIDEWAYS else (still.width, still.height)
        for still, orientation in pictures
    )
    width, height = sizes.most_common(1)[0][0]
    scale = min(1.0, LARGEST_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
