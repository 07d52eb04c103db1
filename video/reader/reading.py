"""One stream of a child: its connection, read in steps, and its pipeline."""

import time

from video.depacketizer import Arrival
from video.model import NO_PICTURE, RETRYING, LinkCounts
from video.outages import CUT, OFF, REFUSED, SERVER
from video.reader.connection import Connection, Ended
from video.reader.pipeline import Pipeline
from video.rhythm import Patience

WATCHED, RECORDED = 0.03, 0.2
"""Seconds between two reads: what nobody watches is read in larger steps, at half the CPU."""
MUCH = 48 * 1024
"""Bytes of one read after which the next one comes sooner: the buffer of the socket is limited."""
ASLEEP = 2.0
"""Seconds between two looks after which this process was stopped, and not the stream silent."""
STOP_WITHIN = 5.0
"""Seconds that a stream that ends has to close its file: a disk that hangs keeps it no longer."""
COUNTS = 10.0
"""Seconds between two counts."""


class Reading:
    """A stream that is read, or ends. `next_at`: when `look_after` is due (monotonic clock);
    `patience`: how long it may be without video."""

    def __init__(
        self,
        number: int,
        pipeline: Pipeline,
        connection: Connection,
        patience: Patience,
        now: float,
    ) -> None:
        self.number = number
        self.pipeline = pipeline
        self.next_at = now
        self.packet_at: float | None = None
        self.is_over = False
        self.end = ("", "")
        self.cause = OFF
        self._connection = connection
        self._patience = patience
        self._silent_since = now
        self._is_told = False
        self._news = ""
        self._counts_at = now + COUNTS
        self._looked_at = now
        self._is_ending = False
        self._is_drained = False
        self._over_by = 0.0
        self._step = WATCHED

    def finish(self, activity: str, reason: str, file_reason: str, now: float) -> None:
        """End the session and close the files; `is_over` tells when."""
        if not self._is_ending:
            self._is_ending = True
            self._over_by = now + STOP_WITHIN
            self.end = activity, reason
            self._connection.end(now)
            self.pipeline.end(file_reason)
            self.next_at = now

    def look_after(self, now: float) -> None:
        """Read what has come, or see to the end."""
        if self._is_ending:
            self._drain(now)
            return
        try:
            self._read(now)
        except Ended as error:
            self.cause = REFUSED if self.refusals else CUT
            self.finish(RETRYING, str(error), "stream", now)
            return
        if self.pipeline.is_done:
            self.cause = SERVER
            self.finish(RETRYING, "internal error", "stream", now)
        elif not self.pipeline.has_video:
            reason = " ".join(self.pipeline.notes) or "The device offers no video."
            self.finish(NO_PICTURE, reason, "stream", now)
        else:
            self._judge_silence(now)

    def counts(self, now: float) -> LinkCounts | None:
        """The counts, if they are due or the stream is over."""
        if now < self._counts_at and not self.is_over:
            return None
        self._counts_at = now + COUNTS
        return self.pipeline.counting.take(now, self.pipeline.lost)

    @property
    def refusals(self) -> int:
        """The logins that the device refused while the stream played."""
        return self._connection.refusals

    def forget_login(self) -> None:
        """Send no login any more: the device refused it elsewhere."""
        self._connection.forget_login()

    def close(self) -> None:
        """Close the sockets."""
        self._connection.close()

    def _read(self, now: float) -> None:
        packets = self._connection.read(now)
        size = sum(len(data) for _channel, data in packets)
        if packets:
            at = time.time()
            self.packet_at = now
            self.pipeline.put([Arrival(channel, data, now, at) for channel, data in packets])
        can_wait = self.pipeline.is_playing or self.pipeline.is_in_no_hurry
        is_watched = self.pipeline.is_watched or not can_wait
        if size > MUCH:
            self._step /= 2
        elif size < MUCH / 4:
            self._step *= 2
        self._step = min(max(self._step, WATCHED), WATCHED if is_watched else RECORDED)
        # On a common grid, so that all streams of a child are read in one go.
        self.next_at = (now // self._step + 1) * self._step

    def _judge_silence(self, now: float) -> None:
        """Tell that nothing came for too long, while this process looked, and later end."""
        was_asleep = now - self._looked_at > ASLEEP
        self._looked_at = now
        if was_asleep:
            self._silent_since = now
        counting = self.pipeline.counting
        if counting.video_at is not None and counting.video_at > self._silent_since:
            self._silent_since, self._is_told = counting.video_at, False
        silent, distance = now - self._silent_since, counting.distances.usual
        told_after = self._patience.told_after(distance)
        if silent > self._patience.ended_after(distance):
            self.finish(NO_PICTURE, self._reason_of_silence(told_after), "stream", now)
        elif silent > told_after and not self._is_told:
            self._is_told, self._news = True, self._reason_of_silence(told_after)

    def news(self) -> str:
        """Why there is no picture, once each time that it is so."""
        news, self._news = self._news, ""
        return news

    def _reason_of_silence(self, seconds: float) -> str:
        if self.pipeline.counting.video_at is not None:
            return f"Connected, but no picture for {seconds:.0f} s"
        if self.packet_at is not None:
            return "Connected, but the device sends no video"
        return "Connected, but the device sends nothing"

    def _drain(self, now: float) -> None:
        self._is_drained = self._is_drained or self._connection.is_drained(now)
        is_done = self.pipeline.is_done or now >= self._over_by
        self.is_over = self._is_drained and is_done
        self.next_at = now + WATCHED
