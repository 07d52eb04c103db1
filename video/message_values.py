"""The values of streams as the heads of messages, and back. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from video.model import (
    NO_PICTURE,
    Format,
    Fragment,
    Init,
    LinkCounts,
    OpenedMedium,
    OpenedStream,
    Picture,
    SegmentPlan,
    SegmentProgress,
)

Head = Mapping[str, Any]


def open_head(opened: OpenedStream) -> dict[str, Any]:
    """Of an opened stream; its description and the rest of its bytes are the data."""
    return {
        "media": [asdict(medium) for medium in opened.media],
        "transport": opened.transport,
        "control": dict(opened.control),
        "description": len(opened.description),
    }


def opened_of(head: Head, data: bytes, sockets: tuple[Any, ...]) -> OpenedStream:
    """The opened stream in the child."""
    media = tuple(OpenedMedium(**medium) for medium in head["media"])
    length = head["description"]
    description, rest = data[:length], data[length:]
    return OpenedStream(description, media, head["transport"], sockets, head["control"], rest)


def no_picture_head(reason: str) -> dict[str, Any]:
    """The state of a stream that is connected and sends no video, for this reason."""
    return {"activity": NO_PICTURE, "reason": reason, "key_distance": None}


def format_of(head: Head) -> Format:
    return Format(**{**head, "notes": tuple(head["notes"])})


def init_head(init: Init) -> dict[str, Any]:
    return {"format": asdict(init.format)}


def init_of(head: Head, data: bytes) -> Init:
    return Init(format_of(head["format"]), data)


def fragment_head(fragment: Fragment) -> dict[str, Any]:
    return {"key": fragment.is_key, "at": fragment.at}


def fragment_of(head: Head, data: bytes) -> Fragment:
    return Fragment(data, head["key"], head["at"])


def picture_head(picture: Picture) -> dict[str, Any]:
    """The head; the data is the picture, and after it the one in grey."""
    return {
        "grey": len(picture.grey),
        "size": [picture.width, picture.height],
        "source": picture.source,
        "at": picture.at,
    }


def picture_of(head: Head, data: bytes) -> Picture:
    width, height = head["size"]
    end = len(data) - head["grey"]
    return Picture(data[:end], width, height, tuple(head["source"]), head["at"], data[end:])


def plan_head(plan: SegmentPlan) -> dict[str, Any]:
    return {**asdict(plan), "folder": str(plan.folder)}


def plan_of(head: Head) -> SegmentPlan:
    return SegmentPlan(Path(head["folder"]), head["seconds"], head["with_audio"])


def segment_head(progress: SegmentProgress) -> dict[str, Any]:
    return {
        **asdict(progress),
        "path": str(progress.path),
        "started_at": progress.started_at.isoformat(),
        "ended_at": progress.ended_at.isoformat(),
    }


def segment_of(head: Head) -> SegmentProgress:
    changes = {
        "path": Path(head["path"]),
        "started_at": datetime.fromisoformat(head["started_at"]),
        "ended_at": datetime.fromisoformat(head["ended_at"]),
        "format": format_of(head["format"]),
    }
    return SegmentProgress(**{**head, **changes})


def counts_head(counts: LinkCounts) -> dict[str, Any]:
    return asdict(counts)


def counts_of(head: Head) -> LinkCounts:
    return LinkCounts(**head)
