"""Make the index of recorded files agree with the folder, after a crash or a lost disk.

Only files that were open, or that the index does not know, are read: a folder of 100,000 files is
compared by their names in a second or two.
"""

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from video import segment_rows
from video.codec_strings import hvc1
from video.mp4_boxes import BrokenMp4, Track, box_at, boxes, unpack
from video.mp4_fragments import Scan, opened, read_at, scan
from video.recorded import Segment

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
NAME = re.compile(r"(\d{8}T\d{6})(\d{3})Z\.(main|sub)\.mp4", re.ASCII)
MOST_DIGITS = 9
"""Of the number of a device, which is the name of its folder."""
GONE = "The file is gone."
EMPTY = "The file holds no picture."
RESTART = "restart"
"""Why a file ended: the program was killed, or the child process that wrote it."""
ENTRIES = {"avc1": "h264", "hvc1": "h265", "mp4v": "mjpeg"}


@dataclass(frozen=True, slots=True)
class Healed:
    """How many files were closed, added to the index, marked as gone, and found again."""

    closed: int = 0
    added: int = 0
    gone: int = 0
    back: int = 0

    def __str__(self) -> str:
        """What was done, as a part of a sentence; empty for nothing."""
        counts = (
            (self.closed, "closed"),
            (self.added, "added"),
            (self.gone, "missing"),
            (self.back, "found again"),
        )
        return ", ".join(f"{number} {what}" for number, what in counts if number)


def heal(
    engine: "Engine", folder: Path, growing: Collection[tuple[int, str]] = frozenset()
) -> Healed:
    """Make rows and files agree, but for those that grow, each as device and name.

    The folder must be proved: with an empty one below a share that is gone, every file would be
    missing. What else people put there is left alone. Raises Unreachable and OSError.
    """
    closed = 0
    for segment in segment_rows.unclosed(engine):
        if (segment.device, segment.file) not in growing:
            heal_segment(engine, folder, segment)
            closed += 1
    added = gone = back = 0
    for device in sorted(segment_rows.devices(engine) | set(_devices_in(folder))):
        known = segment_rows.known(engine, device)
        try:
            there = {name for name in _names_in(folder / str(device)) if NAME.fullmatch(name)}
        except OSError as error:
            log.warning("The recordings of device %d cannot be read: %s", device, error.strerror)
            continue
        missing = [row.id for name, row in known.items() if name not in there and not row.damaged]
        segment_rows.mark_damaged(engine, missing, GONE)
        returned = [row.id for name, row in known.items() if name in there and row.damaged == GONE]
        segment_rows.mark_damaged(engine, returned, "")
        for name in sorted(there - known.keys()):
            if (device, name) in growing:
                continue
            with suppress(BrokenMp4):  # deleted meanwhile, or named like a file of ours
                segment_rows.add(engine, read_file(folder / str(device) / name, device))
                added += 1
        gone += len(missing)
        back += len(returned)
    return Healed(closed, added, gone, back)


def heal_segment(
    engine: "Engine", folder: Path, segment: Segment, *, trims: bool = True
) -> Segment:
    """Close a file that nobody writes any more: with what is there, without what was cut off.
    Raises Unreachable."""
    path = folder / str(segment.device) / segment.file
    try:
        state = read_file(path, segment.device, trims=trims)
    except BrokenMp4:
        state = replace(segment, damaged=GONE)
    closed = replace(
        segment,
        ended_at=segment.started_at + (state.ended_at - state.started_at),
        size=state.size,
        header=state.header,
        frames=state.frames,
        rate=state.rate if state.rate is not None else segment.rate,
        closed=True,
        reason=segment.reason or RESTART,
        damaged=state.damaged,
    )
    segment_rows.save(engine, [closed])
    return closed


