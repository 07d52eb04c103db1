"""Take one picture of a camera out of its stream: a key frame, in full size.

An open stream is used as it is, and one that has to be opened is closed at once. The sub stream
is for pictures that a program looks at, the main stream for those that people see.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic

from fleet.pictures import NotJpeg, NotOffered, NotTaken, TakenPicture, jpeg_size
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

WAY = "stream"
FRESH = 2.0
"""Seconds since a key frame in which it is a picture of now."""
PATIENCE = 0.6
"""Part of the time after which an older key frame is better than none."""
SMALL = "Taken from the sub stream: all sessions of the device are in use."
NO_KEY = "The stream sent no undamaged key frame within {:.0f} s."
NO_KEY_HINT = "Set a key frame distance of 2 to 4 seconds in the menu of the camera."
VIEWER = "key-picture"


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
        ends_at = self._timer() + timeout
        main, sub = StreamKey(device, MAIN), StreamKey(device, SUB)
        if self._is_playing(main) and not self._is_playing(sub):
            return self._of(main, ends_at)
        try:
            return self._of(sub, ends_at)
        except _NoSubStream:
            return self._of(main, ends_at)

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

    def _of(self, key: StreamKey, ends_at: float, notes: tuple[str, ...] = ()) -> TakenPicture:
        timeout = ends_at - self._timer()
        with self._streams.watch_key(key, VIEWER, FRESH, timeout * PATIENCE) as watch:
            picture = self._picture(watch, timeout)
        try:
            width, height = jpeg_size(picture.data)
        except NotJpeg as error:
            raise NotTaken(str(error)) from None
        at = datetime.fromtimestamp(picture.at, UTC)
        return TakenPicture(picture.data, width, height, at, WAY, notes)

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
    reason = f"{state.reason[:1].upper()}{state.reason[1:].removesuffix('.')}."
    kinds = {REFUSED: _Refused, NO_SUB: _NoSubStream, INCOMPLETE: NotOffered}
    return kinds.get(state.cause, NotTaken)(reason if state.reason else "The stream has ended.")
