"""The pictures that are kept: references, expected ones, and those that raised findings."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from fleet.merged import numbers_of
from fleet.model import Fleet, Invalid, NotFound
from fleet.pictures import NotTaken, TakenPicture, jpeg_size
from picture_health import health_rows as rows
from picture_health.camera_health import KeptPicture, PictureKind
from picture_health.model import Fault, Reference, Sample

if TYPE_CHECKING:
    from sqlalchemy import Engine

WIDTH = 640
"""Pixels of a picture that is kept."""
MOST_BYTES = 512 << 10
"""Of one that is kept. A narrow one can come with any metadata, or be very high."""


class KeptPictures:
    """All pictures in use; their data is in the database alone. Those of records that were merged
    into another belong to it. `scale` makes a JPEG of so many pixels' width or less, or None.
    Methods raise Unreachable."""

    def __init__(
        self,
        engine: "Engine",
        fleet: Callable[[], Fleet],
        scale: Callable[[bytes, int], bytes | None],
    ) -> None:
        self._engine = engine
        self._fleet = fleet
        self._scale = scale
        self._lock = Lock()
        self._turn = Lock()
        """One picture is scaled at a time: each takes memory."""
        self._pictures: dict[int, tuple[KeptPicture, ...]] = {}
        """By the device for which they were kept."""

    def open(self) -> None:
        """Load what is kept; the tables must exist."""
        pictures: dict[int, tuple[KeptPicture, ...]] = {}
        for picture in rows.pictures(self._engine):
            pictures[picture.device] = (*pictures.get(picture.device, ()), picture)
        with self._lock:
            self._pictures = pictures

    def of(self, device: int, kind: PictureKind) -> tuple[KeptPicture, ...]:
        """The pictures of a camera that are kept for this, in the order in which they were."""
        pictures = self._pictures
        numbers = (number for number in self.numbers(device) if number in pictures)
        return tuple(
            picture for number in numbers for picture in pictures[number] if picture.kind == kind
        )

    def numbers(self, device: int) -> Sequence[int]:
        """The number of a device and of the records that were merged into it."""
        return numbers_of(self._fleet(), device)

    def find(self, device: int, id: int) -> KeptPicture:
        """A picture with its data. Raises NotFound."""
        picture = rows.picture(self._engine, self.numbers(device), id)
        if picture is None:
            raise NotFound(f"Picture {id} does not exist", "Reload the page.")
        return picture

    def scaled(
        self,
        device: int,
        picture: TakenPicture,
        sample: Sample,
        kind: PictureKind,
        by: str = "",
        fault: Fault | None = None,
    ) -> KeptPicture:
        """A picture of a camera as it can be added; it is scaled by a process of its own. Raises
        NotTaken."""
        data, size = picture.data, (picture.width, picture.height)
        if picture.width > WIDTH or len(data) > MOST_BYTES:
            with self._turn:
                small = self._scale(data, WIDTH)
            if not small or len(small) > MOST_BYTES:
                raise NotTaken("The picture cannot be scaled.", "Try again in a moment.")
            data, size = small, jpeg_size(small)
        measured = Reference(sample.measures, sample.descriptor)
        return KeptPicture(0, device, kind, fault, picture.taken_at, by, *size, measured, data)

    def copied(self, device: int, id: int, kind: PictureKind, by: str) -> KeptPicture:
        """A picture that is kept, as it can be added for another reason. Raises NotFound."""
        return replace(self.find(device, id), id=0, device=device, kind=kind, fault=None, by=by)

    def add(self, picture: KeptPicture) -> KeptPicture:
        """Keep a picture; the result has its number, and no data."""
        added = replace(picture, id=rows.add_picture(self._engine, picture), data=b"")
        with self._lock:
            others = self._pictures.get(added.device, ())
            self._pictures = {**self._pictures, added.device: (*others, added)}
        return added

    def describe(self, picture: KeptPicture, measured: Reference) -> KeptPicture:
        """Keep how a picture that is kept is described now."""
        rows.set_measured(self._engine, picture.id, measured)
        described = replace(picture, measured=measured)
        with self._lock:
            own = self._pictures.get(picture.device, ())
            changed = tuple(described if each.id == picture.id else each for each in own)
            self._pictures = {**self._pictures, picture.device: changed}
        return described

    def remove(self, device: int, id: int) -> KeptPicture:
        """Delete a picture. Raises NotFound, and Invalid for one that raised a finding."""
        picture = self.find(device, id)
        if picture.kind == "evidence":
            raise Invalid(f"Picture {id} raised a finding", "It is deleted some time after that.")
        rows.remove_pictures(self._engine, [id])
        self._leave_out({id})
        return picture

    def end(self, ids: Collection[int], at: datetime) -> None:
        """Note that the findings ended that these pictures raised: they are kept for a while."""
        rows.end_evidence(self._engine, ids, at)
        self._leave_out(ids)

    def forget(self, devices: frozenset[int]) -> None:
        """Leave out devices whose rows were deleted."""
        with self._lock:
            self._pictures = {id: own for id, own in self._pictures.items() if id not in devices}

    def _leave_out(self, ids: Collection[int]) -> None:
        with self._lock:
            self._pictures = {
                device: tuple(each for each in pictures if each.id not in ids)
                for device, pictures in self._pictures.items()
            }
