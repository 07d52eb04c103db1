"""The process that reads streams: `python -m video_worker FD`, started by the monitor.

The argument is the descriptor of its connection to the monitor (video/messages.py). All else comes
through it: secrets, and the connections to the devices, which the monitor has opened.
"""

import socket
import sys

from sources.rtsp_playing import Playing
from video.messages import Channel
from video.reader import loop


def main() -> None:
    """Read streams until the monitor ends."""
    loop.run(Channel(socket.socket(fileno=int(sys.argv[1]))), Playing)


if __name__ == "__main__":
    main()
