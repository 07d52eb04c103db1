"""What is made of the packets of a stream, as messages to the monitor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from video import messages
from video.message_values import (
    fragment_head,
    init_head,
    picture_head,
    plan_of,
    segment_head,
)
from video.messages import Message
from video.model import Fragment, Init, Picture, SegmentProgress, StreamKey
from video.packets import EncodedPacket
from video.segment_file import SegmentWriter
from video.watching import PictureOptions

Send = Callable[[Message], object]


class Recording:
    """The recording of a stream, whose files are told to the monitor."""

    def __init__(
        self, send: Send, number: int, head: Mapping[str, Any], notes: Sequence[str]
    ) -> None:
        self.lease = head["lease"]
        self._send = send
        self._number = number
        key = StreamKey(head["device"], head["name"])
        self._writer = SegmentWriter(key, plan_of(head["plan"]), self._tell, notes)

    def feed(self, packet: EncodedPacket) -> None:
        """Write a packet; blocks as the disk does."""
        self._writer.write(packet)

    def tick(self, now: float) -> None:
        """Write what has waited long enough, where no packet comes."""
        self._writer.tick(now)

    def close(self, reason: str) -> None:
        """Close the file that is open."""
        self._writer.close(reason)

    def _tell(self, segment: SegmentProgress) -> None:
        head = {"lease": self.lease, **segment_head(segment)}
        self._send(Message(messages.SEGMENT, self._number, head))


def live_message(number: int, value: Init | Fragment) -> Message:
    if isinstance(value, Init):
        return Message(messages.INIT, number, init_head(value), value.data)
    return Message(messages.FRAGMENT, number, fragment_head(value), value.data)


def picture_message(number: int, options: PictureOptions, picture: Picture) -> Message:
    head = {"options": options, **picture_head(picture)}
    return Message(messages.PICTURE, number, head, picture.data)
