"""The pictures of key frames that somebody wished for, decoded in a thread that ends with them."""

import ctypes
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock, Thread

from video.jpegs import whole_picture
from video.model import Picture
from video.packets import EncodedPacket, VideoCoding
from video.reader.sending import Send, key_picture_message
from video.watching import KeyWish

QUALITY = 90
LARGE = 1_000_000
"""Pixels from which the memory that a grey picture took is given back at once, too."""


class KeyPictures:
    """Fulfils the wishes for one stream. Times are those of the monotonic clock; one key frame is
    decoded at a time, and a damaged one leaves its wishes to the next one."""

    def __init__(self, number: int, send: Send) -> None:
        self._number = number
        self._send = send
        self._lock = Lock()
        self._waiting: dict[KeyWish, float] = {}
        """Each wish, with the time from which on an old key frame is good enough."""
        self._done = frozenset[KeyWish]()
        self._is_decoding = False
        self._key: EncodedPacket | None = None

    def want(self, wishes: Iterable[KeyWish], key: EncodedPacket | None, now: float) -> None:
        """Fulfil these wishes, and forget others. `key` is the newest key frame, if it is kept."""
        wanted = frozenset(wishes)
        with self._lock:
            new = wanted - self._done - self._waiting.keys()
            self._waiting = {wish: at for wish, at in self._waiting.items() if wish in wanted}
            self._done &= wanted
            for wish in new:
                self._waiting[wish] = now + wish.wait
        self._key = key if wanted else None
        if key is not None and new:
            self._take(key, [wish for wish in new if now - key.arrived <= wish.fresh])

    def feed(self, packet: EncodedPacket) -> None:
        """Take a packet of video: a key frame fulfils every wish; never blocks."""
        if not self._waiting:
            return
        with self._lock:
            waiting = dict(self._waiting)
        if packet.is_key:
            self._key = packet
            self._take(packet, [*waiting])
        elif self._key is not None:
            self._take(self._key, [wish for wish, at in waiting.items() if at <= packet.arrived])

    def _take(self, key: EncodedPacket, wishes: list[KeyWish]) -> None:
        if not wishes or self._is_decoding:
            return
        self._is_decoding = True
        Thread(target=self._decode, args=(key, wishes), name="key-picture", daemon=True).start()

    def _decode(self, key: EncodedPacket, wishes: list[KeyWish]) -> None:
        try:
            for form in {_form(wish) for wish in wishes}:
                picture = whole_picture(key, QUALITY, *form)
                if picture is None:
                    self._key = None
                    return
                self._fulfil([wish for wish in wishes if _form(wish) == form], picture)
        finally:
            if _takes_memory(key, wishes):
                _give_memory_back()
            self._is_decoding = False

    def _fulfil(self, wishes: Iterable[KeyWish], picture: Picture) -> None:
        with self._lock:
            kept = [wish for wish in wishes if self._waiting.pop(wish, None) is not None]
            self._done |= frozenset(kept)
        for wish in kept:
            self._send(key_picture_message(self._number, wish, picture))


def _takes_memory(key: EncodedPacket, wishes: Iterable[KeyWish]) -> bool:
    is_large = isinstance(key.coding, VideoCoding) and key.coding.width * key.coding.height >= LARGE
    return is_large or any(wish.is_seen for wish in wishes)


def _form(wish: KeyWish) -> tuple[int, bool]:
    return wish.grey_width, wish.is_seen


def _give_memory_back() -> None:
    """Give freed memory back to the system: a decoded picture of 8 megapixels takes 70 MB, which
    the allocator would keep for the next one, an hour later."""
    with suppress(OSError, AttributeError):  # other C libraries keep less
        ctypes.CDLL(None).malloc_trim(0)
