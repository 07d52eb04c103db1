"""The process that uses the cameras of this computer: `python -m camera_child FD REQUEST`.

FD is the descriptor for its messages (sources/camera_messages.py), REQUEST a JSON object: what to
`do` ("list" or "take"), and how. It ends when its standard input does, which the monitor holds
open: a process whose monitor was killed must not keep the camera.

It imports nothing but the standard library and the camera libraries, so that the Python of
Raspberry Pi OS can run it, too.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from sources import camera_messages, pi_camera, usb_camera
from sources.camera_troubles import Trouble, trouble_of

SACRIFICE = 500
"""Of 1000: how much rather this process is ended than another one where memory runs out."""


def main() -> None:
    """Do what is requested, and tell the result."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(SACRIFICE))
    Thread(target=end_with_monitor, daemon=True).start()
    with os.fdopen(int(sys.argv[1]), "wb") as channel:

        def send(message: bytes) -> None:
            channel.write(message)
            channel.flush()

        trouble = attempt(lambda: answer(json.loads(sys.argv[2]), send))
        if trouble:
            send(camera_messages.encode(camera_messages.TROUBLE, fields_of(trouble)))


def end_with_monitor() -> None:
    """Wait for the end of the standard input, then end at once, whatever a library is doing."""
    os.read(0, 1)
    os._exit(1)


def attempt(work: Callable[[], None]) -> Trouble | None:
    """Work with a library, and tell its trouble: the libraries raise errors of every kind."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
        return trouble_of(error)
    return None


def answer(request: dict[str, Any], send: Callable[[bytes], None]) -> None:
    """Send what a request asks for. Raises Trouble, and whatever the libraries raise."""
    if request["do"] == "list":
        send(cameras_message(Path(request["sys"]), Path(request["dev"])))
        return
    source = pi_camera if request["key"].startswith(pi_camera.KEY) else usb_camera
    source.take(
        request,
        lambda: send(camera_messages.encode(camera_messages.STARTED)),
        lambda picture: send(camera_messages.encode(camera_messages.PICTURE, data=picture)),
    )


def cameras_message(sys_folder: Path, dev: Path) -> bytes:
    """All cameras, and what is wrong with the library for Pi cameras where one is expected."""
    cameras, trouble = usb_camera.cameras(sys_folder, dev), None
    if pi_camera.is_expected():
        trouble = attempt(lambda: cameras.extend(pi_camera.cameras()))
    fields = fields_of(trouble) if trouble else {}
    return camera_messages.encode(camera_messages.CAMERAS, {"cameras": cameras, **fields})


def fields_of(trouble: Trouble) -> dict[str, str]:
    return {"code": trouble.code, "detail": trouble.detail[:1000]}


if __name__ == "__main__":
    main()
