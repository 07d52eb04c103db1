"""What a child sends to the monitor, in a thread of its own: nobody who reads a stream waits."""

from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from video.messages import FRAGMENT, INIT, PICTURE, Channel, Closed, Message

MAX_LIVE = 8 << 20
"""Bytes of live video of one stream that wait; what comes then is dropped, until a key frame."""


class Outbox:
    """Messages in their order. Live video of a stream is limited; all other messages are small."""

    def __init__(self, channel: Channel, on_closed: Callable[[], object]) -> None:
        self._channel = channel
        self._on_closed = on_closed
        self._changed = Condition()
        self._messages: deque[Message] = deque()
        self._waiting: dict[int, int] = {}
        self._skipping: set[int] = set()
        self._is_closed = False
        self._thread = Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Queue a message; never blocks."""
        with self._changed:
            if message.kind in (FRAGMENT, PICTURE, INIT) and not self._takes(message):
                return
            self._messages.append(message)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Send what waits, and end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(seconds)

    def _takes(self, message: Message) -> bool:
        stream, size = message.stream, len(message.data)
        waiting = self._waiting.get(stream, 0)
        if message.kind == FRAGMENT:
            if message.head["key"]:
                self._skipping.discard(stream)
            if waiting + size > MAX_LIVE:
                self._skipping.add(stream)
            if stream in self._skipping:
                return False
        elif message.kind == PICTURE and waiting + size > MAX_LIVE:
            return False
        self._waiting[stream] = waiting + size
        return True

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._channel.send(message)
            except Closed:
                self._on_closed()
                return

    def _next(self) -> Message | None:
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._is_closed)
            if not self._messages:
                return None
            message = self._messages.popleft()
            if message.kind in (FRAGMENT, PICTURE, INIT):
                left = self._waiting[message.stream] - len(message.data)
                self._waiting[message.stream] = left
                if not left:
                    del self._waiting[message.stream]
            return message
