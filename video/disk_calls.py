"""Ask a disk that may never answer, in threads of their own, each with a limit.

A call to a network share whose server is gone can last for ever (nfs(5), `hard`), and nothing that
a program can do ends it. Their number is limited for each mount: once it is taken away, others
cannot hang in it, and what is there then is asked again.
"""

import errno
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Generic, NoReturn, TypeVar

Answer = TypeVar("Answer")
LIMIT = 10.0
"""Seconds that a disk has to answer: one that slept needs some to spin up."""
AGAIN = 15.0
"""Seconds between two attempts at a disk that does not answer."""
LONGEST_READ, LOOK = 30.0, 0.25
"""Seconds that a reader waits, and between two looks whether the disk still answers."""
MOST_STUCK, MOST_IN_ALL = 64, 256
"""Calls that can be left behind while they wait for one mount, and for all, each with a thread."""


class NotAnswering(OSError):
    """The disk of the recordings has not answered for so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"it has not answered for {seconds:.0f} s")
        self.seconds = seconds

    def __str__(self) -> str:
        return f"The recording folder has not answered for {self.seconds:.0f} s"


class _Call(Generic[Answer]):
    """One call and what came of it. `discard` gets an answer that nobody waits for any more."""

    def __init__(
        self, ask: Callable[[], Answer], discard: Callable[[Answer], object], began: float
    ) -> None:
        self.ask = ask
        self.discard = discard
        self.began = began
        self.is_over = Event()
        self.given_up_at: tuple[Hashable] | None = None
        """Where the disk was mounted when nobody waited for it any more."""
        self.answer: Any = None
        self.error: Exception | None = None

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        answer: Answer = self.answer
        return answer


def keep(_answer: object) -> None:
    """Discard nothing."""


class DiskCalls:
    """The calls to one disk. While it does not answer, they are refused at once, but for one now
    and then which finds out that it does again. `mounts` tells where it is mounted, without a call
    to it."""

    def __init__(
        self,
        limit: float = LIMIT,
        again: float = AGAIN,
        timer: Callable[[], float] = monotonic,
        mounts: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self._mounts = mounts
        self._limit = limit
        self._again = again
        self._timer = timer
        self._lock = Lock()
        self._silent_since: float | None = None
        self._tried_at = 0.0
        self._stuck = Counter[Hashable]()

    @property
    def silence(self) -> float:
        """Seconds for which the disk has not answered; 0 as far as it is known to answer."""
        with self._lock:
            since = self._silent_since
        return 0.0 if since is None else self._timer() - since

    def check(self) -> None:
        """Raise NotAnswering while the disk is known not to answer."""
        if silence := self.silence:
            raise NotAnswering(silence)

    def ask(self, ask: Callable[[], Answer], discard: Callable[[Answer], object] = keep) -> Answer:
        """The answer to a question that takes no time, or what it raises. Raises NotAnswering after
        the limit, and at once while the disk is known not to answer."""
        call = _Call(ask, discard, self._timer())
        if self.silence:
            self._try_again(call)
        self._start(call)
        if self._has_ended(call, self._limit):
            return call.result()
        with self._lock:
            since = self._silent_since = self._silent_since or call.began
        raise NotAnswering(self._timer() - since)

    def read(self, read: Callable[[], Answer], seconds: float = LONGEST_READ) -> Answer:
        """What it reads, or raises. Raises NotAnswering after so many seconds, and as soon as the
        disk is known not to answer."""
        self.check()
        call = _Call(read, keep, self._timer())
        self._start(call)
        while not self._has_ended(call, LOOK):
            if (waited := self._timer() - call.began) >= seconds or self.silence:
                raise NotAnswering(self.silence or waited)
        return call.result()

    def _try_again(self, call: _Call[Any]) -> NoReturn:
        """Ask a disk that does not answer once more in the background, if it is time for that.
        Raises NotAnswering."""
        with self._lock:
            is_due = call.began - self._tried_at >= self._again
            if is_due:
                self._tried_at = call.began
                is_due = self._give_up(call)
            silence = call.began - (self._silent_since or call.began)
        if is_due:
            self._start(call)
        raise NotAnswering(silence)

    def _start(self, call: _Call[Any]) -> None:
        Thread(target=self._work, args=(call,), name="disk", daemon=True).start()

    def _has_ended(self, call: _Call[Any], seconds: float) -> bool:
        """True if a call ends within so many seconds; else it is given up."""
        is_over = call.is_over.wait(seconds)
        with self._lock:
            is_over = is_over or call.is_over.is_set()
            if not is_over and call.given_up_at is None:
                self._give_up(call, is_forced=True)
        return is_over

    def _give_up(self, call: _Call[Any], *, is_forced: bool = False) -> bool:
        """Count a call that nobody waits for; False, and nothing counted, if there are too many
        unless it hangs already. For a holder of the lock."""
        place = self._mounts()
        has_room = self._stuck[place] < MOST_STUCK and self._stuck.total() < MOST_IN_ALL
        if has_room or is_forced:
            call.given_up_at = (place,)
            self._stuck[place] += 1
        return call.given_up_at is not None

    def _work(self, call: _Call[Any]) -> None:
        try:
            call.answer = call.ask()
        except Exception as error:  # noqa: BLE001 (it is raised where somebody waits for it)
            call.error = error
        with self._lock:
            call.is_over.set()
            self._silent_since = None
            if call.given_up_at is not None:
                self._stuck[call.given_up_at[0]] -= 1
        if call.given_up_at is not None and call.error is None:
            with suppress(OSError):
                call.discard(call.answer)
