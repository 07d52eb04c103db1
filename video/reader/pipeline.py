"""The thread of one stream: from packets to what is wanted of them.

A stream that floods, or whose disk is slow, keeps no other waiting and costs a limited queue.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from threading import Condition, Thread
from typing import Any

from video import messages
from video.depacketizer import Arrival, Depacketizer
from video.live_mp4 import LiveMp4
from video.messages import Message
from video.model import PLAYING, WAITING, OpenedStream
from video.packets import VIDEO, EncodedPacket
from video.reader.counting import Counting
from video.reader.key_pictures import KeyPictures
from video.reader.pictures import Pictures
from video.reader.recording import Recording
from video.reader.sending import Send, live_message
from video.watching import KeyWish, PictureOptions

MAX_WAITING = 8 << 20
"""Bytes of packets that wait. What comes then is dropped, and counted as lost."""
MAX_GROUP, MAX_GROUP_SECONDS = 4 << 20, 30.0
"""Bytes and seconds since the last key frame that are kept, for what begins in the middle."""
KEY_CHANGE = 0.5
"""Seconds by which the distance of key frames has to change before it is told."""


class Pipeline:
    """One stream in the child. `put`, `want` and `end` never block."""

    def __init__(self, number: int, opened: OpenedStream, send: Send, now: float) -> None:
        self.counting = Counting(now)
        self.is_playing = False
        self.is_watched = False
        self.is_in_no_hurry = False
        """Nobody but a program waits for a picture of it."""
        self.is_done = False
        self._number = number
        self._send = send
        self._depacketizer = Depacketizer(opened.description, opened.media)
        self._changed = Condition()
        self._work: deque[list[Arrival] | Mapping[str, Any]] = deque()
        self._waiting = self._dropped = 0
        self._end_reason: str | None = None
        self._version = 0
        self._group: list[EncodedPacket] = []
        self._group_bytes = 0
        self._mp4: LiveMp4 | None = None
        self._pictures: Pictures | None = None
        self._keys = KeyPictures(number, send)
        self._recording: Recording | None = None
        self._recorded_until = 0.0
        self._state: Mapping[str, Any] = {}
        self._thread = Thread(target=self._run, name=f"stream-{number}", daemon=True)
        self._thread.start()

    def put(self, arrivals: list[Arrival]) -> None:
        """Add packets that have arrived."""
        size = sum(len(arrival.data) for arrival in arrivals)
        with self._changed:
            if self._waiting + size > MAX_WAITING:
                self._dropped += len(arrivals)
                return
            self._waiting += size
            self._work.append(arrivals)
            self._changed.notify()

    def want(self, head: Mapping[str, Any]) -> None:
        """Make what the message asks for from now on, and nothing else."""
        with self._changed:
            if head["version"] > self._version:
                self._version = head["version"]
                wishes = [KeyWish(*wish) for wish in head["keys"]]
                is_seen = any(wish.is_seen for wish in wishes)
                self.is_watched = bool(head["mp4"] or head["pictures"]) or is_seen
                self.is_in_no_hurry = bool(wishes) and not (self.is_watched or head["record"])
                self._work.append(head)
                self._changed.notify()

    def tell_again(self) -> None:
        """Tell with the next picture what the stream does: others were told that none comes."""
        self._state = {}

    def end(self, reason: str) -> None:
        """Close the files; `is_done` tells when."""
        with self._changed:
            self._end_reason = reason
            self._changed.notify()

    @property
    def lost(self) -> int:
        """Packets that never came, or came faster than they could be taken."""
        return self._depacketizer.lost + self._dropped

    @property
    def has_video(self) -> bool:
        """False for a stream without video that can be shown."""
        return self._depacketizer.has_video

    @property
    def notes(self) -> list[str]:
        """What is left out, in sentences."""
        return self._depacketizer.notes

    # -- the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                if isinstance(work, list):
                    self._feed(work)
                else:
                    self._apply(work)
        finally:
            self._close(self._end_reason or "stream")

    def _feed(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self.counting.add_bytes(len(arrival.data))
            for packet in self._depacketizer.feed(arrival):
                self._take(packet)
        if self._recording:
            self._recording.pass_on()

    def _next(self) -> list[Arrival] | Mapping[str, Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._work or self._end_reason is not None)
            if not self._work:
                return None
            work = self._work.popleft()
            if isinstance(work, list):
                self._waiting -= sum(len(arrival.data) for arrival in work)
            return work

    def _take(self, packet: EncodedPacket) -> None:
        if packet.kind == VIDEO:
            self.counting.add_video(packet.arrived, packet.dts, is_key=packet.is_key)
            self._tell_state(packet)
        self._keep(packet)
        self._give(packet)

    def _give(self, packet: EncodedPacket) -> None:
        if self._recording:
            self._recording.feed(packet)
            self._recorded_until = packet.arrived
        if self._mp4:
            for value in self._mp4.feed(packet):
                self._send(live_message(self._number, value))
        if packet.kind == VIDEO:
            self._keys.feed(packet)
            if self._pictures:
                self._pictures.feed(packet)

    def _keep(self, packet: EncodedPacket) -> None:
        if packet.kind == VIDEO and packet.is_key:
            self._group, self._group_bytes = [], 0
        elif not self._group:
            return
        self._group.append(packet)
        self._group_bytes += len(packet.data)
        is_long = packet.arrived - self._group[0].arrived > MAX_GROUP_SECONDS
        if is_long or self._group_bytes > MAX_GROUP:
            self._group, self._group_bytes = [], 0

    def _tell_state(self, packet: EncodedPacket) -> None:
        """Tell what the stream does when that has changed."""
        form = self._depacketizer.format
        self.is_playing = self.is_playing or (packet.is_key and form is not None)
        old, distance = self._state.get("key_distance"), self.counting.key_distance
        if old is not None and distance is not None and abs(distance - old) < KEY_CHANGE:
            distance = old
        state = {
            "activity": PLAYING if self.is_playing else WAITING,
            "format": asdict(form) if form else None,
            "key_distance": distance,
        }
        if state != self._state:
            self._state = state
            self._send(Message(messages.STATE, self._number, state))

    # -- what is wanted -------------------------------------------------------------------

    def _apply(self, wants: Mapping[str, Any]) -> None:
        self._apply_recording(wants["record"])
        if wants["mp4"] and not self._mp4:
            self._mp4 = LiveMp4(self._depacketizer.audio, self.notes)
            for packet in self._group:
                for value in self._mp4.feed(packet):
                    self._send(live_message(self._number, value))
        elif not wants["mp4"]:
            self._mp4 = None
        self._apply_pictures(frozenset(PictureOptions(*options) for options in wants["pictures"]))
        newest_key = self._group[0] if self._group else None
        wishes = [KeyWish(*wish) for wish in wants["keys"]]
        self._keys.want(wishes, newest_key, time.monotonic())

    def _apply_recording(self, head: Mapping[str, Any] | None) -> None:
        if self._recording and (head is None or head["lease"] != self._recording.lease):
            self._recording.close("asked")
            self._recording = None
        if head is not None and not self._recording:
            self._recording = Recording(self._send, self._number, head, self.notes)
            if self._group and self._group[0].arrived > self._recorded_until:
                for packet in self._group:
                    self._recording.feed(packet)
                self._recording.pass_on()

    def _apply_pictures(self, options: frozenset[PictureOptions]) -> None:
        if self._pictures and not options:
            self._pictures.close()
            self._pictures = None
        elif self._pictures:
            self._pictures.want(options)
        elif options:
            self._pictures = Pictures(self._number, self._send)
            self._pictures.want(options)
            for packet in self._group:
                if packet.kind == VIDEO:
                    self._pictures.feed(packet)

    def _close(self, reason: str) -> None:
        if self._pictures:
            self._pictures.close()
        if self._recording:
            self._recording.close(reason)
            self._recording.join()
        self.is_done = True
