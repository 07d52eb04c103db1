"""What is made of the packets of a stream, as messages to the monitor."""

from collections.abc import Callable
from dataclasses import astuple

from video import messages
from video.message_values import fragment_head, init_head, picture_head, segment_head
from video.messages import Message
from video.model import Fragment, Init, Picture, SegmentProgress
from video.watching import KeyWish, PictureOptions

Send = Callable[[Message], object]


def live_message(number: int, value: Init | Fragment) -> Message:
    if isinstance(value, Init):
        return Message(messages.INIT, number, init_head(value), value.data)
    return Message(messages.FRAGMENT, number, fragment_head(value), value.data)


def picture_message(number: int, options: PictureOptions, picture: Picture) -> Message:
    head = {"options": options, **picture_head(picture)}
    return Message(messages.PICTURE, number, head, picture.data)


def key_picture_message(number: int, wish: KeyWish, picture: Picture) -> Message:
    head = {"wish": astuple(wish), **picture_head(picture)}
    return Message(messages.KEY_PICTURE, number, head, picture.data + picture.grey)


def segment_message(number: int, lease: int, segment: SegmentProgress) -> Message:
    return Message(messages.SEGMENT, number, {"lease": lease, **segment_head(segment)})