def read_file(path: Path, device: int, *, trims: bool = True) -> Segment:
    """What a file holds, by its name and its boxes; with `trims` its torn end is cut away. One that
    cannot be played is `damaged`. Raises BrokenMp4 if it is gone or its name is none of ours."""
    started_at, stream = _named(path.name)
    with opened(path) as file:
        size = os.fstat(file).st_size
    segment = Segment(
        device, stream, path.name, started_at, started_at, size, closed=True, reason=RESTART
    )
    try:
        scanned = scan(path)
    except BrokenMp4 as error:
        return replace(segment, damaged=f"{error}.")
    if not len(scanned):
        return replace(segment, header=len(scanned.header.data), damaged=EMPTY)
    try:
        ended_at = started_at + timedelta(seconds=scanned.duration)
    except OverflowError:
        return replace(segment, damaged="Its name has no believable time.")
    end = scanned.offsets[-1] + scanned.sizes[-1]
    if end < size and trims:
        with suppress(OSError):  # a reader ignores what is behind the last whole fragment
            os.truncate(path, end)
    frames = sum(_frames(path, scanned))
    if not frames:
        return replace(segment, size=end, header=len(scanned.header.data), damaged=EMPTY)
    video = scanned.header.video
    width, height = unpack(">HH", video.entry, 28, len(video.entry))
    return replace(
        segment,
        ended_at=ended_at,
        size=end,
        header=len(scanned.header.data),
        frames=frames,
        width=width,
        height=height,
        codec=ENTRIES.get(video.entry[:4].decode("latin-1"), ""),
        codecs=_codecs(scanned.header.tracks),
        audio="aac" if len(scanned.header.tracks) > 1 else "",
        rate=round(frames / scanned.duration, 2) if scanned.duration > 1 else None,
    )


def _named(name: str) -> tuple[datetime, str]:
    """When a file began and its stream, by its name. Raises BrokenMp4."""
    parts = NAME.fullmatch(name)
    try:
        if parts is not None:
            text = f"{parts[1]}{parts[2]}000+0000"
            return datetime.strptime(text, "%Y%m%dT%H%M%S%f%z").astimezone(UTC), parts[3]
    except ValueError:
        pass
    raise BrokenMp4(f"{name} is not the name of a recorded file")


def _devices_in(folder: Path) -> Iterator[int]:
    """The numbers of the devices that have a folder; other names are not ours."""
    names = (name for name in _names_in(folder) if name.isascii() and name.isdecimal())
    return (int(name) for name in names if len(name) <= MOST_DIGITS and name == str(int(name)))


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _frames(path: Path, scanned: Scan) -> Iterator[int]:
    """The number of pictures in each fragment."""
    with opened(path) as file:
        for offset, length in zip(scanned.offsets, scanned.moofs, strict=True):
            yield _frames_of(read_at(file, length, offset), scanned.header.video.number)


def _frames_of(moof: bytes, video: int) -> int:
    outer = box_at(moof, 0, len(moof))
    total = 0
    for traf in (box for box in boxes(moof, outer.body, outer.end) if box.kind == b"traf"):
        parts: Mapping[bytes, int] = {
            box.kind: box.body for box in boxes(moof, traf.body, traf.end)
        }
        is_video = unpack(">I", moof, parts[b"tfhd"] + 4, traf.end)[0] == video
        if is_video and b"trun" in parts:
            total += unpack(">I", moof, parts[b"trun"] + 4, traf.end)[0]
    return total


def _codecs(tracks: tuple[Track, ...]) -> str:
    """The codec string of the tracks; empty where browsers have none."""
    texts = []
    for track in tracks:
        at = track.entry.find(b"avcC")
        if at != -1:
            texts.append(f"avc1.{track.entry[at + 5 : at + 8].hex()}")
        elif (at := track.entry.find(b"hvcC")) != -1:
            # The profile is in `hvcC` as it is in a parameter set, where it has 3 bytes before it.
            texts.append(hvc1(bytes(3) + track.entry[at + 5 : at + 17]))
        elif track.kind == "soun" and texts:
            texts.append("mp4a.40.2")
    return ",".join(texts)
