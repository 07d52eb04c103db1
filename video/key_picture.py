"""Take one picture of a camera out of its stream: a key frame, in full size.

An open stream is used as it is, and one that has to be opened is closed at once. The sub stream
is for pictures that a program looks at, the main stream for those that people see.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from fleet.pictures import GreyPicture, NotJpeg, NotOffered, NotTaken, TakenPicture, jpeg_size
from video.model import (
    ENDED,
    MAIN,
    NO_PICTURE,
    OPENING,
    PLAYING,
    RETRYING,
    SUB,
    OpenedStream,
    Picture,
    StreamKey,
    StreamState,
)
from video.outages import INCOMPLETE, NO_SUB, REFUSED
from video.streams import Streams
from video.visitors import Visitors
from video.watching import Watch

T = TypeVar("T")
WAY = "stream"
FRESH = 2.0
"""Seconds since a key frame in which it is a picture of now."""
PATIENCE = 0.6
"""Part of the time after which an older key frame is better than none."""
SMALL = "Taken from the sub stream: all sessions of the device are in use."
NO_KEY = "The stream sent no undamaged key frame within {:.0f} s."
NO_KEY_HINT = "Set a key frame distance of 2 to 4 seconds in the menu of the camera."
VIEWER = "key-picture"
GREY_WIDTH = 320
"""Pixels of a picture for programs, at most."""
WITHOUT_SUB = 600.0
"""Seconds in which a camera that had no sub stream is not asked for one again."""


class KeyPictures:
    """Takes them, from any thread."""

    def __init__(
        self,
        streams: Streams,
        visitors: Visitors | None = None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self._streams = streams
        self._visitors = visitors
        self._timer = timer
        self._without_sub: dict[int, float] = {}
        """Until when these devices are not asked for a sub stream."""

    def take(self, device: int, timeout: float) -> TakenPicture:
        """A picture of the main stream, or of the sub stream if it is open and the device has no
        session left. Waits for `timeout` seconds at most. Raises NotTaken."""
        ends_at = self._timer() + timeout
        main, sub = StreamKey(device, MAIN), StreamKey(device, SUB)
        try:
            return self._of(main, ends_at)
        except _Refused as error:
            if not self._is_playing(sub):
                raise
            try:
                return self._of(sub, ends_at, (SMALL,))
            except NotTaken:
                raise error from None

    def sample(self, device: int, timeout: float) -> TakenPicture:
        """A picture of the sub stream, or of the main one where only that is open or there. Waits
        for `timeout` seconds at most. Raises NotTaken."""
        return self._sampled(device, timeout, partial(self._of, grey_width=GREY_WIDTH))

    def grey(self, device: int, timeout: float) -> GreyPicture:
        """The same without colours, small, for less: a picture for programs. Raises NotTaken."""
        return self._sampled(device, timeout, self._grey_of)

    def _sampled(self, device: int, timeout: float, take: Callable[[StreamKey, float], T]) -> T:
        ends_at = self._timer() + timeout
        main, sub = StreamKey(device, MAIN), StreamKey(device, SUB)
        if not self._is_playing(sub):
            has_none = self._timer() < self._without_sub.get(device, 0.0)
            if has_none or self._is_playing(main):
                return take(main, ends_at)
        try:
            return take(sub, ends_at)
        except _NoSubStream:
            self._without_sub[device] = self._timer() + WITHOUT_SUB
            return take(main, ends_at)

    def of_opened(self, opened: OpenedStream, timeout: float) -> TakenPicture:
        """A picture of a stream that was opened already, and belongs to no device of the list. It
        is ended. Raises NotTaken."""
        if self._visitors is None:
            raise NotTaken("Streams of other cameras are not read.")
        key = self._visitors.admit(opened)
        try:
            return self._of(key, self._timer() + timeout)
        finally:
            self._visitors.dismiss(key)

    def _is_playing(self, key: StreamKey) -> bool:
        state = self._streams.state(key)
        return state is not None and state.activity == PLAYING

    def _grey_of(self, key: StreamKey, ends_at: float) -> GreyPicture:
        picture = self._key_picture(key, ends_at, grey_width=GREY_WIDTH, is_seen=False)
        return GreyPicture(picture.grey, datetime.fromtimestamp(picture.at, UTC))

    def _key_picture(self, key: StreamKey, ends_at: float, **form: Any) -> Picture:
        """The picture of a key frame in a form of KeyWish. Raises NotTaken."""
        timeout = ends_at - self._timer()
        with self._streams.watch_key(key, VIEWER, FRESH, timeout * PATIENCE, **form) as watch:
            return self._picture(watch, timeout)

    def _of(
        self, key: StreamKey, ends_at: float, notes: tuple[str, ...] = (), grey_width: int = 0
    ) -> TakenPicture:
        picture = self._key_picture(key, ends_at, grey_width=grey_width)
        try:
            width, height = jpeg_size(picture.data)
        except NotJpeg as error:
            raise NotTaken(str(error)) from None
        at = datetime.fromtimestamp(picture.at, UTC)
        return TakenPicture(picture.data, width, height, at, WAY, notes, picture.grey)

    def _picture(self, watch: Watch, timeout: float) -> Picture:
        """The picture of a watch. Raises NotTaken."""
        activity = OPENING
        for value in self._values(watch, timeout):
            if isinstance(value, Picture):
                return value
            activity = value.activity
            if activity in (RETRYING, NO_PICTURE, ENDED):
                raise _not_taken(value)
        if watch.is_closed:
            raise NotTaken("Camera Monitor is stopping.")
        if activity == OPENING:
            raise NotTaken(f"The stream was not opened within {timeout:.0f} s.")
        raise NotTaken(NO_KEY.format(timeout), NO_KEY_HINT)

    def _values(self, watch: Watch, timeout: float) -> Iterator[Picture | StreamState]:
        """What the watch gives within so many seconds."""
        ends_at = self._timer() + timeout
        while (left := ends_at - self._timer()) > 0 and not watch.is_closed:
            value = watch.next(left)
            if isinstance(value, Picture | StreamState):
                yield value


class _Refused(NotTaken):
    """The device gives no more sessions."""


class _NoSubStream(NotTaken):
    """The camera has no sub stream."""


def _not_taken(state: StreamState) -> NotTaken:
    """The error for a stream that does not play, by its state."""
    reason = f"{state.reason[:1].upper()}{state.reason[1:]}"
    reason += "" if reason.endswith((".", "?")) else "."
    kinds = {REFUSED: _Refused, NO_SUB: _NoSubStream, INCOMPLETE: NotOffered}
    return kinds.get(state.cause, NotTaken)(reason if state.reason else "The stream has ended.")
