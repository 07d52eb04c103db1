"""The loop of a child: the monitor's messages, and the sockets of all its streams."""

import selectors
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from video import messages
from video.message_values import no_picture_head, opened_of
from video.messages import Channel, Closed, Malformed, Message
from video.model import ENDED, OpenedStream
from video.reader.connection import Connection, MakePlaying
from video.reader.outbox import Outbox
from video.reader.pipeline import Pipeline
from video.reader.reading import Reading
from video.rhythm import Patience
from video.session_media import picture_distance

BEAT = 1.0
"""Seconds between two signs of life, whatever the streams do."""
STOP_WITHIN = 4.0
"""Seconds that files and sessions have to be closed when the process ends."""


class Loop:
    """Reads streams until the monitor says END, closes the connection or dies."""

    def __init__(self, channel: Channel, make_playing: MakePlaying) -> None:
        self._channel = channel
        self._make_playing = make_playing
        self._outbox = Outbox(channel, self.stop)
        self._readings: dict[int, Reading] = {}
        self._is_stopping = False
        self._beat_at = 0.0

    def stop(self) -> None:
        """End all streams, and then the loop."""
        self._is_stopping = True

    def run(self) -> None:
        """Run until there is nothing more to do."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel.connection, selectors.EVENT_READ)
            while not self._is_stopping:
                if selector.select(self._wait()):
                    self._receive()
                self._look_after(time.monotonic())
        self._finish_all()
        self._outbox.close(1.0)

    def _wait(self) -> float:
        times = [reading.next_at for reading in self._readings.values()]
        return max(0.0, min([self._beat_at, *times]) - time.monotonic())

    # -- what the monitor asks ------------------------------------------------------------

    def _receive(self) -> None:
        try:
            for message in self._channel.receive():
                self._obey(message)
        except (Closed, Malformed):
            self.stop()

    def _obey(self, message: Message) -> None:
        now, reading = time.monotonic(), self._readings.get(message.stream)
        if message.kind == messages.OPEN:
            opened = opened_of(message.head, message.data, message.sockets)
            pipeline = Pipeline(message.stream, opened, self._outbox.send, now)
            connection = Connection(opened, self._make_playing)
            self._readings[message.stream] = Reading(
                message.stream, pipeline, connection, _patience(message.head, opened), now
            )
        elif message.kind == messages.END:
            self.stop()
        elif reading is not None and message.kind == messages.WANT:
            reading.pipeline.want(message.head)
        elif reading is not None and message.kind == messages.FORGET_LOGIN:
            reading.forget_login()
        elif reading is not None and message.kind == messages.CLOSE:
            reading.finish(ENDED, "", "asked", now)

    # -- the streams ----------------------------------------------------------------------

    def _look_after(self, now: float) -> None:
        for reading in tuple(self._readings.values()):
            if reading.next_at <= now:
                reading.look_after(now)
                if reason := reading.news():
                    self._send(messages.STATE, reading.number, no_picture_head(reason))
                    reading.pipeline.tell_again()
                if counts := reading.counts(now):
                    self._send(messages.COUNTS, reading.number, asdict(counts))
            if reading.is_over:
                self._forget(reading)
        if now >= self._beat_at:
            self._beat_at = now + BEAT
            self._send(messages.BEAT, 0, self._packets())

    def _packets(self) -> dict[str, tuple[float | None, float | None]]:
        """When each stream got its newest packet, and its newest packet of video."""
        return {
            str(number): (reading.packet_at, reading.pipeline.counting.video_at)
            for number, reading in self._readings.items()
        }

    def _forget(self, reading: Reading) -> None:
        del self._readings[reading.number]
        reading.close()
        activity, reason = reading.end
        distance = reading.pipeline.counting.distances.usual
        head = {"activity": activity, "reason": reason, "distance": distance}
        head |= {"refusals": reading.refusals, "cause": reading.cause}
        self._send(messages.ENDED, reading.number, head)

    def _finish_all(self) -> None:
        now = time.monotonic()
        until = now + STOP_WITHIN
        for reading in self._readings.values():
            reading.finish(ENDED, "", "asked", now)
        while self._readings and now < until:
            self._look_after(now)
            time.sleep(max(0.0, min(0.02, until - now)))
            now = time.monotonic()

    def _send(self, kind: int, number: int, head: Mapping[str, object]) -> None:
        self._outbox.send(Message(kind, number, head))


def _patience(head: Mapping[str, Any], opened: OpenedStream) -> Patience:
    """As it was learned, else as the description of the stream tells."""
    patience = Patience(**head["patience"])
    if patience.distance is None:
        patience = replace(patience, distance=picture_distance(opened.description))
    return patience


def run(channel: Channel, make_playing: MakePlaying) -> None:
    """Read streams as the monitor asks. SIGTERM ends them properly, Ctrl-C is the monitor's."""
    loop = Loop(channel, make_playing)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    loop.run()
