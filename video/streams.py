"""The streams that somebody needs: opened for the first lease, closed a while after the last one.

A device is asked for a stream once, however many watch and record it. Time-outs and the pauses
between attempts run on the monotonic clock.
"""

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Condition, Thread
from time import monotonic
from typing import Any, Protocol

from video import messages
from video.leases import RecordingLease, Stream
from video.message_values import (
    counts_of,
    format_of,
    fragment_of,
    init_of,
    picture_of,
    segment_of,
)
from video.messages import Message
from video.model import (
    ENDED,
    NO_PICTURE,
    OPENING,
    PLAYING,
    RETRYING,
    WAITING,
    LinkCounts,
    NotOpened,
    OpenedStream,
    SegmentPlan,
    SegmentProgress,
    StreamKey,
    StreamState,
)
from video.outages import SERVER
from video.rhythm import Patience
from video.watching import KEY, MP4, KeyWish, PictureOptions, Watch
from video.workers import NoWorker, Workers

log = logging.getLogger(__name__)
LINGER = 10.0
"""Seconds that a stream stays open after its last lease: a page that is loaded again finds it."""
PAUSES = 1.0, 2.0, 5.0, 10.0, 30.0
"""Seconds before the next attempt, after the first failure in a row, the second and so on."""
SILENCE = 10.0
"""Seconds without video after which a stream is ended."""
PROVEN = 30.0
"""Seconds after which a stream that plays has made good for the failures before."""
SUSPECT = 600.0
"""Seconds for which a stream is remembered to have been in a child that crashed."""
MAX_OPENING, MAX_RETRYING = 48, 24
"""Streams that are being opened at a time, and those of them that have failed before."""
MAX_WAIT = 600.0
ALIVE_EVERY = 4.0
"""Seconds between two proofs that a reader is alive."""


class Opener(Protocol):
    """What opens streams (discovery/stream_opening.py)."""

    def open(self, key: StreamKey) -> OpenedStream:
        """Open a stream, which takes seconds. Raises NotOpened."""

    def end(self, opened: OpenedStream) -> None:
        """Send TEARDOWN for a stream that finds no reader, and close its sockets. Never blocks."""

    def closed(self, key: StreamKey) -> None:
        """Take the session of a stream back: its sockets are closed. Never blocks."""

    def refused(self, key: StreamKey, number: int) -> Sequence[StreamKey]:
        """Count logins that were refused while a stream played; the other streams of its device."""

    def alive(self, key: StreamKey, at: float) -> bool:
        """Note that packets came at this time of the monotonic clock. False when they come from
        where the device is no longer: the stream is to be opened again."""


