"""What the stand-in is to do, from the JSON file that LIBCAMERA_STAND_IN names."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plan:
    """The keys of the file, as README.md describes them."""

    cameras: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""
    silent_once: str = ""
    largest_buffer: int | None = None
    lock: str = ""
    dark_frames: int = 3


def _read() -> Plan:
    path = os.environ.get("LIBCAMERA_STAND_IN")
    return Plan(**json.loads(Path(path).read_text())) if path else Plan()


PLAN = _read()
