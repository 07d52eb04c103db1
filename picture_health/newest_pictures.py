"""The newest picture of some cameras, in memory."""

from collections import OrderedDict
from threading import Lock

from fleet.pictures import TakenPicture

MOST_BYTES = 32 << 20
"""Of all of them; those that were kept first go first."""


class NewestPictures:
    """Used from any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._pictures: OrderedDict[int, TakenPicture] = OrderedDict()
        self._size = 0

    def of(self, device: int) -> TakenPicture | None:
        """The newest picture of a camera, if it is in memory."""
        return self._pictures.get(device)

    def keep(self, device: int, picture: TakenPicture) -> None:
        """Keep the newest picture of a camera instead of the one before."""
        with self._lock:
            self._drop(device)
            self._pictures[device] = picture
            self._size += len(picture.data) + len(picture.grey)
            while self._size > self._most_bytes:
                self._drop(next(iter(self._pictures)))

    def drop(self, device: int) -> None:
        """Give back the memory of a picture that nobody needs."""
        with self._lock:
            self._drop(device)

    def _drop(self, device: int) -> None:
        picture = self._pictures.pop(device, None)
        if picture is not None:
            self._size -= len(picture.data) + len(picture.grey)