class Streams:
    """All streams. Every method may be called from any thread; callbacks come from one of their
    own, in order, and may take their time."""

    def __init__(
        self,
        opener: Opener,
        clock: Callable[[], datetime],
        *,
        linger: float = LINGER,
        silence: float = SILENCE,
        pauses: tuple[float, ...] = PAUSES,
        make_workers: Callable[..., Workers] = Workers,
    ) -> None:
        self._opener = opener
        self._clock = clock
        self._linger = linger
        self._silence = silence
        self._pauses = pauses
        self.workers = make_workers(self._on_message, self._on_lost)
        self._changed = Condition()
        self._streams: dict[StreamKey, Stream] = {}
        self._numbers: dict[int, Stream] = {}
        self._leases: dict[int, RecordingLease] = {}
        self._key_distances: dict[StreamKey, float | None] = {}
        self._patience: dict[StreamKey, Patience] = {}
        self._number = 0
        self._wishes = itertools.count(1)
        self._running = 0
        self._is_stopped = False
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._on_counts: list[Callable[[StreamKey, LinkCounts], object]] = []
        self._on_state: list[Callable[[StreamKey, StreamState], object]] = []
        self._threads: list[Thread] = []

    # -- what others use ------------------------------------------------------------------

    def watch(
        self,
        key: StreamKey,
        kind: str,
        viewer: object,
        *,
        max_width: int = 1280,
        max_rate: float = 10.0,
        quality: int = 80,
    ) -> Watch:
        """Watch a stream as `mp4` or `mjpeg`; the options are those of the pictures. Close it."""
        options = None if kind == MP4 else PictureOptions(max_width, max_rate, quality)
        return self._watch(Watch(key, kind, viewer, self._clock(), options, self._leave))

    def watch_key(
        self,
        key: StreamKey,
        viewer: object,
        fresh: float,
        wait: float,
        *,
        grey_width: int = 0,
        is_seen: bool = True,
    ) -> Watch:
        """Wait for the picture of one key frame; the options are those of KeyWish. Close it. A
        stream that is opened for this alone is tried once, and closed at once."""
        wish = KeyWish(next(self._wishes), fresh, wait, grey_width, is_seen)
        return self._watch(Watch(key, KEY, viewer, self._clock(), wish, self._leave))

    def _watch(self, watch: Watch) -> Watch:
        with self._changed:
            stream = self._needed(watch.key)
            stream.lingers = stream.lingers or watch.kind != KEY
            stream.viewers.add(watch, stream.state)
            wants = stream.wants()
        self._tell_wants(stream, wants)
        return watch

    def record(
        self, key: StreamKey, plan: SegmentPlan, on_segment: Callable[[SegmentProgress], object]
    ) -> RecordingLease:
        """Record a stream until the lease is stopped; `on_segment` gets each change of a file.

        Raises ValueError for a stream that is recorded already.
        """
        with self._changed:
            if (known := self._streams.get(key)) and known.recording:
                raise ValueError(f"{key} is recorded already")
            self._number += 1
            lease = RecordingLease(key, plan, on_segment, self._number, self._stop_recording)
            stream = self._needed(key)
            stream.lingers = True
            stream.recording = self._leases[lease.number] = lease
            wants = stream.wants()
        self._tell_wants(stream, wants)
        return lease

    def state(self, key: StreamKey) -> StreamState | None:
        """What a stream does now; None when nobody needs it."""
        with self._changed:
            stream = self._streams.get(key)
            return stream.state if stream else None

    def states(self) -> dict[StreamKey, StreamState]:
        """All streams that somebody needs, or has needed a moment ago."""
        with self._changed:
            streams = self._streams.items()
            return {key: stream.state for key, stream in streams if not key.is_visitor}

    def watches(self) -> list[Watch]:
        """Who watches what."""
        with self._changed:
            streams = tuple(self._streams.values())
        return [watch for stream in streams for watch in stream.viewers.watches()]

    def on_counts(self, callback: Callable[[StreamKey, LinkCounts], object]) -> None:
        """Call it with the counts of each open stream, every ten seconds."""
        self._on_counts.append(callback)

    def on_state(self, callback: Callable[[StreamKey, StreamState], object]) -> None:
        """Call it when a stream does something else; not for each picture."""
        self._on_state.append(callback)

    def start(self) -> None:
        """Start the threads; no stream is opened and no child started before a lease."""
        for target, name in ((self._run, "streams"), (self._run_calls, "streams-calls")):
            thread = Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End all watches, close the files and sessions of all streams, and end the children."""
        for watch in self.watches():
            watch.close()
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self.workers.stop()
        self._calls.put(None)
        for thread in self._threads:
            thread.join()

    # -- leases ---------------------------------------------------------------------------

    def _needed(self, key: StreamKey) -> Stream:
        stream = self._streams.get(key)
        if stream is None:
            distance = self._key_distances.get(key)
            state = StreamState(OPENING, self._clock(), key_distance=distance)
            stream = self._streams[key] = Stream(key, state, monotonic())
        stream.unneeded_since = None
        self._changed.notify_all()
        return stream

    def _leave(self, watch: Watch) -> None:
        with self._changed:
            stream = self._streams.get(watch.key)
            if stream is None:
                return
            stream.viewers.remove(watch)
            wants = self._wants_after_leaving(stream)
        self._tell_wants(stream, wants)

    def _stop_recording(self, lease: RecordingLease) -> None:
        with self._changed:
            stream = self._streams.get(lease.key)
            if stream is None or stream.recording is not lease:
                return
            stream.recording = None
            if not stream.number:
                self._forget_leases(stream)
            wants = self._wants_after_leaving(stream)
        self._tell_wants(stream, wants)

    def _wants_after_leaving(self, stream: Stream) -> dict[str, Any]:
        if not stream.is_needed():
            stream.unneeded_since = monotonic()
            self._changed.notify_all()
        return stream.wants()

    def _tell_wants(self, stream: Stream, wants: Mapping[str, Any]) -> None:
        if number := stream.number:
            self.workers.tell(messages.WANT, number, wants)

    # -- the thread that opens and closes -------------------------------------------------

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopped:
                now = monotonic()
                for stream in tuple(self._streams.values()):
                    self._look_after(stream, now)
                times = [time for stream in self._streams.values() for time in self._times(stream)]
                self._changed.wait(max(0.05, min(times) - now) if times else None)

    def _times(self, stream: Stream) -> list[float]:
        """When a stream has to be looked after again."""
        times = [stream.due] if stream.due is not None else []
        if stream.unneeded_since is not None and not (stream.is_opening or stream.is_closing):
            times.append(stream.unneeded_since + self._linger_of(stream))
        return times

    def _linger_of(self, stream: Stream) -> float:
        return self._linger if stream.lingers else 0.0

    def _look_after(self, stream: Stream, now: float) -> None:
        since = stream.unneeded_since
        if since is not None and now - since >= self._linger_of(stream):
            self._close(stream)
        elif stream.due is not None and stream.due <= now and self._has_room(stream):
            self._begin_opening(stream)

    def _has_room(self, stream: Stream) -> bool:
        return self._running < (MAX_RETRYING if stream.failures else MAX_OPENING)

    def _close(self, stream: Stream) -> None:
        if stream.is_opening or stream.is_closing:
            return  # it is closed as soon as it is open
        if not stream.number:
            del self._streams[stream.key]
            self._set(stream, ENDED)
            return
        stream.is_closing = True
        self.workers.tell(messages.CLOSE, stream.number)

    def _begin_opening(self, stream: Stream) -> None:
        thread = Thread(target=self._open, args=(stream,), name="stream-opening", daemon=True)
        stream.due, stream.is_opening = None, True
        self._running += 1
        if stream.state.activity not in (OPENING, NO_PICTURE, RETRYING):
            self._set(stream, OPENING)
        try:
            thread.start()
        except RuntimeError:
            self._running -= 1
            self._retry(stream, "This server cannot start a thread", SERVER)

    # -- the threads that open ------------------------------------------------------------

    def _open(self, stream: Stream) -> None:
        reason, wait, cause, number = "internal error", None, SERVER, 0
        try:
            self.workers.prepare()
            opened = self._opener.open(stream.key)
            number = self._hand_over(stream, opened)
        except NotOpened as error:
            reason, wait, cause = error.reason, error.wait, error.cause
        except NoWorker as error:
            reason = str(error)
        finally:
            with self._changed:
                self._running -= 1
                stream.is_opening = False
                if not number:
                    self._retry(stream, reason, cause, wait)
                self._changed.notify_all()

    def _hand_over(self, stream: Stream, opened: OpenedStream) -> int:
        """Give an opened stream to a child; its number there. Raises NoWorker."""
        with self._changed:
            self._number += 1
            number = stream.number = self._number
            self._numbers[number] = stream
            stream.openings += 1
            is_alone = len([at for at in stream.crashes if monotonic() - at < SUSPECT]) > 1
            if stream.state.activity != NO_PICTURE:
                self._set(stream, WAITING, transport=opened.transport)
        try:
            self.workers.open(number, opened, self._patience_with(stream), is_alone=is_alone)
        except NoWorker:
            self._opener.end(opened)
            with self._changed:
                is_lost = number not in self._numbers
                self._forget_number(stream, number)
            if is_lost:
                return number  # with its child: it is opened again already
            self._opener.closed(stream.key)
            raise
        with self._changed:
            wants = stream.wants()
        self.workers.tell(messages.WANT, number, wants)
        return number

    def _retry(
        self,
        stream: Stream,
        reason: str,
        cause: str,
        wait: float | None = None,
        *,
        activity: str = RETRYING,
    ) -> None:
        """Try again after a pause, longer after each failure in a row."""
        stream.is_opening = False
        if self._is_stopped:
            return
        pause = self._pauses[min(stream.failures, len(self._pauses) - 1)]
        stream.failures += 1
        stream.due = monotonic() + (pause if wait is None else min(wait, MAX_WAIT))
        self._set(stream, activity, reason, cause=cause)
        self._changed.notify_all()

    # -- what children send ---------------------------------------------------------------

    def _on_message(self, message: Message) -> None:
        if message.kind == messages.BEAT:
            self._note_packets(message.head)
        elif message.kind == messages.SEGMENT:
            self._note_segment(message.head)
        elif stream := self._numbers.get(message.stream):
            self._receive(stream, message)

    def _receive(self, stream: Stream, message: Message) -> None:
        head, data = message.head, message.data
        match message.kind:
            case messages.FRAGMENT:
                stream.viewers.put(fragment_of(head, data))
            case messages.PICTURE:
                options = PictureOptions(*head["options"])
                stream.viewers.put_picture(options, picture_of(head, data))
            case messages.KEY_PICTURE:
                stream.viewers.put_picture(KeyWish(*head["wish"]), picture_of(head, data))
            case messages.INIT:
                stream.viewers.put(init_of(head, data))
            case messages.STATE:
                self._note_state(stream, message)
            case messages.COUNTS:
                counts = stream.with_failures(counts_of(head))
                for callback in () if stream.key.is_visitor else self._on_counts:
                    self._calls.put(lambda call=callback: call(stream.key, counts))  # type: ignore[misc]
            case messages.ENDED:
                self._note_end(message)

    def _note_state(self, stream: Stream, message: Message) -> None:
        head = message.head
        with self._changed:
            if stream.number != message.stream:
                return
            given = head.get("format")
            if head["activity"] == PLAYING and not stream.proven_at:
                stream.proven_at = monotonic() + PROVEN
            self._set(
                stream,
                head["activity"],
                head.get("reason", ""),
                format=format_of(given) if given else stream.state.format,
                key_distance=head["key_distance"] or stream.state.key_distance,
            )
            if not stream.key.is_visitor:
                self._key_distances[stream.key] = stream.state.key_distance

    def _note_packets(self, head: Mapping[str, Any]) -> None:
        """Note when each stream of a child got its newest packet and video packet, in seconds of
        the monotonic clock, which all processes share."""
        now, wall, alive = monotonic(), self._clock(), []
        with self._changed:
            for number, (packet_at, picture_at) in head.items():
                stream = self._numbers.get(int(number))
                if stream is None:
                    continue
                if picture_at is not None:
                    at = wall - timedelta(seconds=max(0.0, now - picture_at))
                    stream.state = replace(stream.state, picture_at=at)
                if stream.proven_at and now > stream.proven_at:
                    stream.failures = 0
                if packet_at is not None and packet_at - stream.alive_at > ALIVE_EVERY:
                    stream.alive_at = packet_at
                    alive.append((stream.key, packet_at))
        for key, at in alive:
            if not self._opener.alive(key, at):
                self._reopen(key)

    def _reopen(self, key: StreamKey) -> None:
        """Close a stream that plays, and open it where its device is now."""
        with self._changed:
            stream = self._streams.get(key)
            if stream is not None and stream.number and not stream.is_closing:
                stream.is_closing = True
                self.workers.tell(messages.CLOSE, stream.number)

    def _note_segment(self, head: Mapping[str, Any]) -> None:
        values = dict(head)
        number = values.pop("lease")
        progress = segment_of(values)
        lease = self._leases.get(number)
        if lease is None:
            return
        self._calls.put(lambda: lease.on_segment(progress))
        with self._changed:
            stream = self._streams.get(lease.key)
            is_over = stream is None or stream.recording is not lease
            if progress.is_closed and is_over:
                self._leases.pop(number, None)

    def _note_end(self, message: Message) -> None:
        """The child has closed the stream, as asked or since it ended by itself."""
        stream = self._numbers[message.stream]
        stream.viewers.forget()
        if refusals := message.head.get("refusals"):
            self._spare_login(stream, refusals)
        self._opener.closed(stream.key)
        with self._changed:
            has_played = bool(stream.proven_at)
            self._learn_rhythm(stream, message.head)
            self._forget_number(stream, message.stream)
            if self._is_stopped:
                return  # closed by this server: no outage of the camera
            if stream.is_closing:
                stream.is_closing = False
                self._begin_again_or_end(stream)
            elif message.head.get("activity") == NO_PICTURE:
                stream.stalls += has_played
                self._retry(stream, message.head["reason"], "", activity=NO_PICTURE)
            else:
                self._retry(stream, message.head["reason"], message.head["cause"])

    def _spare_login(self, stream: Stream, refusals: int) -> None:
        """A login that worked was refused: count that, and send it for no other stream."""
        for key in self._opener.refused(stream.key, refusals):
            with self._changed:
                other = self._streams.get(key)
                number = other.number if other else 0
            if number:
                self.workers.tell(messages.FORGET_LOGIN, number)

    def _patience_with(self, stream: Stream) -> Patience:
        return self._patience.get(stream.key, Patience(self._silence))

    def _learn_rhythm(self, stream: Stream, head: Mapping[str, Any]) -> None:
        """Remember how far pictures are apart, also for the next time that it is needed."""
        distance = head.get("distance")
        if stream.key.is_visitor:
            return
        if distance is not None or head.get("activity") == NO_PICTURE:
            self._patience[stream.key] = self._patience_with(stream).after(distance)

    def _begin_again_or_end(self, stream: Stream) -> None:
        if stream.is_needed():
            stream.due = monotonic()
            self._set(stream, OPENING)
            self._changed.notify_all()
        elif self._streams.get(stream.key) is stream:
            del self._streams[stream.key]
            self._set(stream, ENDED)

    def _forget_number(self, stream: Stream, number: int) -> None:
        self._numbers.pop(number, None)
        if stream.number == number:
            stream.number = 0
            stream.proven_at = 0.0
            self._forget_leases(stream)

    def _forget_leases(self, stream: Stream) -> None:
        """Forget the stopped recordings of a connection that has ended: no segment comes."""
        for number, lease in tuple(self._leases.items()):
            if lease.key == stream.key and lease is not stream.recording:
                del self._leases[number]

    def _on_lost(self, numbers: frozenset[int], is_crash: bool) -> None:
        """A child has ended with its streams: they are opened again, in another one."""
        for number in sorted(numbers):
            stream = self._numbers.get(number)
            if stream is None:
                continue
            stream.viewers.forget()
            self._opener.closed(stream.key)
            with self._changed:
                self._forget_number(stream, number)
                if self._is_stopped:
                    continue
                stream.is_closing = False
                self._reopen_after_loss(stream, is_crash=is_crash)

    def _reopen_after_loss(self, stream: Stream, *, is_crash: bool) -> None:
        now = monotonic()
        reason = "The process that read the stream has ended"
        has_crashed = any(now - at < SUSPECT for at in stream.crashes)
        if is_crash:
            stream.crashes = [*stream.crashes[-4:], now]
        if not stream.is_needed():
            self._begin_again_or_end(stream)
            return
        self._retry(stream, reason, SERVER)
        if is_crash and not has_crashed:
            stream.failures = 0
            stream.due = now

    # -- states and callbacks -------------------------------------------------------------

    def _set(
        self, stream: Stream, activity: str, reason: str = "", *, cause: str = "", **changes: Any
    ) -> None:
        """Change the state and tell it; `since` is when the activity began."""
        old = stream.state
        since = old.since if old.activity == activity else self._clock()
        new = replace(old, activity=activity, since=since, reason=reason, cause=cause, **changes)
        if new == old:
            return
        stream.state = new
        is_for_keys = stream.is_for_keys()
        stream.viewers.put(new)
        if stream.key.is_visitor or (is_for_keys and activity in (RETRYING, NO_PICTURE)):
            return  # nothing that anybody watches or records is interrupted
        for callback in self._on_state:
            self._calls.put(lambda call=callback: call(stream.key, new))  # type: ignore[misc]

    def _run_calls(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception:
                log.exception("Internal error after a change of a stream")
