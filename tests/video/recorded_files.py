"""Files as they are recorded, made by ffmpeg, and their rows."""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from video import recording_rows, segment_rows, tables
from video.recorded import COMPLETED, MANUAL, Recording, Segment


def clip(
    folder: Path, name: str, seconds: int, size: str = "64x48", *, sound: bool = True, picture=""
) -> Path:
    """A file as it is recorded: fragments of 2 s, key frames each second, here with 10 frames/s."""
    path = folder / name
    tone = ["-f", "lavfi", "-i", "sine=440:sample_rate=48000"] if sound else []
    source = picture or f"testsrc2=s={size}:r=10"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *tone]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "10"]
    command += ["-pix_fmt", "yuv420p", "-bf", "0", "-c:a", "aac", "-frag_duration", "2000000"]
    command += ["-movflags", "empty_moov+default_base_moof+frag_keyframe", str(path)]
    subprocess.run(command, check=True)
    return path


@dataclass(frozen=True, slots=True)
class Shelf:
    """Recordings of a monitor: its database, and its folder of recordings."""

    engine: Engine
    folder: Path

    def segment(
        self, device: int, at: datetime, seconds: float, file: Path | None = None, **more: object
    ) -> Segment:
        """A file that begins at `at`, with a row; without `file` only the row."""
        if file is not None:
            place = self.folder / str(device) / _name(at, str(more.get("stream", "main")))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
            more["size"] = place.stat().st_size
        segment = _segment(device, at, seconds, **more)
        segment_rows.add(self.engine, segment)
        return segment

    def segments(self, device: int, times: Sequence[tuple[datetime, float]]) -> None:
        """Rows of many files at once, by their beginnings and seconds."""
        rows = [asdict(_segment(device, at, seconds)) | {"notes": []} for at, seconds in times]
        for row in rows:
            del row["id"]
        with self.engine.begin() as connection:
            connection.execute(insert(tables.segments), rows)

    def recording(self, device: int, at: datetime, seconds: float, **more: object) -> int:
        """A completed recording; its number."""
        values = {"name": "Delivery", "kind": MANUAL, "status": COMPLETED, "stream": "main"}
        values |= {"ended_at": at + timedelta(seconds=seconds), "by": "Ada", **more}
        return recording_rows.add(self.engine, Recording(device=device, started_at=at, **values))


def _name(at: datetime, stream: str) -> str:
    return f"{at:%Y%m%dT%H%M%S%f}Z.{stream}.mp4"


def _segment(device: int, at: datetime, seconds: float, **more: Any) -> Segment:
    stream = str(more.pop("stream", "main"))
    values = {"width": 64, "height": 48, "codec": "h264", "codecs": "avc1.42c00b,mp4a.40.2"}
    values |= {"rate": 10.0, "audio": "aac", "closed": True, "size": 1000, **more}
    end = at + timedelta(seconds=seconds)
    return Segment(device, stream, _name(at, stream), at, end, **values)
