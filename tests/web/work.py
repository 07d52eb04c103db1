"""The work that an act makes, as a number that does not depend on the machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.home import ROOT


def work_of(act: Callable[[], Any]) -> list[str]:
    """Every function of ours that is called, in order."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(str(ROOT)) and ".venv" not in code.co_filename
        if event == "call" and is_ours:
            called.append(f"{code.co_filename}:{code.co_name}")

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return called
