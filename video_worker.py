"""The process that reads streams: `python -m video_worker FD`, started by the monitor.

The argument is the descriptor of its connection to the monitor (video/messages.py). All else comes
through it: secrets, and the connections to the devices, which the monitor has opened.
"""

import socket
import sys
from contextlib import suppress
from pathlib import Path

from sources.rtsp_playing import Playing
from video.messages import Channel
from video.reader import loop

SACRIFICE = 500
"""Of 1000: how much rather this process is ended than another one where memory runs out. It decodes
what devices send; the monitor starts another one."""


def main() -> None:
    """Read streams until the monitor ends."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(SACRIFICE))
    loop.run(Channel(socket.socket(fileno=int(sys.argv[1]))), Playing)


if __name__ == "__main__":
    main()
